"""An answer that also has a value for `custom:` metrics: formulas over the holdout's columns and the predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import polars as pl

from tools.language import tr
from tools.recipes.answers.answer import Answer, Floats, Ints
from tools.recipes.answers.intervals import draws
from tools.recipes.answers.measures import CUSTOM
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.formulas.formula import parse
from tools.recipes.formulas.values import Bound, bind
from tools.recipes.records import Measure


@runtime_checkable
class Grouped(Protocol):
    """An answer whose units are groups of rows, every row in one."""

    @property
    def members(self) -> Sequence[Ints]:
        """The rows of each unit, as they lie in the part."""
        ...


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A formula on the rows of one model. It knows one metric, whatever it is called."""

    aligned: ClassVar[bool] = True
    bound: Bound
    members: tuple[Ints, ...] | None = None
    """The rows of each unit; None where a row is a unit."""

    @property
    def units(self) -> int:
        return self.bound.rows if self.members is None else len(self.members)

    def value(self, measure: Measure) -> float | None:
        del measure
        return self.bound.value()

    def take(self, units: Ints) -> Computed:
        rows = self._rows(units)
        if self.members is None:
            return Computed(bound=self.bound.take(rows))
        ends = np.cumsum([len(self.members[u]) for u in units])
        return Computed(bound=self.bound.take(rows), members=tuple(np.split(np.arange(len(rows)), ends[:-1])))

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        del measure
        drawn = (u for chunk in draws(np.random.default_rng(seed), self.units, resamples) for u in chunk)
        values = (self.bound.take(self._rows(units)).value() for units in drawn)
        return np.array([math.nan if value is None else value for value in values])

    def section(self) -> Mapping[str, object]:
        return {}

    def columns(self) -> Sequence[pl.Series]:
        return ()

    def notes(self) -> Sequence[str]:
        return ()

    def _rows(self, units: Ints) -> Ints:
        if self.members is None:
            return units
        return np.concatenate([self.members[u] for u in units]) if len(units) else units


@dataclass(frozen=True, kw_only=True)
class Formulated:
    """What was answered, and every formula on the same rows."""

    answer: Answer
    formulas: Mapping[str, Computed]
    """By the metric's name, prefix included."""

    @property
    def units(self) -> int:
        return self.answer.units

    def value(self, measure: Measure) -> float | None:
        return self.answering(measure).value(measure)

    def take(self, units: Ints) -> Formulated:
        formulas = {name: one.take(units) for name, one in self.formulas.items() if one.units == self.units}
        return replace(self, answer=self.answer.take(units), formulas=formulas)

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        return self.answering(measure).trials(measure)

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        return self.answering(measure).resampled(measure, resamples=resamples, seed=seed)

    def section(self) -> Mapping[str, object]:
        return self.answer.section()

    def columns(self) -> Sequence[pl.Series]:
        return self.answer.columns()

    def notes(self) -> Sequence[str]:
        return self.answer.notes()

    def answering(self, measure: Measure) -> Answer:
        """What this measure asks: a formula with units of its own, or what was wrapped."""
        return self.formulas.get(measure.metric, self.answer)


def formulated(
    answer: Answer,
    formulas: Mapping[str, str],
    measures: Sequence[Measure],
    *,
    features: pl.DataFrame,
    label: pl.Series | None,
    prediction: pl.Series,
) -> Answer:
    """The answer with a value for every `custom:` measure; itself where there is none.

    A formula reads `prediction`, `label`, the scores that `holdout_rows.csv` shows (`probability` is another name of
    `score`) and the holdout's own columns. Its unit is the answer's where that is a group of rows, else a row. BadInput
    with every fault of every formula, and with the measures that have none.
    """
    wanted = dict.fromkeys(m.metric for m in measures if m.metric.startswith(CUSTOM))
    if not wanted:
        return answer
    columns = _columns(answer, features, label, prediction)
    members = tuple(answer.members) if isinstance(answer, Grouped) else None
    faults: list[Fault] = []
    made: dict[str, Computed] = {}
    for metric in wanted:
        text = formulas.get(metric.removeprefix(CUSTOM))
        if text is None:
            fix = near(metric.removeprefix(CUSTOM), formulas) if formulas else tr("write it under `metrics`")
            faults.append(Fault(place=tr("metric {metric}", metric=metric), problem=tr("has no formula"), fix=fix))
            continue
        try:
            made[metric] = Computed(bound=bind(parse(text), columns), members=members)
        except BadInput as error:
            faults += [
                f.model_copy(update={"place": tr("metric {metric}, {place}", metric=metric, place=f.place)})
                for f in error.found
            ]
    if faults:
        raise BadInput(faults)
    return Formulated(answer=answer, formulas=made)


def _columns(
    answer: Answer, features: pl.DataFrame, label: pl.Series | None, prediction: pl.Series
) -> dict[str, pl.Series]:
    columns = {name: features[name] for name in features.columns}
    if label is not None:
        columns |= {label.name: label, "label": label}
    columns |= {column.name: column for column in answer.columns() if len(column) == len(prediction)}
    if "score" in columns:
        columns.setdefault("probability", columns["score"])
    return columns | {"prediction": prediction}
