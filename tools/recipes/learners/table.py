"""Classification and regression of rows of columns: numbers as they are, text one-hot by its values."""

from __future__ import annotations

import polars as pl

from tools.language import tr
from tools.recipes.card import Input
from tools.recipes.data.checks import kind_of
from tools.recipes.faults import BadInput, Fault, refuse
from tools.recipes.learners import supervised
from tools.recipes.learners.learner import Learner, Recipe
from tools.recipes.models.encode import RawColumns
from tools.recipes.parts import Part
from tools.recipes.records import TrainArgs


def learner(args: TrainArgs, train: Part, validation: Part) -> Learner:
    """The rows of both parts as the endpoint would get them."""
    inputs = inputs_of(train.features, validation.features)
    fix = tr("ask for image classification, or name it in drop_columns")
    refuse(
        [
            Fault(place=tr("column {name!r}", name=i.name), problem=tr("holds pictures"), fix=fix)
            for i in inputs
            if i.kind == "image"
        ]
    )
    return supervised.Supervised(args, train, validation, inputs=inputs, front=front(args, inputs))


def front(args: TrainArgs, inputs: tuple[Input, ...]) -> RawColumns:
    text = [i for i, item in enumerate(inputs) if item.kind == "category"]
    return RawColumns(text=text, clip="clip_outliers" in args.clean)


def inputs_of(*features: pl.DataFrame) -> tuple[Input, ...]:
    """One input per source column. Whole numbers with gaps are FP64, since INT64 has no missing value."""
    found = []
    for name, dtype in features[0].schema.items():
        kind = kind_of(dtype)
        if kind is None:
            raise BadInput(
                [
                    Fault(
                        place=tr("column {name!r}", name=name),
                        problem=tr("holds {dtype}", dtype=dtype),
                        fix=tr("prepare the data first"),
                    )
                ]
            )
        whole = kind == "boolean" or (kind == "integer" and not any(f[name].null_count() for f in features))
        datatype = "INT64" if whole else "FP64" if kind in ("number", "integer") else "BYTES"
        found.append(Input(name=name, datatype=datatype, kind=kind))
    return tuple(found)


CLASSES = Recipe(
    answers="class",
    learner=learner,
    answer=supervised.answer,
    baseline=supervised.baseline,
    tripwires=supervised.tripwires,
)
NUMBERS = Recipe(
    answers="number",
    learner=learner,
    answer=supervised.answer,
    baseline=supervised.baseline,
    tripwires=supervised.tripwires,
)
