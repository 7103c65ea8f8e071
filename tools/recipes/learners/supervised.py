"""Learning from features and a label: what tables, texts and pictures have in common.

A front makes numbers of raw columns; it is fitted once, on training rows, and is the first step of every model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tools.language import tr
from tools.recipes.answers.answer import Answer
from tools.recipes.answers.classes import Classified
from tools.recipes.answers.numbers import Predicted
from tools.recipes.card import Answers, Card, Input
from tools.recipes.data import leaks, profile
from tools.recipes.data.checks import class_names, label_numbers
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.models import estimators, families
from tools.recipes.models.encode import matrix
from tools.recipes.models.families import Choice, Params, Size
from tools.recipes.parts import Part, endpoint_columns
from tools.recipes.records import EvaluateArgs, TrainArgs

_KEPT = 2
"""Rows of every class that come first in any share of the training rows."""


class Front(Protocol):
    """The first step of a pipeline, as scikit-learn calls it."""

    def fit(self, X: NDArray[Any]) -> Any: ...  # noqa: N803 - scikit-learn's name
    def transform(self, X: NDArray[Any]) -> Any: ...  # noqa: N803 - scikit-learn's name


class Supervised:
    """Training and validation rows as numbers, and everything that fitting needs to know. A `Learner`."""

    def __init__(
        self, args: TrainArgs, train: Part, validation: Part, *, inputs: Sequence[Input], front: Front
    ) -> None:
        """BadInput when a label is no class of `args`."""
        self.args = _completed(args, train.label, validation.label)
        self.digest = train.digest
        self._inputs = tuple(inputs)
        self._lowercase = "lowercase" in args.clean
        self._labels = targets(train.label, self.args)
        self._truth = targets(validation.label, self.args)
        raw = self._matrix(train)
        self._front = front.fit(raw)
        self._train = self._front.transform(raw)
        self._validation = self._front.transform(self._matrix(validation))
        self.rows = len(self._labels)
        self.cells = self.rows * self._train.shape[1]
        self._order = _order(self._labels, kept=0 if self._regression else _KEPT, seed=args.seed)
        self._least = _KEPT * (1 if self._regression else len(np.unique(self._labels)))

    def space(self) -> dict[str, Choice]:
        return families.space(self.args.family, self.args.task, size=self._size(self._labels))

    def fit(self, params: Params, share: float = 1.0) -> Pipeline:
        features, labels = self._train, self._labels
        if share < 1.0:
            rows = np.sort(self._order[: max(self._least, round(share * self.rows))])
            features, labels = features[rows], labels[rows]
        args = self.args
        made = families.pipeline(
            args.family, args.task, params, front=self._front, size=self._size(labels), seed=args.seed
        )
        with warnings.catch_warnings():
            # Slow convergence, or many classes on few rows, is no fault: validation says what a trial is worth.
            warnings.simplefilter("ignore", UserWarning)
            made[1:].fit(features, labels)
        estimators.settled(made[-1])
        return made

    def outcome(self, fitted: Pipeline) -> Answer:
        if self._regression:
            return Predicted(labels=self._truth, predicted=fitted[1:].predict(self._validation))
        probability = np.zeros((len(self._truth), len(self.args.classes)))
        probability[:, fitted[-1].classes_] = fitted[1:].predict_proba(self._validation)
        return _classified(self._truth, probability, self.args)

    def baseline(self) -> Answer:
        return constant(self._labels, self._truth, self.args)

    def card(self, params: Params) -> Card:
        args = self.args
        return Card(
            task=args.task,
            label=args.label,
            roles=args.roles,
            answers=answers_of(args.task),
            inputs=self._inputs,
            classes=args.classes,
            positive=args.positive,
            family=args.family,
            params=dict(params),
            lowercase=self._lowercase,
            data_digest=self.digest,
            versions={name: version(name) for name in ("scikit-learn", "skops", "numpy")},
        )

    @property
    def _regression(self) -> bool:
        return self.args.task == "regression"

    def _matrix(self, part: Part) -> NDArray[Any]:
        return matrix(endpoint_columns(part.features, self._inputs), self._inputs, lowercase=self._lowercase)

    def _size(self, labels: NDArray[Any]) -> Size:
        sparse = not isinstance(self._train, np.ndarray)
        even = any(i.kind == "image" for i in self._inputs)
        if self._regression:
            return Size(rows=len(labels), spread=float(np.std(labels)) or 1.0, sparse=sparse, even=even)
        members = np.unique(labels, return_counts=True)[1]
        return Size(rows=len(labels), fewest=int(members.min()), sparse=sparse, even=even)


def answers_of(task: str) -> Answers:
    return "number" if task == "regression" else "class"


def targets(label: pl.Series, args: TrainArgs | EvaluateArgs) -> NDArray[Any]:
    """Positions in `args.classes`, or numbers. BadInput for a label that is neither."""
    if args.task == "regression":
        return label_numbers(label).to_numpy()
    place = {name: i for i, name in enumerate(args.classes)}
    names = class_names(label).to_list()
    if strangers := sorted({str(n) for n in names} - set(place)):
        problem = tr("holds {names}, which is none of the classes", names=", ".join(repr(s) for s in strangers[:5]))
        raise BadInput(
            [
                Fault(
                    place=tr("label {label!r}", label=args.label),
                    problem=problem,
                    fix=tr("name the classes of the data"),
                )
            ]
        )
    return np.array([place[n] for n in names], dtype=np.int64)


def constant(labels: NDArray[Any], truth: NDArray[Any], args: TrainArgs | EvaluateArgs) -> Answer:
    """What the constant predictor makes of `truth`: the commonest class with the classes' shares, or the mean."""
    if args.task == "regression":
        return Predicted(labels=truth, predicted=np.full(len(truth), float(np.mean(labels))))
    shares = np.bincount(labels, minlength=len(args.classes)) / len(labels)
    return _classified(truth, np.tile(shares, (len(truth), 1)), args)


def answer(args: EvaluateArgs, told: Told, opened: Opened) -> Answer:
    """The answers of a model on the holdout. A prediction that is no class counts as wrong."""
    truth = targets(opened.holdout.label, args)
    if args.task == "regression":
        return Predicted(labels=truth, predicted=np.array(told.prediction, dtype=np.float64))
    place = {name: i for i, name in enumerate(args.classes)}
    return Classified(
        labels=truth,
        predicted=np.array([place.get(str(p), len(place)) for p in told.prediction], dtype=np.int64),
        probability=None if told.probability is None else np.array(told.probability),
        classes=args.classes,
        positive=args.positive,
    )


def baseline(args: EvaluateArgs, opened: Opened) -> Answer:
    """The constant predictor of the training part, on the holdout."""
    return constant(targets(opened.train.label, args), targets(opened.holdout.label, args), args)


def tripwires(args: EvaluateArgs, opened: Opened) -> Sequence[str]:
    """Copies across the split, and features that are the label."""
    found = []
    train, holdout = opened.train, opened.holdout
    if shared := shared_rows(train.features, holdout.features):
        found.append(leaks.copies(shared, holdout.features.height))
    for name in profile.leaks(train.features, train.label, args.task, judged_on=holdout.features):
        found.append(tr("column {name!r} gives the label away by itself: suspected leakage", name=name))
    return found


def shared_rows(train: pl.DataFrame, holdout: pl.DataFrame) -> int:
    """Holdout rows whose features are exactly those of a training row; missing values equal missing values."""
    return holdout.join(train, on=holdout.columns, how="semi", nulls_equal=True).height


def _classified(truth: NDArray[Any], probability: NDArray[np.float64], args: TrainArgs | EvaluateArgs) -> Classified:
    return Classified(
        labels=truth,
        predicted=probability.argmax(axis=1),
        probability=probability,
        classes=args.classes,
        positive=args.positive,
    )


def _completed(args: TrainArgs, *labels: pl.Series) -> TrainArgs:
    """The arguments with classes and positive class taken from the data where they were left out."""
    if args.task == "regression":
        return args
    classes, positive = profile.completed(args.classes, args.positive, labels)
    return args.model_copy(update={"classes": classes, "positive": positive})


def _order(labels: NDArray[Any], *, kept: int, seed: int) -> NDArray[np.int64]:
    """The order in which rows enter a share: by chance, but first `kept` rows of every class."""
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(labels))
    if not kept:
        return order
    shuffled = labels[order]
    first = np.sort(np.concatenate([np.flatnonzero(shuffled == c)[:kept] for c in np.unique(shuffled)]))
    return np.concatenate([order[first], np.delete(order, first)])
