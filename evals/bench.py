"""`python -m evals.bench [NAME...]`: runs the named benchmarks, or all, and says which targets are met.

Exit code 0 when every target is met, 1 when one is missed, 2 when a benchmark cannot be run here.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evals.bench_series import Measurement, machine

BENCHMARKS = {
    "help": ("evals.bench_commands", "bench_help", "CPU of --help"),
    "plan": ("evals.bench_commands", "bench_plan", "latency of plan --json"),
    "durable": (
        "evals.bench_durable",
        "bench_durable",
        "a durable step beside SQLite, LangGraph and DBOS; after a kill",
    ),
    "decisions": ("evals.bench_decisions", "bench_decisions", "what judging a call costs, with few and many policies"),
    "workers": (
        "evals.bench_workers",
        "bench_workers",
        "many workers on PostgreSQL: throughput, delay, what waiting holds",
    ),
    "memory": ("evals.bench_memory", "bench_memory", "memory of an agent that waits for a job"),
    "drift": (
        "evals.bench_drift",
        "bench_drift",
        "false alarms where nothing has changed, and how soon drift is heard",
    ),
    "model": ("evals.bench_model", "bench_model", "what a goal asks of a language model: calls and tokens"),
    "random-labels": ("evals.bench_labels", "bench_random_labels", "how often chance alone meets a clause"),
}
"""Name → module, function, what it measures."""


def main(argv: Sequence[str]) -> int:
    """Run what was asked for; the exit code."""
    given = _parser().parse_args(argv)
    options = {name: value for name in ("repeats", "folder") if (value := getattr(given, name)) is not None}
    found: list[Measurement] = []
    _say(f"machine: {machine()}", as_json=given.json)
    for name in given.names or BENCHMARKS:
        try:
            benchmark = _function(name)
            found.append(benchmark(**_accepted(benchmark, options)))
        except (RuntimeError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        _say(str(found[-1]), as_json=given.json)
    if given.json:
        document = {"machine": machine(), "benchmarks": [m.model_dump(mode="json") for m in found]}
        print(json.dumps(document, ensure_ascii=False))
    return 0 if all(target.met for m in found for target in m.targets) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.bench", description=(__doc__ or "").partition(":")[2].strip()
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="; ".join(f"{n}: {b[2]}" for n, b in BENCHMARKS.items())
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--repeats", type=int, help="how often each is measured")
    parser.add_argument("--folder", type=Path, help="where `durable` writes: a real disk")
    return parser


def _function(name: str) -> Callable[..., Measurement]:
    """Benchmarks are imported when they are run: what one needs, another need not have."""
    if name not in BENCHMARKS:
        raise ValueError(f"there is no such benchmark: choose {', '.join(BENCHMARKS)}")
    module, function, _ = BENCHMARKS[name]
    found: Callable[..., Measurement] = getattr(importlib.import_module(module), function)
    return found


def _accepted(function: Callable[..., Measurement], options: Mapping[str, object]) -> dict[str, object]:
    """Those of the options that this benchmark has."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in known}


def _say(text: str, *, as_json: bool) -> None:
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
