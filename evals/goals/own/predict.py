"""`predict IN.csv OUT.csv`: one prediction a row, in the same order."""

import csv
import json
import os
import sys
from pathlib import Path


def main(source: str, target: str) -> None:
    model = json.loads((Path(os.environ["GOALKEEPER_OUTPUT_DIR"]) / "towns.json").read_text())["towns"]
    with open(source, newline="") as stream:
        rows = list(csv.DictReader(stream))
    with open(target, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["prediction"])
        for row in rows:
            town = model[row["town"]]
            shift = sum(town["slope"][c] * (float(row[c]) - town["means"][c]) for c in town["slope"])
            writer.writerow([town["price"] + shift])


if __name__ == "__main__":
    main(*sys.argv[1:])
