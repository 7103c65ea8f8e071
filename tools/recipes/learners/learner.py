"""How a task is learnt: the one shape that the search knows. One file for each kind of task beside this one.

A learner holds the training and the validation part as arrays; it never sees the holdout. What it fits is an
estimator that skops can write with the allow-list in `artefact`, and that `model.Model` can ask with raw columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from tools.recipes.answers.answer import Answer
from tools.recipes.card import Answers, Card
from tools.recipes.models.families import Choice, Params
from tools.recipes.models.model import Model
from tools.recipes.parts import Holdout, Part
from tools.recipes.records import EvaluateArgs, TrainArgs


class Learner(Protocol):
    """Training and validation rows of one task, ready to be fitted."""

    args: TrainArgs
    """With classes and positive class filled in."""
    digest: str
    """sha256 of the training part."""
    rows: int
    """Training rows, as the learning curve counts them."""
    cells: int
    """Training rows times columns: how much work a fit is."""

    def space(self) -> Mapping[str, Choice]:
        """The parameters of the family that are searched. BadInput when the family does not fit the task."""
        ...

    def fit(self, params: Params, share: float = 1.0) -> Any:
        """The family fitted on a share of the training units, always the same ones for the same share."""
        ...

    def outcome(self, fitted: Any) -> Answer:
        """What it answers on the validation part."""
        ...

    def baseline(self) -> Answer:
        """What the predictor that every model must beat answers there: the constant, the most popular items,
        the seasonal naive forecast."""
        ...

    def card(self, params: Params) -> Card:
        """`model.json` of a model with these parameters."""
        ...


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The parts that an evaluation sees."""

    train: Part
    validation: Part
    holdout: Holdout


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was asked about the holdout, as the endpoint would answer: one prediction a row."""

    prediction: list[str] | list[float]
    probability: list[list[float]] | None = None
    model: Model | None = None
    """For tasks that must ask more than once (rolling origins); None for a user's `predict` command."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One kind of task: how it is learnt, and how what a model told is judged."""

    answers: Answers
    """What a model of this task says of a row, as in its card."""
    learner: Callable[[TrainArgs, Part, Part], Learner]
    """From the arguments, the training and the validation part."""
    answer: Callable[[EvaluateArgs, Told, Opened], Answer]
    """Of a model, on the holdout."""
    baseline: Callable[[EvaluateArgs, Opened], Answer]
    """Of the predictor that every model must beat, on the holdout, fitted on the training part."""
    shown: Callable[[EvaluateArgs, pl.DataFrame], pl.DataFrame] = lambda args, features: features
    """Of the holdout's features, what a user's `predict` command may see: nothing that is the answer."""
    tripwires: Callable[[EvaluateArgs, Opened], Sequence[str]] = lambda args, opened: ()
    """What is suspicious about these parts: rows on both sides of the split, a feature that is the label."""
