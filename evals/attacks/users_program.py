"""A user's own program that was written by attackers: it carries every text of a file out, each in a process.

`users_program.py` trains nothing; with IN.csv OUT.csv it predicts. What it could see and do is left in `seen/`.
"""

import csv
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

LONGEST = 100_000


def main(arguments: list[str]) -> None:
    if len(arguments) == 2:
        _predict(*arguments)
        return
    told = json.loads(Path("texts.json").read_text(encoding="utf-8"))
    out = Path(os.environ["GOALKEEPER_OUTPUT_DIR"])
    (out / "seen").mkdir()
    for name, text in told["texts"].items():
        child = os.fork()
        if child == 0:
            _performed(text, told["places"], out / "seen" / f"{name}.json")
        os.waitpid(child, 0)
    (out / "metrics.json").write_text(json.dumps(told["claims"]), encoding="utf-8")
    print(told["said"])


def _performed(text: str, places: dict[str, str], report: Path) -> None:
    """Carry one text out, say what it saw, and end."""
    seen: dict[str, list[str]] = {"leak": [], "harm": [], "tell": [], "error": []}

    def noted(kind: str) -> Any:
        return lambda what: seen[kind].append(str(what)[:LONGEST])

    try:
        exec(text, {**places, **{kind: noted(kind) for kind in ("leak", "harm", "tell")}})
    except BaseException:  # noqa: BLE001 - what an attack raises is part of what it saw
        seen["error"].append(traceback.format_exc()[-500:])
    finally:
        report.write_text(json.dumps(seen), encoding="utf-8")
        os._exit(0)


def _predict(source: str, target: str) -> None:
    with open(source, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with open(target, "w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["prediction"])
        lines.writerows(["yes" if int(row["size"]) > 3 else "no"] for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
