"""Classification of texts: one or more columns of free text, with whatever stands beside them."""

from __future__ import annotations

import polars as pl

from tools.language import tr
from tools.recipes.card import Input
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners import supervised, table
from tools.recipes.learners.learner import Learner, Recipe
from tools.recipes.models.texts import Texts
from tools.recipes.parts import Part
from tools.recipes.records import TrainArgs

_LONG = 20
"""Mean number of characters from which a column of text is read rather than looked up."""
_VARIED = 0.5
"""Share of different values among the rows from which it is read as well."""


def learner(args: TrainArgs, train: Part, validation: Part) -> Learner:
    """The rows of both parts as the endpoint would get them. BadInput when no column holds text."""
    inputs = inputs_of(train.features, validation.features)
    category = [i for i, item in enumerate(inputs) if item.kind == "category"]
    texts = [i for i, item in enumerate(inputs) if item.kind == "text"]
    front = Texts(texts=texts, category=category, clip="clip_outliers" in args.clean)
    return supervised.Supervised(args, train, validation, inputs=inputs, front=front)


def inputs_of(*features: pl.DataFrame) -> tuple[Input, ...]:
    """As for a table, with text columns told from categories by the training rows. At least the longest is text."""
    inputs = table.inputs_of(*features)
    lengths = {i.name: _length(features[0][i.name]) for i in inputs if i.kind == "category"}
    if not lengths:
        fix = tr("name the column of texts, or ask for classification")
        raise BadInput([Fault(place="columns", problem=tr("there is no column of text among the features"), fix=fix)])
    longest = max(lengths, key=lambda name: lengths[name])
    free = {name for name in lengths if name == longest or _is_free(features[0][name], lengths[name])}
    return tuple(i.model_copy(update={"kind": "text"}) if i.name in free else i for i in inputs)


def _length(column: pl.Series) -> float:
    mean = column.drop_nulls().str.len_chars().mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def _is_free(column: pl.Series, length: float) -> bool:
    known = column.drop_nulls()
    return length >= _LONG and known.n_unique() >= _VARIED * max(1, len(known))


CLASSES = Recipe(
    answers="class",
    learner=learner,
    answer=supervised.answer,
    baseline=supervised.baseline,
    tripwires=supervised.tripwires,
)
