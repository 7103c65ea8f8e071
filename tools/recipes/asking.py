"""Asks whatever is under test about the holdout, as the endpoint would be asked: a model of ours, the user's own
`predict` command, or a model file that the user's program left. Rows go in as they are; none is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tools.digest import digest
from tools.language import tr
from tools.recipes import command
from tools.recipes.card import MODEL_FILE, Answers
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners.learner import Told
from tools.recipes.models.foreign import open_foreign
from tools.recipes.models.model import Model
from tools.recipes.own_program import digest_of_command
from tools.recipes.parts import Holdout, endpoint_columns
from tools.recipes.records import EvaluateArgs

_FLAGS = {"true": "1.0", "false": "0.0"}
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was told of the holdout, and by whom."""

    told: Told
    digest: str
    fitted_on: str | None
    """Digest of the training part as the model states it; None when it states nothing."""
    alone: bool = True
    """The labels and the key were hidden from whatever predicted."""


def ask_model(model: Model, holdout: Holdout, classes: Sequence[str], *, place: str = "model") -> Asked:
    """BadInput when the holdout lacks a column that the model wants."""
    absent = [i.name for i in model.metadata.inputs if i.name not in holdout.features.columns]
    if absent:
        problem = tr("wants columns that the holdout does not have: {absent}", absent=", ".join(absent[:8]))
        raise BadInput([Fault(place=place, problem=problem, fix=tr("evaluate it on the data it was trained on"))])
    prediction, probability = model.predict_rows(endpoint_columns(holdout.features, model.metadata.inputs))
    if probability is not None:
        probability = _ordered(probability, model.metadata.classes, classes)
    told = Told(prediction=prediction, probability=probability, model=model)
    return Asked(told=told, digest=model.digest, fitted_on=model.metadata.data_digest)


def ask_command(
    args: EvaluateArgs, answers: Answers, features: pl.DataFrame, *, model: Path | None, hide: Sequence[Path]
) -> Asked:
    """BadInput when the command fails or leaves anything but one answer a row."""
    if args.predict is None or args.folder is None:
        raise BadInput(
            [Fault(place="folder", problem=tr("is not named"), fix=tr("say where `predict` is to be started"))]
        )
    told, alone = command.predictions(args.predict, Path(args.folder), features, model=model, hide=hide)
    prediction = _read(told, answers, args.classes, place=tr("predict command"))
    made = digest_of_command(args.predict, Path(args.folder), model)
    return Asked(told=Told(prediction=prediction), digest=made, fitted_on=None, alone=alone)


def ask_foreign(folder: Path, answers: Answers, holdout: Holdout, classes: Sequence[str]) -> Asked:
    """A model file that the user's own program left. BadInput when there is none, or it does not take these rows."""
    found, probability, names = open_foreign(folder).predict(holdout.features)
    prediction = _read(found, answers, classes, place=MODEL_FILE)
    scores = None
    if probability is not None and answers == "class":
        scores = _ordered(probability.tolist(), _spelled(pl.Series(names, dtype=pl.String), classes), classes)
    return Asked(told=Told(prediction=prediction, probability=scores), digest=digest(folder), fitted_on=None)


def _read(told: pl.Series, answers: Answers, classes: Sequence[str], *, place: str) -> list[str] | list[float]:
    """Answers as text, as what they mean."""
    if answers == "number":
        return _numbers(told, place)
    if answers != "class":
        return told.to_list()
    found = _spelled(told, classes)
    if classes and found and not set(found) & set(classes):
        fault = Fault(
            place=place,
            problem=tr("no prediction is a class of the data, the first is {first!r}", first=found[0][:40]),
            fix=tr("write one of {classes} for every row", classes=", ".join(map(repr, classes[:_SHOWN]))),
        )
        raise BadInput([fault], cause="user_code_error")
    return found


def _ordered(probability: list[list[float]], known: Sequence[str], classes: Sequence[str]) -> list[list[float]]:
    """In the order of the classes of the data; 0 for a class that the model does not know."""
    if tuple(known) == tuple(classes):
        return probability
    given = np.array(probability).reshape(-1, len(known))
    whole = np.zeros((len(given), len(classes)))
    for place, name in enumerate(classes):
        if name in known:
            whole[:, place] = given[:, list(known).index(name)]
    return whole.tolist()


def _numbers(told: pl.Series, place: str) -> list[float]:
    numbers = told.str.strip_chars().cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite()).arg_true()
    if bad.len():
        problem = tr(
            "{n} predictions are no finite numbers, the first is {first!r}", n=bad.len(), first=told[int(bad[0])][:40]
        )
        fault = Fault(place=place, problem=problem, fix=tr("write a number for every row"))
        raise BadInput([fault], cause="user_code_error")
    return [float(n) for n in numbers]


def _spelled(told: pl.Series, classes: Sequence[str]) -> list[str]:
    """Predictions as the source spells its classes: `1` and `1.0`, `True` and `true` are the same one; so are `True`
    and `1` where the two classes are the ones or the others."""
    known = {_key(name): name for name in classes} | {name: name for name in classes}
    for said in (_FLAGS, {number: word for word, number in _FLAGS.items()}):
        if {_key(name) for name in classes} == set(said.values()):
            known |= {word: known[meant] for word, meant in said.items()}
    return [known.get(value, known.get(_key(value), value)) for value in told]


def _key(name: str) -> str:
    try:
        return repr(float(name))
    except ValueError:
        return name.strip().casefold()
