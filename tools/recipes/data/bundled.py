"""scikit-learn's bundled sets: a small table that needs no scikit-learn, and the sets themselves."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from tools.language import tr
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.records import Task
from tools.record import Record

if TYPE_CHECKING:
    import polars as pl

PREFIX = "sklearn:"
LABEL = "target"


class Bundled(Record):
    """What is known of a set beforehand."""

    task: Task
    rows: int
    classes: tuple[str, ...]
    """In the order of scikit-learn's codes."""
    positive: str | None = None
    """Of two classes, the one that binary metrics count: the rarer."""
    columns: tuple[str, ...]


@cache
def table() -> dict[str, Bundled]:
    """Name of the set, without prefix → what is known of it."""
    text = files("tools.recipes.data").joinpath("bundled.yaml").read_text(encoding="utf-8")
    return {name: Bundled.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


def find(source: str) -> Bundled:
    """The entry of `sklearn:NAME`. BadInput(data_missing) names the sets there are."""
    name = source.removeprefix(PREFIX)
    entry = table().get(name)
    if entry is None:
        fault = Fault(place=source, problem=tr("is no bundled set"), fix=near(name, table()))
        raise BadInput([fault], cause="data_missing")
    return entry


def load(source: str) -> pl.DataFrame:
    """The set with its label column `target`: class names where the set has them, else numbers."""
    import polars as pl
    from sklearn import datasets

    known = find(source)
    bunch = getattr(datasets, f"load_{source.removeprefix(PREFIX)}")()
    frame = pl.DataFrame({name: bunch.data[:, i].astype(float) for i, name in enumerate(known.columns)})
    label = [known.classes[code] for code in bunch.target] if known.classes else bunch.target.astype(float)
    return frame.with_columns(pl.Series(LABEL, label))
