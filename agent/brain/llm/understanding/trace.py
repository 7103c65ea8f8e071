"""Holds a model's contract to the text: what the text does not vouch for is emptied, and asked.

What counts as traceable
- A number: one of the text's figures, as the embedded grammar reads figures (`half a percent`, `九成`, `3 万`, `a
  dozen`, `$12k`), converted to the field's unit: percent to a ratio, minutes, hours and days to seconds, seconds to
  milliseconds. A figure of another dimension does not vouch, nor one that the grammar has read as something else: the
  50 of a budget is no latency, unless the text says 50 twice. One without a unit vouches only for what the nearest
  word of its clause speaks of (see `topics`), and each for one field. 0 as a difference, 100 as the last step of a
  rollout and one GPU of a kind that is named are the records' own defaults.
- A name, path, column, region or label: it stands in the text, whole, after NFKC and case folding, and can be a name of
  that kind (`the`, `deploy` and `0.95` cannot, `loans.csv` is no region); not as a part of a longer name, not inside a
  quoted sentence or cited lines, not only where it was taken back or ruled out. A column is dropped only under a word
  for it in its own clause, and never the label.
- A model family, metric or GPU: as the lexicon knows a word of the text, or as a name. A formula or command: letter by
  letter, and where the text has a program.
- A word of a closed set: by the lexicon. Without such a word it is an assumption where it does no harm (a kind of
  model, how a search goes, a constraint on what the text speaks of), and a question where it would reach further
  (places, money, data, serving, removing).
- Whatever the embedded grammar, or the contract that is being corrected, has at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel

from agent.brain.llm.understanding import closed
from agent.brain.llm.understanding.kinds import AMOUNTS, CLOSED, NAMES, TOPICS, WORDED
from agent.brain.llm.understanding.words import Words
from agent.contract import UNNAMED, Clause, Contract, Part, Relative, Rollout
from tools.metrics import metric

R = TypeVar("R", bound=BaseModel)
_GROUPS: Final = (
    frozenset({"parts.data.uri", "parts.prepare.join.left", "parts.prepare.join.right", "parts.source_models"}),
    frozenset({"parts.target"}),
    frozenset({"parts.data.label"}),
)
"""Fields whose names are not each other's: what the grammar has read as one is not the other."""


class Tracing:
    """One contract held to one text: what was found out about it."""

    def __init__(self, words: Words, told: tuple[Contract, ...]) -> None:
        """`told`: the contracts whose values stand by themselves: the grammar's, and the one that is corrected."""
        self.words = words
        self._told = told
        self.known: dict[str, list[object]] = {}
        for contract in told:
            for path, value in values(contract):
                self.known.setdefault(path, []).append(value)
        self.owners = _owners(words, told)
        self.served: dict[int, str] = {}
        """Figure → the field that it has vouched for."""
        self.untraced: list[str] = []
        """Paths of what nothing vouches for, with places: `parts.0.clauses.1.value`."""
        self.assumed: list[tuple[str, str]] = []
        """Paths of words that are taken for what they mean, and the words."""
        self._labels: set[str] = set()
        self._measured = ""
        """The metric of the clause that is looked at."""

    def contract(self, draft: Contract) -> Contract:
        """The draft without what nothing vouches for."""
        self._labels = {str(v).casefold() for path, v in values(draft) if path == "parts.data.label"}
        return self._record(draft, "", "")

    def before(self, path: str, measured: str) -> list[object]:
        """What the contract that is being corrected has there."""
        key = _key(path, measured)
        return [value for contract in self._told[1:] for other, value in values(contract) if other == key]

    def vouches(self, value: object, path: str, holder: BaseModel) -> bool:
        """Whether the text vouches for one value of a field."""
        self._measured = holder.metric if isinstance(holder, Clause) else self._measured
        if path in CLOSED:
            return closed.said(self.words, value, path)
        return self._is_known(path, value) or self._vouched(value, path, path, holder)

    def _record(self, record: R, at: str, path: str) -> R:
        """The record with fields emptied. LookupError when one is gone that it cannot be without."""
        if isinstance(record, Clause):
            self._measured = record.metric
        changes: dict[str, object] = {}
        for name, field in type(record).model_fields.items():
            alias = field.alias or name
            value = getattr(record, name)
            kept = self._value(value, _under(at, alias), _under(path, alias), record)
            if kept is _GONE:
                if field.is_required() or name == "watch":
                    raise LookupError(_under(at, alias))
                kept = field.get_default(call_default_factory=True)
            changes[name] = kept
        return self._sound(record.model_copy(update=changes), at)

    def _value(self, value: object, at: str, path: str, holder: BaseModel) -> object:
        if isinstance(value, tuple):
            return self._items(value, at, path, holder)
        if isinstance(value, BaseModel):
            try:
                kept = self._record(value, at, path)
            except LookupError:
                return _GONE
            return _GONE if kept != value and _is_empty(kept) else kept
        if isinstance(value, Mapping):
            return {
                k: v for k, v in value.items() if self._leaf((k, v), f"{at}.{k}", path, holder) is not _GONE
            } or None
        return value if value is None else self._leaf(value, at, path, holder)

    def _items(self, items: tuple[object, ...], at: str, path: str, holder: BaseModel) -> tuple[object, ...]:
        kept = (self._value(item, f"{at}.{n}", path, holder) for n, item in enumerate(items))
        return tuple(item for item in kept if item is not _GONE)

    def _leaf(self, value: object, at: str, path: str, holder: BaseModel) -> object:
        if self._is_known(path, value) or self._vouched(value, at, path, holder):
            return value
        self.untraced.append(at)
        return _GONE

    def _is_known(self, path: str, value: object) -> bool:
        key = self._key(path)
        return any(alike(value, other) for other in self.known.get(key, ()))

    def _vouched(self, value: object, at: str, path: str, holder: BaseModel) -> bool:
        if path == "parts.clauses.value" and isinstance(value, str):
            return self.words.says(value)
        if path in AMOUNTS and isinstance(value, int | float) and not isinstance(value, bool):
            return self._amount(float(value), path, holder)
        if path in NAMES:
            return self._name(value, path)
        return path not in CLOSED or self._word(value, at, path)

    def _amount(self, value: float, path: str, holder: BaseModel) -> bool:
        if not math.isfinite(value) or value < 0 < _least(path, holder):
            return False
        if path == "parts.clauses.relative.delta" and not self.words.compares(equal=value == 0):
            return False
        if _is_default(value, path, holder):
            return True
        key, served = self._key(path), path.replace("relative.delta", "value")
        vouching = self.words.vouching(AMOUNTS[path], value, self._measured)
        free = sorted(n for n in vouching if self.owners.get(n, key) == key and self.served.get(n, served) == served)
        fit = [n for n in free if self._speaks_of(n, path)]
        if fit:
            self.served[next((n for n in fit if n in self.served), _nearest(self.words, fit))] = served
        return bool(fit)

    def _speaks_of(self, figure: int, path: str) -> bool:
        """Whether a figure is one of that field: by its unit, or by the words beside it."""
        if path in WORDED or self.words.is_bare(figure):
            return self.words.about(figure, TOPICS[path], self._measured)
        return TOPICS[path] != "metric" or self.words.may_bound(figure, self._measured)

    def unused(self) -> bool:
        """Whether the text has a figure that has vouched for nothing, and that no field can be about."""
        used = {*self.served, *self.owners}
        return any(n not in used and not self.words.counts_other(n) for n in range(len(self.words.figures)))

    def _key(self, path: str) -> str:
        return _key(path, self._measured)

    def _name(self, value: object, path: str) -> bool:
        if isinstance(value, tuple):  # a name and its formula
            return self.words.says_metric(f"custom:{value[0]}") and self.words.has(str(value[1]))
        if path == "parts.prepare.drop_columns":
            labels = {*self._labels, *(str(v).casefold() for v in self.known.get("parts.data.label", ()))}
            if str(value).casefold() in labels:
                return False
        return not self._is_other(str(value), path) and self.words.names(NAMES[path], str(value))

    def _is_other(self, name: str, path: str) -> bool:
        """Whether the grammar has read that name as something else."""
        others = [p for group in _GROUPS if path not in group for p in group] if _is_grouped(path) else []
        return any(alike(name, value) for p in others for value in self.known.get(p, ()))

    def _word(self, value: object, at: str, path: str) -> bool:
        """Whether a word of a closed set may stand; an assumption where no word of the text says it."""
        if closed.says_nothing(value, path) or closed.said(self.words, value, path):
            return True
        if closed.reaches(self.words, value, path, self.known):
            return False
        self.assumed.append((at, str(value)))
        return True

    def _sound(self, record: R, at: str) -> R:
        """What holds between the fields of one record."""
        if isinstance(record, Clause):
            self._clause(record, at)
            absolute = record.value is not None and record.relative is not None
            back = self.words.rolls_back()
            return record.model_copy(
                update={
                    "relative": None if absolute else record.relative,
                    "abort": record.abort and back,
                }
            )
        if isinstance(record, Part):
            ours = not self.words.names("name", record.name)
            return record.model_copy(update={"name": record.target or UNNAMED}) if ours else record
        return record

    def _clause(self, clause: Clause, at: str) -> None:
        """A demand without its figure is none, nor one for the worse of a metric."""
        known = metric(clause.metric)
        turned = known is not None and clause.op[0] != "=" and (clause.op[0] == ">") != (known.better == "max")
        if (clause.value is None and clause.relative is None) or turned:
            if not any(path.startswith(f"{at}.") for path in self.untraced):
                self.untraced.append(f"{at}.value")
            raise LookupError(at)


def _is_empty(record: BaseModel) -> bool:
    """Whether a record says nothing any more."""
    return not any(field.is_required() for field in type(record).model_fields.values()) and record == type(record)()


_GONE: Final = object()
"""In place of a value that nothing vouches for."""


def values(contract: Contract) -> Iterator[tuple[str, object]]:
    """Every value a contract holds with the key of its field, lists item by item."""
    yield from _values(contract, "", "")


def _values(record: BaseModel, path: str, measured: str) -> Iterator[tuple[str, object]]:
    measured = record.metric if isinstance(record, Clause) else measured
    for name, field in type(record).model_fields.items():
        inner, value = _under(path, field.alias or name), getattr(record, name)
        items = value if isinstance(value, tuple) else tuple(value.items()) if isinstance(value, Mapping) else (value,)
        for item in items:
            if isinstance(item, BaseModel):
                yield from _values(item, inner, measured)
            elif item is not None:
                yield _key(inner, measured), item


def _key(path: str, measured: str) -> str:
    """Where a value belongs: what a clause demands is told apart by its metric."""
    return f"{path}:{measured}" if path.startswith("parts.clauses.") and path in AMOUNTS else path


def _owners(words: Words, told: tuple[Contract, ...]) -> dict[int, str]:
    """Which field each figure was read as: every number takes one figure that no other has taken."""
    owners: dict[int, str] = {}
    for contract in told:
        for key, value in values(contract):
            path, _, name = key.partition(":")
            if path not in AMOUNTS or isinstance(value, str) or not isinstance(value, int | float):
                continue
            found = words.vouching(AMOUNTS[path], float(value), name)
            mine = [n for n in found if owners.get(n) == key]
            free = sorted(n for n in found if n not in owners)
            if free and not mine:
                owners[_nearest(words, free)] = key
    return owners


def _is_grouped(path: str) -> bool:
    return any(path in group for group in _GROUPS)


def _nearest(words: Words, free: list[int]) -> int:
    """A figure with a unit of its own before a bare one."""
    return next((n for n in free if words.figures[n].dim), free[0])


def _is_default(value: float, path: str, holder: BaseModel) -> bool:
    if path == "parts.rollout.steps":
        return value == 100 and isinstance(holder, Rollout) and len(holder.steps) > 1 and holder.steps[-1] == 100
    if path == "placement.gpu_count":
        return value == 1 and getattr(holder, "gpu", None) is not None
    return path == "parts.clauses.relative.delta" and value == 0


def _least(path: str, holder: BaseModel) -> float:
    """Above 0 where a value below 0 is no amount."""
    signed = isinstance(holder, Relative) or (isinstance(holder, Clause) and _may_be_negative(holder.metric))
    return 0.0 if signed else 1.0


def _may_be_negative(name: str) -> bool:
    known = metric(name)
    return known is None or known.low is None or known.low < 0


def alike(one: object, other: object) -> bool:
    """Equal numbers, or names that differ in case only."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    return one == other


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
