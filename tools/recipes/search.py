"""Looks for the parameters that measure best on validation, within a number of trials and a time.

Knows parameters and a function that scores them; nothing of data or models.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tools.metrics import Direction
from tools.recipes.families import Choice, Params

Method = Literal["grid", "random", "tpe"]
Score = Callable[[Params], float | None]
Propose = Iterator[tuple[Params, Callable[[float | None], None]]]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of parameters and what it scored; None where the metric was not defined."""

    params: Params
    value: float | None


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
) -> list[Trial]:
    """All trials in order, the defaults first. `told` gets the number of trials, the last and the best."""
    ended = time.monotonic() + limits.seconds
    trials: list[Trial] = []
    for params, learn in itertools.islice(_proposals(space, method, better, seed), limits.trials):
        trials.append(Trial(params=params, value=score(params)))
        learn(trials[-1].value)
        told(len(trials), trials[-1], best(trials, better))
        if time.monotonic() >= ended:
            break
    return trials


def best(trials: list[Trial], better: Direction) -> Trial:
    """The best trial, the earliest of equals: the defaults win a tie."""
    sign = 1.0 if better == "max" else -1.0
    return max(trials, key=lambda t: -math.inf if t.value is None else sign * t.value)


def history(trials: list[Trial], better: Direction) -> tuple[float, ...]:
    """The best value after each trial, from the first that has one."""
    values = [best(trials[: i + 1], better).value for i in range(len(trials))]
    return tuple(v for v in values if v is not None)


def _proposals(space: Mapping[str, Choice], method: Method, better: Direction, seed: int) -> Propose:
    if method == "grid" or not space:
        return _grid(space, seed)
    return _sampled(space, TPESampler(seed=seed) if method == "tpe" else RandomSampler(seed=seed), better)


def _grid(space: Mapping[str, Choice], seed: int) -> Propose:
    """Every combination once; after the defaults in a seeded order, so that a search cut short is spread out."""
    first, *rest = itertools.product(*(choice.grid for choice in space.values()))
    order = np.random.default_rng(seed).permutation(len(rest))
    for point in (first, *(rest[i] for i in order)):
        yield dict(zip(space, point, strict=True)), lambda _: None


def _sampled(space: Mapping[str, Choice], sampler: BaseSampler, better: Direction) -> Propose:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, direction="maximize" if better == "max" else "minimize")
    study.enqueue_trial({name: choice.grid[0] for name, choice in space.items()})
    distributions = {name: _distribution(choice) for name, choice in space.items()}
    while True:
        trial = study.ask(distributions)
        yield dict(trial.params), lambda value, trial=trial: _learn(study, trial, value)  # type: ignore[misc]


def _learn(study: optuna.Study, trial: optuna.Trial, value: float | None) -> None:
    if value is None:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, value)


def _distribution(choice: Choice) -> BaseDistribution:
    if choice.scale == "list":
        return CategoricalDistribution(choice.grid)
    if choice.scale == "integer":
        return IntDistribution(int(choice.low), int(choice.high))
    return FloatDistribution(choice.low, choice.high, log=choice.scale == "log")
