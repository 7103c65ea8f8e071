"""Looks for the parameters that measure best on validation, within a number of trials and a time.

A trial may go through growing shares of the training rows and ends early when it does worse there than half of those
before it. Knows parameters and a function that scores them; nothing of data or models.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState

from tools.metrics import Direction
from tools.recipes.models.families import Choice, Params

Method = Literal["grid", "random", "tpe"]
Score = Callable[[Params, float], float | None]
"""The value of these parameters, fitted on that share of the training rows."""

WHOLE = (1.0,)
_UNPRUNED = 4
"""Trials that run to their end, so that there is a median to be worse than."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of parameters and what it scored; None where the metric was not defined."""

    params: Params
    value: float | None
    pruned: bool = False
    """Ended on a share of the training rows, without a value."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a search ends: it makes at least one trial, and starts none after `seconds`."""

    trials: int
    seconds: float


def search(
    space: Mapping[str, Choice],
    score: Score,
    *,
    method: Method,
    better: Direction,
    limits: Limits,
    seed: int,
    told: Callable[[int, Trial, Trial], None],
    shares: Sequence[float] = WHOLE,
) -> list[Trial]:
    """All trials in order, the defaults first. `told` gets the number of trials, the last and the best."""
    ended = time.monotonic() + limits.seconds
    study = _study(method, better, seed)
    trials: list[Trial] = []
    for asked in itertools.islice(_asked(study, space, method, seed), limits.trials):
        trials.append(_tried(study, asked, score, shares))
        told(len(trials), trials[-1], best(trials, better))
        if time.monotonic() >= ended:
            break
    return trials


def best(trials: list[Trial], better: Direction) -> Trial:
    """The best trial, the earliest of equals: the defaults win a tie."""
    sign = 1.0 if better == "max" else -1.0
    return max(trials, key=lambda t: -math.inf if t.value is None else sign * t.value)


def history(trials: list[Trial], better: Direction) -> tuple[float, ...]:
    """The best value after each trial, from the first that has one; a pruned trial repeats the value before it."""
    values = [best(trials[: i + 1], better).value for i in range(len(trials))]
    return tuple(v for v in values if v is not None)


def _study(method: Method, better: Direction, seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        sampler=TPESampler(seed=seed) if method == "tpe" else RandomSampler(seed=seed),
        pruner=MedianPruner(n_startup_trials=_UNPRUNED),
        direction="maximize" if better == "max" else "minimize",
    )


def _asked(study: optuna.Study, space: Mapping[str, Choice], method: Method, seed: int) -> Iterator[optuna.Trial]:
    """The trials to make: the points of the grid, each once, or without end what the sampler proposes."""
    distributions = {name: _distribution(choice) for name, choice in space.items()}
    points = _grid(space, seed) if method == "grid" or not space else iter([_defaults(space)])
    for point in points:
        study.enqueue_trial(dict(point))
        yield study.ask(distributions)
    while space and method != "grid":
        yield study.ask(distributions)


def _tried(study: optuna.Study, trial: optuna.Trial, score: Score, shares: Sequence[float]) -> Trial:
    params, value = dict(trial.params), None
    for step, share in enumerate(shares):
        value = score(params, share)
        if value is None or step == len(shares) - 1:
            continue
        trial.report(value, step)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return Trial(params=params, value=None, pruned=True)
    if value is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, value)
    return Trial(params=params, value=value)


def _defaults(space: Mapping[str, Choice]) -> Params:
    return {name: choice.grid[0] for name, choice in space.items()}


def _grid(space: Mapping[str, Choice], seed: int) -> Iterator[Params]:
    """Every combination once; after the defaults in a seeded order, so that a search cut short is spread out."""
    first, *rest = itertools.product(*(choice.grid for choice in space.values()))
    order = np.random.default_rng(seed).permutation(len(rest))
    for point in (first, *(rest[i] for i in order)):
        yield dict(zip(space, point, strict=True))


def _distribution(choice: Choice) -> BaseDistribution:
    if choice.scale == "list":
        return CategoricalDistribution(choice.grid)
    if choice.scale == "integer":
        return IntDistribution(int(choice.low), int(choice.high))
    return FloatDistribution(choice.low, choice.high, log=choice.scale == "log")
