"""Fits one pipeline on training rows and scores it on validation rows. Never sees the holdout."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from tools.recipes.card import Input
from tools.recipes.checks import class_names, kind_of, label_numbers
from tools.recipes.encode import matrix
from tools.recipes.families import Params, pipeline
from tools.recipes.faults import BadInput, Fault
from tools.recipes.metrics_of import Classified, Predicted, Rows, value_of
from tools.recipes.parts import Part, endpoint_columns
from tools.recipes.records import Measure, TrainArgs

_CURVE = (0.25, 0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Training and validation rows as numbers, and everything fitting needs to know."""

    args: TrainArgs
    """With classes and positive class filled in."""
    inputs: tuple[Input, ...]
    train: NDArray[Any]
    labels: NDArray[Any]
    """Of the training rows: class positions, or numbers."""
    validation: NDArray[Any]
    truth: NDArray[Any]
    """Of the validation rows."""
    digest: str


def bench(args: TrainArgs, train: Part, validation: Part) -> Bench:
    """The rows of both parts as the endpoint would get them. BadInput when a label is no class of `args`."""
    inputs = inputs_of(train.features, validation.features)
    lowercase = "lowercase" in args.clean
    rows = [matrix(endpoint_columns(p.features, inputs), inputs, lowercase=lowercase) for p in (train, validation)]
    return Bench(
        args=args,
        inputs=inputs,
        train=rows[0],
        labels=targets(train.label, args),
        validation=rows[1],
        truth=targets(validation.label, args),
        digest=train.digest,
    )


def inputs_of(*features: pl.DataFrame) -> tuple[Input, ...]:
    """One input per source column. Whole numbers with gaps are FP64, since INT64 has no missing value."""
    found = []
    for name, dtype in features[0].schema.items():
        kind = kind_of(dtype)
        if kind is None:
            raise BadInput([Fault(place=f"column {name!r}", problem=f"holds {dtype}", fix="prepare the data first")])
        whole = kind == "boolean" or (kind == "integer" and not any(f[name].null_count() for f in features))
        datatype = "INT64" if whole else "FP64" if kind in ("number", "integer") else "BYTES"
        found.append(Input(name=name, datatype=datatype, kind=kind))
    return tuple(found)


def targets(label: pl.Series, args: TrainArgs) -> NDArray[Any]:
    """Positions in `args.classes`, or numbers. BadInput for a label that is neither."""
    if args.task == "regression":
        return label_numbers(label).to_numpy()
    place = {name: i for i, name in enumerate(args.classes)}
    names = class_names(label).to_list()
    if strangers := sorted({str(n) for n in names} - set(place)):
        problem = f"holds {', '.join(repr(s) for s in strangers[:5])}, which is none of the classes"
        raise BadInput([Fault(place=f"label {args.label!r}", problem=problem, fix="prepare and train in one run")])
    return np.array([place[n] for n in names], dtype=np.int64)


def fit(on: Bench, params: Params, rows: NDArray[np.int64] | None = None) -> Pipeline:
    """The family's pipeline, fitted on all training rows or on some of them."""
    args = on.args
    features, labels = (on.train, on.labels) if rows is None else (on.train[rows], on.labels[rows])
    spread = float(np.std(labels)) if args.task == "regression" else 1.0
    made = pipeline(
        args.family, args.task, params, inputs=on.inputs, clean=args.clean, spread=spread or 1.0, seed=args.seed
    )
    with warnings.catch_warnings():
        # Slow convergence of one trial is no fault: validation says what the trial is worth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.fit(features, labels)
    if "n_jobs" in made[-1].get_params():
        # Threads add a forest's trees up in the order they finish, which costs single rows time and everybody the
        # last digit.
        made[-1].set_params(n_jobs=None)
    return made


def outcome(on: Bench, fitted: Pipeline) -> Rows:
    """What the fitted pipeline makes of the validation rows."""
    if on.args.task == "regression":
        return Predicted(labels=on.truth, predicted=fitted.predict(on.validation))
    probability = np.zeros((len(on.truth), len(on.args.classes)))
    probability[:, fitted[-1].classes_] = fitted.predict_proba(on.validation)
    return classified(on, probability)


def constant(on: Bench) -> Rows:
    """What the constant predictor makes of them: the commonest class with the classes' shares, or the mean."""
    rows = len(on.truth)
    if on.args.task == "regression":
        return Predicted(labels=on.truth, predicted=np.full(rows, float(np.mean(on.labels))))
    shares = np.bincount(on.labels, minlength=len(on.args.classes)) / len(on.labels)
    return classified(on, np.tile(shares, (rows, 1)))


def classified(on: Bench, probability: NDArray[np.float64]) -> Classified:
    return Classified(
        labels=on.truth,
        predicted=probability.argmax(axis=1),
        probability=probability,
        classes=on.args.classes,
        positive=on.args.positive,
    )


def curve(on: Bench, params: Params, measure: Measure, whole: float | None) -> tuple[tuple[int, float], ...]:
    """(training rows, value on validation) at a quarter, a half, three quarters and all of the training rows."""
    order = np.random.default_rng(on.args.seed).permutation(len(on.labels))
    points: list[tuple[int, float | None]] = []
    for share in _CURVE:
        rows = np.sort(order[: max(2, round(share * len(order)))])
        if len(np.unique(on.labels[rows])) > 1:
            points.append((len(rows), value_of(measure, outcome(on, fit(on, params, rows)))))
    points.append((len(order), whole))
    return tuple((n, value) for n, value in points if value is not None)
