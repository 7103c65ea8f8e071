"""Answers that are valid and mean nothing: words and figures of a goal, and invented ones, put anywhere they fit."""

from __future__ import annotations

import re
from typing import get_args

from hypothesis import strategies as st
from pydantic import BaseModel

from agent.brain.llm.understanding.said import (
    GoalField,
    PartField,
    PartSetting,
    Said,
    SaidClause,
    SaidData,
    SaidPart,
    Setting,
    lists,
)
from agent.contract import Contract, Join, ModelTask, Relative, ThingTask
from tools.metrics import METRICS

_INVENTED = ("ghost", "kube-system", "s3://elsewhere/x.csv", "rm -rf /", "prod-db", "")
_NUMBERS = (0, 0.5, 0.99, 1, 3, 7, 50, 95, 100, 12345, 1e9, -1)


def answers(text: str, faithful: Said) -> st.SearchStrategy[Said]:
    """Answers to that goal: anything at all, and what a faithful answer becomes when parts of it are anything."""
    anything = _anything(text)
    return anything | st.builds(_spoiled, st.just(faithful), anything, st.integers(0, 2**7 - 1))


def _spoiled(faithful: Said, other: Said, fields: int) -> Said:
    """The faithful answer with the fields of the other one that the bits choose."""
    names = ("task", "target", "data", "joins", "clauses", "settings")
    chosen = [name for n, name in enumerate(names) if fields >> n & 1]
    parts = tuple(
        a.model_copy(update={name: getattr(b, name) for name in chosen})
        for a, b in zip(faithful.parts, (*other.parts, *faithful.parts), strict=False)
    )
    settings = other.settings if fields >> 6 else faithful.settings
    return faithful.model_copy(update={"open": other.open, "parts": parts or other.parts, "settings": settings})


def _anything(text: str) -> st.SearchStrategy[Said]:
    names = st.sampled_from([*re.findall(r"[\w./:@-]+", text), *_INVENTED])
    figures = [float(f) for f in re.findall(r"\d+(?:\.\d+)?", text)]
    numbers = st.sampled_from([*_NUMBERS, *figures, *(f / 100 for f in figures), *(f * 60 for f in figures)])
    counts = numbers.map(lambda n: float(int(abs(n))) or 1.0)
    maybe = st.none() | names
    relative = st.builds(
        Relative, to=st.sampled_from(["incumbent", "baseline", "other"]), delta=numbers,
        kind=st.sampled_from(["absolute", "ratio"]),
    )  # fmt: skip
    clause = st.builds(
        SaidClause,
        metric=st.sampled_from(sorted(METRICS)),
        op=st.sampled_from([">=", "<=", ">", "<", "=="]),
        value=st.none() | numbers,
        relative=st.none() | relative,
        class_=maybe,
        abort=st.booleans(),
        confidence=st.none() | st.sampled_from([0.5, 0.95, 0.9]),
        window_s=st.none() | st.sampled_from([60, 300, 3600]),
    )
    roles = st.sampled_from(["train", "holdout", "items"])
    data = st.builds(SaidData, uri=names, role=roles, label=maybe, time=maybe, id=maybe)
    join = st.builds(Join, left=names, right=names, on=st.tuples(names), how=st.just("inner"))
    part = st.builds(
        SaidPart,
        name=maybe,
        task=st.sampled_from([*get_args(ModelTask), *get_args(ThingTask)]),
        target=maybe,
        data=st.lists(data, max_size=2).map(tuple),
        joins=st.lists(join, max_size=1).map(tuple),
        clauses=st.lists(clause, max_size=3).map(tuple),
        settings=_settings(PartSetting, get_args(PartField), "parts.", names, counts),
    )
    return st.builds(
        Said,
        kind=st.sampled_from(["goal", "goal", "goal", "goal", "not_ours", "rules"]),
        open=st.booleans(),
        parts=st.lists(part, max_size=2).map(tuple),
        settings=_settings(Setting, get_args(GoalField), "", names, counts),
        unclear=st.just(()),
    )


def _settings(
    record: type[BaseModel],
    fields: tuple[str, ...],
    under: str,
    names: st.SearchStrategy[str],
    numbers: st.SearchStrategy[float],
) -> st.SearchStrategy[tuple[BaseModel, ...]]:
    """Settings of distinct fields, with values of the field's own type."""

    def setting(field: str) -> st.SearchStrategy[BaseModel]:
        value = _value(Contract, f"{under}{field}".split("."), names, numbers)
        size = 3 if f"{under}{field}" in lists() else 1
        made = st.lists(value, min_size=1, max_size=size)
        return made.map(lambda v: record.model_validate({"field": field, "values": tuple(v)}))

    chosen = st.lists(st.sampled_from(fields), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.tuples(*map(setting, names)))


def _value(
    holder: object, path: list[str], names: st.SearchStrategy[str], numbers: st.SearchStrategy[float]
) -> st.SearchStrategy[object]:
    for step in path:
        found = next(t for t in _types(holder) if isinstance(t, type) and issubclass(t, BaseModel))
        holder = found.model_fields[step].annotation
    words = [w for t in _types(holder) if "Literal" in str(t)[:16] for w in get_args(t)]
    if words:
        return st.sampled_from(words)
    if path[-1] == "metric":
        return st.sampled_from(sorted(METRICS))
    if path[-1] == "metrics":
        return names.map(lambda n: f"{n} = mean(prediction)")
    if bool in _types(holder):
        return st.booleans()
    return numbers if {int, float} & set(_types(holder)) else names


def _types(annotation: object) -> list[object]:
    return [annotation, *(t for a in get_args(annotation) for t in _types(a))]
