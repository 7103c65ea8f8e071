"""Parsers of single fields, for goal files: one string in, one value out, or one sentence that says what is wrong.

The same grammar as goals in words, so `recall[fraud] >= 0.9` and `accuracy at least 90%` both are clauses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from agent.brain.rules.grammar.clauses import demands
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.understand import read
from agent.contract import Clause
from tools.metrics import metric

_CLAUSE_FORMS: Final = "write it like `f1 >= 0.85`, `p95 <= 80 ms` or `recall[fraud] >= 0.9`"
_BY_NAME: Final = ("usd", "s", "count", "version")
_TRUE: Final = ("true", "yes", "on", "1", "是", "真")
_FALSE: Final = ("false", "no", "off", "0", "否", "假")
_EXACT: Final = Pattern(r"^\s*((?:custom:)?[a-z0-9_]+)\s*(>=|<=|==|>|<)\s*(.*?)\s*$")
_BROKEN: Final = Pattern(
    r"(?<![\w.])(?:nan|[-+]?inf(?:inity)?)(?![\w])|(?:^|[\s<>=(])-\s?[$€£¥]?\s?[\d.]", re.IGNORECASE
)


def parse_clause(text: str) -> Clause:
    """One clause. Raises ValueError for anything that is not exactly one metric, one comparator and one value."""
    _reject(text, "clause", _CLAUSE_FORMS, negative_allowed=_may_be_negative(text))
    exact = _by_name(text)
    if exact is not None:
        return exact
    negative = re.search(r"-\s?(\d*\.?\d+)", text) if _may_be_negative(text) else None
    found = demands(read(re.sub(r"-\s?(?=[\d.])", "", text) if negative else text), "custom", serves=False).clauses
    if len(found) != 1:
        named = "names no metric with a value" if not found else f"holds {len(found)} clauses, not one"
        raise ValueError(f"The clause `{text}` {named}; {_CLAUSE_FORMS}.")
    clause = _literal(text, found[0])
    if negative and isinstance(clause.value, float):
        clause = clause.model_copy(update={"value": -clause.value})
    return clause


def _by_name(text: str) -> Clause | None:
    """Clauses on metrics that goals in words never state as clauses (cost, duration, state), and on the user's own."""
    match = _EXACT.match(text)
    if match is None:
        return None
    name, op, written = match.groups()
    known = metric(name)
    if (known is None and not name.startswith("custom:")) or (known is not None and known.unit not in _BY_NAME):
        return None
    unit = known.unit if known is not None else "ratio"
    parsers: dict[str, Callable[[str], float]] = {"usd": parse_money, "s": parse_duration}
    value = written if unit == "version" else parsers.get(unit, parse_number)(written)
    return Clause.model_validate(
        {"id": name.removeprefix("custom:"), "metric": name, "op": op, "value": value,
         "where": known.where if known is not None else "live"}
    )  # fmt: skip


def parse_duration(text: str) -> float:
    """Seconds. `90 min`, `2 h`, `1 hour 30 minutes`, `半小时`; a bare number is seconds."""
    form = "write it like `90 min`, `2 h` or `3 days`"
    return _one(text, "duration", "duration", form)


def parse_money(text: str) -> float:
    """US dollars. `$12`, `12 USD`, `12 dollars`, `12 美元`; a bare number is dollars."""
    form = "write it like `$12` or `12 USD`"
    _reject(text, "amount", form)
    found = [e for e in read(text).entities if e.dim == "money"]
    foreign = [e for e in found if not e.means("unit", "USD")]
    if foreign:
        raise ValueError(f"The amount `{text}` is in {foreign[0].readings['unit']}; give it in US dollars: {form}.")
    return _one(text, "amount", "money", form)


def parse_number(text: str) -> float:
    """A number that is not negative. `12`, `0.85`, `97 %` (0.97), `1,000`, `2k`, `九成`."""
    form = "write it like `12`, `0.85` or `97 %`"
    return _one(text, "number", "percent", form)


def parse_flag(text: str) -> bool:
    """`true`, `yes`, `on`, `是` are true; `false`, `no`, `off`, `否` are false."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"The flag `{text}` is neither true nor false; write `true` or `false`.")


def _reject(text: str, what: str, form: str, *, negative_allowed: bool = False) -> None:
    """Values no field accepts: nothing, NaN, infinity, and numbers below zero."""
    if not text.strip():
        raise ValueError(f"The {what} is empty; {form}.")
    broken = _BROKEN.search(text)
    if broken and (
        broken.group().strip(" <>=(").lower().lstrip("+-").startswith(("nan", "inf")) or not negative_allowed
    ):
        raise ValueError(f"The {what} `{text}` is not a finite number of zero or more; {form}.")


def _may_be_negative(text: str) -> bool:
    """R2, MCC and the silhouette reach below zero by definition."""
    return any(e.means("metric", "r2", "mcc", "silhouette") for e in read(text).entities)


def _literal(text: str, clause: Clause) -> Clause:
    """In a field the operator is what is written, also `<` for a metric that should be high."""
    written = re.search(r">=|<=|==|≥|≤|>|<|=", text)
    if written is None or clause.relative is not None:
        return clause
    op = {"≥": ">=", "≤": "<=", "=": "=="}.get(written.group(), written.group())
    return Clause.model_validate({**clause.model_dump(), "op": op})


def _one(text: str, what: str, dim: str, form: str) -> float:
    _reject(text, what, form)
    found = [e for e in read(text).entities if e.kind != "punct" and not e.means("per", "goal")]
    if len(found) != 1 or not _fits(found[0], dim):
        raise ValueError(f"The {what} `{text}` cannot be read; {form}.")
    value = found[0].number
    if value is None or not math.isfinite(value):
        raise ValueError(f"The {what} `{text}` is not a finite number of zero or more; {form}.")
    return value


def _fits(entity: Entity, dim: str) -> bool:
    bare = entity.kind in ("number", "term") and entity.number is not None and not entity.dim
    return bare or (entity.kind == "quantity" and entity.dim == dim)
