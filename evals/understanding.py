"""How well the embedded brain understands goals: `python -m evals.understanding [-v] [--spoken N] [FILE...]`.

Reports accuracy per field and language over the corpora (by default all of `evals/corpus`), over the fields that are
stated or were filled without being stated, so that what neither side speaks of does not flatter. `--spoken N` asks N
random goals of `evals.spoken` instead; `--baseline` writes what was reached to `understanding.json` beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from evals.fields import Checked, checked, language
from evals.spoken.goals import goals
from tools.record import Json, Record

_HERE = Path(__file__).parent
BASELINE = _HERE / "understanding.json"
_HELD_BACK = "held_back"
"""Goals nobody tunes on: their texts are shown only when asked for."""
_SEED = 20_260_302
_INVENTED = {
    "budget_usd": "a budget",
    "placement.gpu": "a GPU",
    "placement.gpu_count": "a GPU",
    "parts.rollout.strategy": "a deployment",
}


class Score(Record):
    """What one corpus reached in one language: goals and fields, and which of them came out right."""

    goals: int
    whole: int
    fields: int
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.fields if self.fields else 1.0


class Result(Record):
    """One goal's judged fields."""

    case: Json
    fields: tuple[Checked, ...]

    @property
    def language(self) -> str:
        return language(self.case["text"])

    @property
    def faults(self) -> tuple[Checked, ...]:
        return tuple(f for f in self.fields if f.fault)


def corpora() -> list[Path]:
    """Every corpus of the project."""
    return sorted((_HERE / "corpus").glob("*.jsonl"))


def judge(cases: Iterable[Json]) -> list[Result]:
    """Understands each goal and judges its fields."""
    return [Result(case=case, fields=tuple(checked(case))) for case in cases]


def cases_of(path: Path) -> list[Json]:
    """The goals of one corpus file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def scores(results: list[Result]) -> dict[str, Score]:
    """By language."""
    made: dict[str, Score] = {}
    for tongue in sorted({r.language for r in results}):
        mine = [r for r in results if r.language == tongue]
        counted = [f for r in mine for f in r.fields if f.stated or f.fault]
        made[tongue] = Score(
            goals=len(mine), whole=sum(not r.faults for r in mine), fields=len(counted),
            right=sum(not f.fault for f in counted),
        )  # fmt: skip
    return made


def grave(results: list[Result]) -> list[str]:
    """What must never happen: a refused goal that got a contract; money, a GPU or a deployment nobody spoke of."""
    found: list[str] = []
    for result in results:
        text = result.case["text"]
        for field in result.faults:
            if field.path == "refused" and result.case.get("feasibility") == "refused":
                found.append(f"refused but planned: {text}")
            kind = _INVENTED.get(_plain(field.path))
            if kind and field.fault.startswith(("expected None", "expected 'none'")):
                found.append(f"{kind} was invented: {text}")
    return found


def _plain(path: str) -> str:
    return ".".join(p for p in path.split(".") if not p.isdigit())


def table(name: str, results: list[Result], *, verbose: bool) -> str:
    """The report of one corpus: its score, the fields that went wrong, and what is grave."""
    lines: list[str] = []
    for result in results if verbose else ():
        if result.faults:
            lines += [result.case["text"], *(f"    {f.path}: {f.fault}" for f in result.faults)]
    for tongue, score in scores(results).items():
        lines.append(
            f"{name} {tongue}: {score.whole}/{score.goals} goals whole, "
            f"{score.right}/{score.fields} fields ({score.accuracy:.1%})"
        )
    right, total = _per_field(results)
    for tongue, field in sorted(total):
        wrong = total[tongue, field] - right[tongue, field]
        if wrong:
            lines.append(f"    {tongue} {field}: {right[tongue, field]}/{total[tongue, field]}")
    told = grave(results)
    lines += (
        [f"    GRAVE {line}" for line in told] if verbose or _HELD_BACK not in name else [f"    GRAVE: {len(told)}"]
    )
    return "\n".join(lines)


def _per_field(results: list[Result]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    right: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for result in results:
        for field in result.fields:
            if field.stated or field.fault:
                key = (result.language, _plain(field.path))
                total[key] += 1
                right[key] += not field.fault
    return right, total


def reached() -> dict[str, dict[str, float]]:
    """Accuracy by corpus and language, as the baseline file holds it."""
    return {
        path.name: {tongue: round(s.accuracy, 4) for tongue, s in scores(judge(cases_of(path))).items()}
        for path in corpora()
    }


def main(arguments: list[str]) -> None:
    """Prints the report of each corpus, or of random goals; `--baseline` writes the baseline instead."""
    asked = _parser().parse_args(arguments)
    if asked.baseline:
        BASELINE.write_text(json.dumps(reached(), indent=2) + "\n", encoding="utf-8")
    elif asked.spoken is not None:
        print(table("spoken", judge(goals(_SEED, asked.spoken)), verbose=asked.verbose))
    else:
        for path in asked.files or corpora():
            print(table(path.name, judge(cases_of(path)), verbose=asked.verbose))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.understanding", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-v", "--verbose", action="store_true", help="show every goal with a wrong field")
    parser.add_argument("--baseline", action="store_true", help=f"write what every corpus reaches to {BASELINE.name}")
    parser.add_argument("--spoken", type=_count, metavar="N", help="ask N random goals instead of a corpus")
    parser.add_argument("files", nargs="*", type=_corpus, metavar="FILE", help="a corpus; all of evals/corpus if none")
    return parser


def _corpus(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no corpus at {name}; those of the project lie in {_HERE / 'corpus'}")
    return path


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of goals")
    return int(text)


if __name__ == "__main__":
    main(sys.argv[1:])
