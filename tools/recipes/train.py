"""Trains one family: searches its parameters on validation, keeps the best model, says how it got there.

Run as `python -I -m tools.recipes.train FOLDER`. Opens the training and the validation part and no other file.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tools.language import tr
from tools.metrics import METRICS
from tools.recipes import drift_reference, parts
from tools.recipes.answers.intervals import measured
from tools.recipes.answers.measures import faults_of
from tools.recipes.faults import refuse
from tools.recipes.learners.learner import Learner
from tools.recipes.learners.recipes import recipe
from tools.recipes.models import families, model, search
from tools.recipes.program import Say, mount, run
from tools.recipes.records import Family, Inputs, Measure, TrainArgs, TrainResult

_MANY_CELLS = 500_000
"""Training cells from which a second thread is worth its overhead."""
_COSTLY_CELLS = 2_000_000
"""Training cells from which a trial first has to prove itself on fewer rows."""
_SLOW: tuple[Family, ...] = ("gradient_boosting", "mlp", "random_forest", "svm")
_SLOWER = 20
"""How many times longer these families take for a cell."""
_SHARES = (0.1, 0.3, 1.0)
_RESAMPLES = 1000
_CURVE = (0.25, 0.5, 0.75)
_CURVE_FITS = 1.5
"""Fits of all rows that the learning curve costs; it may take a quarter more of the time limit."""


class Search:
    """The trials of one family; remembers the best model so that it need not be fitted again."""

    def __init__(self, on: Learner, objective: Measure, say: Say) -> None:
        self._on = on
        self._say = say
        self._objective = objective
        self._better = METRICS[objective.metric].better
        self._last: Any = None
        self.fitted: Any = None
        """The model of the best trial."""
        self.slowest = 0.0
        """Seconds of the slowest fit."""

    def run(self) -> list[search.Trial]:
        """All trials."""
        args = self._on.args
        return search.search(
            self._on.space(),
            self._score,
            method=args.method,
            better=self._better,
            limits=search.Limits(trials=args.trials, seconds=args.seconds),
            seed=args.seed,
            told=self._told,
            shares=_SHARES if costly(self._on) else search.WHOLE,
        )

    def _score(self, params: families.Params, share: float) -> float | None:
        began = time.monotonic()
        self._last = self._on.fit(params, share)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return self._on.outcome(self._last).value(self._objective)

    def _told(self, done: int, last: search.Trial, best: search.Trial) -> None:
        if best is last:
            self.fitted = self._last
        values = {"last": last.value, "best": best.value}
        known = {name: value for name, value in values.items() if value is not None}
        trials = self._on.args.trials
        message = tr(
            "trial {done} of {trials} pruned" if last.pruned else "trial {done} of {trials}", done=done, trials=trials
        )
        self._say(message, 0.9 * done / self._on.args.trials, **known)


def costly(on: Learner) -> bool:
    """Whether a fit takes so long that trials are pruned. Decided by size alone: the same data, the same search."""
    return on.cells * (_SLOWER if on.args.family in _SLOW else 1) >= _COSTLY_CELLS


def work(inputs: Inputs, say: Say) -> TrainResult:
    """Write the model into `inputs.out`/model. BadInput when family, metric and data do not fit together."""
    began = time.monotonic()
    args = TrainArgs.model_validate(inputs.args)
    folder = mount(inputs, "data")
    train, validation = (parts.read_part(folder / name, args.label) for name in (parts.TRAIN, parts.VALIDATION))
    on = recipe(args.task, args.family).learner(args, train, validation)
    objective = Measure(metric=args.metric, of=args.metric_class)
    refuse(faults_of((objective, *args.measures), args.task, on.args.classes))
    with threadpool_limits(limits=2 if on.cells >= _MANY_CELLS else 1):
        return _train(on, objective, (train, validation), Path(inputs.out) / "model", say, began)


def _train(
    on: Learner, objective: Measure, watched: tuple[parts.Part, parts.Part], folder: Path, say: Say, began: float
) -> TrainResult:
    args, better = on.args, METRICS[objective.metric].better
    searching = Search(on, objective, say)
    trials = searching.run()
    best = search.best(trials, better)
    say(tr("measuring on validation"), 0.92)
    wanted = tuple(dict.fromkeys((*args.measures, objective)))
    values = measured(wanted, on.outcome(searching.fitted), resamples=_RESAMPLES, seed=args.seed)
    left = max(args.seconds - (time.monotonic() - began), 0.25 * args.seconds)
    card = on.card(best.params)
    drift_reference.write(card, searching.fitted, *watched, folder)
    saved = model.save(searching.fitted, card, folder)
    return TrainResult(
        family=args.family,
        params=dict(best.params),
        trials=len(trials),
        pruned=sum(t.pruned for t in trials),
        value=best.value,
        baseline=on.baseline().value(objective),
        validation=values,
        history=search.history(trials, better),
        curve=curve(on, best, objective) if searching.slowest * _CURVE_FITS <= left else (),
        digest=saved.digest,
        data_digest=on.digest,
        seconds=time.monotonic() - began,
    )


def curve(on: Learner, best: search.Trial, measure: Measure) -> tuple[tuple[int, float], ...]:
    """(training rows, value on validation) at a quarter, a half, three quarters and all of the training rows, from
    where there are two of every class."""
    shares = [s for s in _CURVE if round(s * on.rows) >= 2 * max(1, len(on.args.classes))]
    points = [(round(s * on.rows), on.outcome(on.fit(best.params, s)).value(measure)) for s in shares]
    points.append((on.rows, best.value))
    return tuple((n, value) for n, value in points if value is not None)


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())
