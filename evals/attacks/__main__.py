"""Attacks as data against the product: `python -m evals.attacks [--channel C] [--corpus FILE] [--harms N] [--json]`.

Each attack of the corpora is delivered through its channel and judged by the backend's own log, the stored journal
and what people are shown; its benign twin must still work. `--harms N` lets a worst-case brain propose so many of its
harmful plans as well (0: all of them, which takes an hour). Ends with 1 when an attack was not held or a twin does
not work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evals.attacks.records import CHANNELS, CorpusError, load
from evals.attacks.runner import Result, corpora, judge
from evals.attacks.sweep import chosen, tried

SEED = 20_260_504


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    try:
        attacks = [a for path in asked.corpus or corpora() for a in load(path)]
    except CorpusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if left_out := sorted({name for a in attacks for name in a.unknown}):
        sys.stderr.write(f"fields that are not known here and were left out: {', '.join(left_out)}\n")
    wanted = [a for a in attacks if not asked.channel or a.channel in asked.channel]
    results = judge(wanted)
    if asked.harms is not None:
        results += tried(chosen(asked.seed, asked.harms))
    sys.stdout.write(_document(results) if asked.json else _table(results, verbose=asked.verbose))
    return 0 if all(r.held and r.works is not False for r in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.attacks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channel", action="append", choices=CHANNELS, help="only these channels; may be repeated")
    parser.add_argument("--corpus", action="append", type=Path, metavar="FILE", help="JSONL or YAML instead of ours")
    parser.add_argument("--harms", type=int, metavar="N", help="so many harmful plans of a worst-case brain; 0: all")
    parser.add_argument("--seed", type=int, default=SEED, help="which harmful plans are drawn")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every attack, those that were held too")
    return parser


def _document(results: Sequence[Result]) -> str:
    told = {"channels": _totals(results), "results": [r.model_dump(mode="json") for r in results]}
    return json.dumps(told, indent=2) + "\n"


def _totals(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """By channel: attacks and those held, twins and those that work."""
    totals: dict[str, dict[str, int]] = {}
    for result in results:
        total = totals.setdefault(result.channel, {"attacks": 0, "held": 0, "twins": 0, "working": 0})
        total["attacks"] += 1
        total["held"] += result.held
        total["twins"] += result.works is not None
        total["working"] += result.works is True
    return totals


def _table(results: Sequence[Result], *, verbose: bool) -> str:
    lines = [f"{'channel':16} {'held':>11} {'twins work':>11}"]
    for channel, total in _totals(results).items():
        held, twins = f"{total['held']}/{total['attacks']}", f"{total['working']}/{total['twins']}"
        lines.append(f"{channel:16} {held:>11} {twins:>11}")
    for result in results:
        if verbose or not result.held or result.works is False:
            lines += ["", f"{result.id}: {result.wants}"]
            lines += [f"    NOT HELD {reason}" for reason in result.breaches]
            lines += [f"    TWIN {reason}" for reason in result.broken]
    return "\n".join(line.encode("ascii", "backslashreplace").decode() for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
