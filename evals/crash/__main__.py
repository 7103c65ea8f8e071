"""`python -m evals.crash`: strike runs everywhere they can be struck, and see that nothing is done twice or left over.

Exit code 0 when every run came to the same world as if nothing had happened, else 1. What was done stands in a file,
and is not done again when the same file is named, as long as the code is the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evals.crash import machine
from evals.crash.cases import KINDS, Case, Result
from evals.crash.matrix import Records, Tell, every, strike
from evals.crash.scenes import scenes
from evals.crash.table import table, total


def main(argv: Sequence[str]) -> int:
    given = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="gk-") as short:
        folder = Path(short)  # sockets are made below it
        records = Records(given.results or folder / "results.jsonl")
        found: list[Result] = []
        if "sim" in given.on:
            chosen = every(folder, given.scenes or tuple(scenes()), given.kinds or KINDS)
            wanted = chosen.drawn(given.sample, given.seed)
            found += strike(wanted, chosen.whole, folder, records, workers=given.workers, tell=_tell(given.quiet))
        if "local" in given.on:
            found += machine.strike(folder, records, kills=given.kills, seed=given.seed, tell=_tell(given.quiet))
    if given.json:
        print(json.dumps({"total": total(found), "results": [r.model_dump(mode="json") for r in found]}))
    else:
        print(table(found))
    return 0 if all(r.clean for r in found) else 1


def _tell(quiet: bool) -> Tell:
    def tell(done: int, of: int, result: Result) -> None:
        if not result.clean:
            print(f"{result.case}: {result.model_dump_json()}", file=sys.stderr)
        elif not quiet and (done % 20 == 0 or done == of):
            print(f"{done} of {of}", file=sys.stderr)

    return tell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.crash", description=(__doc__ or "").partition(":")[2].strip()
    )
    parser.add_argument("--on", nargs="+", choices=("sim", "local"), default=["sim", "local"], help="which backends")
    parser.add_argument("--scenes", nargs="+", choices=tuple(scenes()), metavar="SCENE", help=", ".join(scenes()))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "--sample", type=int, metavar="N", help="so many cases of the simulated world, drawn by the seed"
    )
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="how many kills on the local backend")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="cases at a time")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where results are kept, and taken from")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--quiet", action="store_true", help="say only what is not as it is to be")
    return parser


__all__ = ["Case", "main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
