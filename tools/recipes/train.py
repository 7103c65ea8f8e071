"""Trains one family: searches its parameters on validation, keeps the best model, says how it got there.

Run as `python -I -m tools.recipes.train FOLDER`. Opens the training and the validation part and no other file.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

import polars as pl
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from tools.metrics import METRICS
from tools.recipes import families, learn, model, parts, profile, search
from tools.recipes.card import Card
from tools.recipes.faults import refuse
from tools.recipes.intervals import measured
from tools.recipes.metrics_of import faults_of, value_of
from tools.recipes.program import Say, mount, run
from tools.recipes.records import Inputs, Measure, TrainArgs, TrainResult

_MANY_CELLS = 500_000
"""Training cells from which a second thread is worth its overhead."""
_RESAMPLES = 1000
_CURVE_FITS = 1.5
"""Fits of all rows that the learning curve costs; it may take a quarter more of the time limit."""


class Search:
    """The trials of one family on one bench; remembers the best model so that it need not be fitted again."""

    def __init__(self, on: learn.Bench, objective: Measure, say: Say) -> None:
        self._on = on
        self._say = say
        self._objective = objective
        self._better = METRICS[objective.metric].better
        self._fitted: dict[int, Pipeline] = {}
        self.slowest = 0.0
        """Seconds of the slowest fit."""

    def run(self) -> tuple[list[search.Trial], search.Trial, Pipeline]:
        """All trials, the best of them, and its model."""
        args = self._on.args
        trials = search.search(
            families.space(args.family, args.task),
            self._score,
            method=args.method,
            better=self._better,
            limits=search.Limits(trials=args.trials, seconds=args.seconds),
            seed=args.seed,
            told=self._told,
        )
        best = search.best(trials, self._better)
        return trials, best, self._fitted[id(best.params)]

    def _score(self, params: families.Params) -> float | None:
        began = time.monotonic()
        fitted = learn.fit(self._on, params)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self._fitted[id(params)] = fitted
        return value_of(self._objective, learn.outcome(self._on, fitted))

    def _told(self, done: int, last: search.Trial, best: search.Trial) -> None:
        self._fitted = {id(best.params): self._fitted[id(best.params)]}
        values = {"last": last.value, "best": best.value}
        known = {name: value for name, value in values.items() if value is not None}
        self._say(f"trial {done} of {self._on.args.trials}", 0.9 * done / self._on.args.trials, **known)


def work(inputs: Inputs, say: Say) -> TrainResult:
    """Write the model into `inputs.out`/model. BadInput when family, metric and data do not fit together."""
    began = time.monotonic()
    args = TrainArgs.model_validate(inputs.args)
    folder = mount(inputs, "data")
    train, validation = (parts.read_part(folder / name, args.label) for name in (parts.TRAIN, parts.VALIDATION))
    args = _completed(args, train.label, validation.label)
    objective = Measure(metric=args.metric, of=args.metric_class)
    refuse(faults_of((objective, *args.measures), args.task, args.classes))
    on = learn.bench(args, train, validation)
    with threadpool_limits(limits=2 if on.train.size >= _MANY_CELLS else 1):
        return _train(on, objective, Path(inputs.out) / "model", say, began)


def _completed(args: TrainArgs, *labels: pl.Series) -> TrainArgs:
    """The arguments with classes and positive class taken from the data where they were left out."""
    if args.task == "regression":
        return args
    classes, positive = profile.completed(args.classes, args.positive, labels)
    return args.model_copy(update={"classes": classes, "positive": positive})


def _train(on: learn.Bench, objective: Measure, folder: Path, say: Say, began: float) -> TrainResult:
    args = on.args
    searching = Search(on, objective, say)
    trials, best, fitted = searching.run()
    say("measuring on validation", 0.92)
    wanted = tuple(dict.fromkeys((*args.measures, objective)))
    values = measured(wanted, learn.outcome(on, fitted), resamples=_RESAMPLES, seed=args.seed)
    left = max(args.seconds - (time.monotonic() - began), 0.25 * args.seconds)
    curve = learn.curve(on, best.params, objective, best.value) if searching.slowest * _CURVE_FITS <= left else ()
    saved = model.save(fitted, _card(on, best), folder)
    return TrainResult(
        family=args.family,
        params=dict(best.params),
        trials=len(trials),
        value=best.value,
        baseline=value_of(objective, learn.constant(on)),
        validation=values,
        history=search.history(trials, METRICS[objective.metric].better),
        curve=curve,
        digest=saved.digest,
        data_digest=on.digest,
        seconds=time.monotonic() - began,
    )


def _card(on: learn.Bench, best: search.Trial) -> Card:
    args = on.args
    return Card(
        task=args.task,
        label=args.label,
        inputs=on.inputs,
        classes=args.classes,
        positive=args.positive,
        family=args.family,
        params=dict(best.params),
        lowercase="lowercase" in args.clean,
        data_digest=on.digest,
        versions={name: version(name) for name in ("scikit-learn", "skops", "numpy")},
    )


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())
