"""How often a goal that cannot be reached is called MET: balanced sets with random labels against a threshold.

The rate must be what chance gives. More would mean that something of the holdout reaches the model.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.data import generate
from tools.recipes.records import Family, Inputs
from tools.record import Json, Record

THRESHOLD = 0.6
ROWS = 500
TRIALS = 3
WHOLE = 5
"""Sets that the agent runs end to end; the others go through the same programs in this process."""
FAMILIES: tuple[Family, ...] = ("logistic_regression", "gradient_boosting", "random_forest")
_OUTSIDE = 0.01


class Result(Record):
    """What came out, beside what chance gives."""

    sets: int
    met: int
    expected: float
    """Sum over the sets of P(Bin(n, 1/2) >= threshold * n), n the rows of the set's holdout."""
    low: int
    high: int
    """The range that holds 99 % of what chance gives."""

    @property
    def fair(self) -> bool:
        return self.met <= self.high


def run(sets: int = 200, seed: int = 0, *, threshold: float = THRESHOLD, rows: int = ROWS) -> Result:
    """Prepare, train and evaluate every set; how many accuracies on the holdout reach the threshold."""
    met, chances = 0, []
    for number in range(sets):
        own = seed * 1_000_003 + number
        if number < WHOLE:
            reached, n = whole(own, rows=rows, threshold=threshold)
        else:
            accuracy, n = judge(own, rows=rows, family=FAMILIES[number % len(FAMILIES)])
            reached = accuracy >= threshold
        met += reached
        chances.append(chance(n, threshold))
        sys.stderr.write(f"\r{number + 1}/{sets} sets, {met} met, {sum(chances):.1f} expected ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    low, high = span(chances)
    return Result(sets=sets, met=met, expected=sum(chances), low=low, high=high)


def whole(seed: int, *, rows: int, threshold: float) -> tuple[bool, int]:
    """(MET, rows of the holdout) of one set as a goal in words, by the agent itself on this machine."""
    from agent.prospect import Request
    from agent.session import Session
    from agent.settings import load

    with tempfile.TemporaryDirectory() as place:
        generate.write(generate.noise(rows, seed), Path(place) / "noise.csv")
        settings = load({"home": place + "/home"}, {"GOALKEEPER_RUNTIME_DIR": place + "/runtime"}, Path(place))
        text = f"Train a classifier on noise.csv, the label is `label`, accuracy at least {threshold}"
        with Session.open(settings) as session:
            document = session.drive(session.start(Request(text=text, source="bench:random-labels", folder=place)))
            prepared = next(e for e in session.events(document.run.id) if _prepared(e.body))
    verdict = next(c.verdict for c in document.run.clauses if c.metric == "accuracy")
    if verdict == "UNPROVEN":
        raise ValueError(f"the run judged nothing: {document.run.reason}")
    return verdict == "MET", int(_prepared(prepared.body))


def _prepared(body: Mapping[str, object]) -> int:
    """Rows of the holdout, when a journal line is the outcome of the preparation; else 0."""
    result = body.get("result")
    return int(result.get("holdout_rows", 0)) if isinstance(result, dict) else 0


def judge(seed: int, *, rows: int, family: Family) -> tuple[float, int]:
    """(accuracy on the holdout, its rows) of one set, by the programs that jobs run."""
    from nacl.public import PrivateKey

    from tools.recipes import evaluate, prepare, train
    from tools.recipes.program import quiet

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        key = PrivateKey.generate()
        (folder / "public").write_bytes(bytes(key.public_key))
        (folder / "private").write_bytes(bytes(key))
        source = generate.write(generate.noise(rows, seed), folder / "noise.csv")
        common: Json = {"task": "classification", "label": "label", "seed": seed}
        table = {"name": "noise.csv", "source": str(source), "format": "csv"}
        prepared = prepare.work(_inputs(folder, "data", common | {"tables": [table]}, public="public"), quiet)
        fit = common | {"family": family, "metric": "accuracy", "trials": TRIALS, "seconds": 60.0}
        train.work(_inputs(folder, "trained", fit, mounts=("data",)), quiet)
        asked = common | {"classes": prepared.classes, "measures": [{"metric": "accuracy"}], "resamples": 100}
        result = evaluate.work(_inputs(folder, "judged", asked, mounts=("data", "trained"), private="private"), quiet)
        accuracy: float | None = result.measured[0].value
        if accuracy is None:
            raise ValueError("accuracy has no value on this holdout")
        return accuracy, result.rows


def chance(n: int, threshold: float) -> float:
    """P(Bin(n, 1/2) / n >= threshold), exactly."""
    return sum(math.comb(n, k) for k in range(n + 1) if k / n >= threshold) / (1 << n)


def span(chances: Sequence[float]) -> tuple[int, int]:
    """The 99 % range of the number of successes of independent trials with these chances."""
    mass = [1.0]
    for p in chances:
        mass = [a * (1 - p) + b * p for a, b in zip([*mass, 0.0], [0.0, *mass], strict=True)]
    below, low = 0.0, 0
    while below + mass[low] <= _OUTSIDE / 2:
        below, low = below + mass[low], low + 1
    above, high = 0.0, len(mass) - 1
    while above + mass[high] <= _OUTSIDE / 2:
        above, high = above + mass[high], high - 1
    return low, high


def main(argv: Sequence[str]) -> int:
    """Print the count beside chance; 1 when it is above the range chance gives."""
    parser = argparse.ArgumentParser(prog="random-labels", description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(argv)
    result = run(asked.sets, asked.seed)
    sys.stdout.write(
        f"{result.met} of {result.sets} sets MET at accuracy >= {THRESHOLD}; chance gives {result.expected:.2f}, "
        f"99 % range {result.low} to {result.high}: {'as chance has it' if result.fair else 'ABOVE CHANCE'}\n"
    )
    return 0 if result.fair else 1


def _inputs(folder: Path, name: str, args: Json, *, mounts: Sequence[str] = (), **secrets: str) -> Inputs:
    """`data` is the prepare job's folder, `model` the train job's."""
    (folder / name).mkdir()
    known = {"data": "data", "trained": "model"}
    return Inputs(
        args=args,
        mounts={known[m]: str(folder / m) for m in mounts},
        secrets={f"holdout.{key}": str(folder / file) for key, file in secrets.items()},
        out=str(folder / name),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
