"""Stage 4, plan: an immutable graph of tool calls.

Records only; `agent.validate` says whether a plan can be run. A step's arguments may hold
`{"$ref": "STEP.FIELD"}`, the field of an earlier step's result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from pydantic import Field

from tools.record import Json, Record
from tools.tool import Effect

REF = "$ref"
WHOLE = "result"
"""As a field: the whole result."""


class Range(Record):
    """A span of plausible values; `high` None is unknown and never treated as zero."""

    low: float | None = Field(ge=0)
    high: float | None = Field(ge=0)

    def __add__(self, other: Range) -> Range:
        return Range(low=_sum(self.low, other.low), high=_sum(self.high, other.high))


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


NOTHING = Range(low=0.0, high=0.0)


class Estimate(Record):
    """Expected cost and duration of a step or a plan."""

    usd: Range = NOTHING
    seconds: Range = NOTHING


class Step(Record):
    """One tool call in a plan."""

    id: str = Field(pattern="^[a-z][a-z0-9_.-]{0,63}$")
    tool: str
    part: str | None = None
    effect: Effect
    needs: tuple[str, ...] = ()
    args: Json
    estimate: Estimate
    limit_s: float = Field(gt=0)
    """Hard time limit, also set on what the step creates; the reservation is price × this."""
    measures: tuple[str, ...] = ()
    """Ids of the clauses this step measures, as `PART/CLAUSE`."""
    round: int = Field(default=0, ge=0)
    """Which search it belongs to, or how often a watch was extended before it."""


class Plan(Record):
    """A version of the plan."""

    version: int = Field(ge=1)
    steps: tuple[Step, ...]
    why: str = ""
    """Why this version replaced the one before."""

    def step(self, id_: str) -> Step | None:
        found = self._places.get(id_)
        return None if found is None else self.steps[found]

    def place(self, step: Step) -> int:
        """Where a step of it stands."""
        return self._places[step.id]

    def of_part(self, part: str, *tools: str) -> list[Step]:
        """The steps of one part, or those of them by these tools, in the order of the plan."""
        found = self._by_part.get((part, tools))
        if found is None:
            found = [s for s in self.steps if s.part == part and (not tools or s.tool in tools)]
            self._by_part[part, tools] = found
        return list(found)

    # A plan does not change, so what is looked for round after round is put in order once.
    @cached_property
    def _places(self) -> dict[str, int]:
        return {step.id: place for place, step in reversed(tuple(enumerate(self.steps)))}

    @cached_property
    def _by_part(self) -> dict[tuple[str, tuple[str, ...]], list[Step]]:
        """By part and tools, as they were asked for; no tools are all of them."""
        return {}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Plan:
        """As any record's; what was put in order is of the plan that it was made of."""
        copied = super().model_copy(update=update, deep=deep)
        for kept in ("_places", "_by_part"):
            copied.__dict__.pop(kept, None)
        return copied


def refs(value: Any) -> Iterator[tuple[str, str]]:
    """Every (step, field) that an argument tree refers to."""
    if isinstance(value, Mapping):
        if set(value) == {REF} and isinstance(value[REF], str):
            step, _, field = value[REF].rpartition(".")
            yield step, field
        else:
            for item in value.values():
                yield from refs(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs(item)


def ref(step: str, field: str) -> dict[str, str]:
    return {REF: f"{step}.{field}"}


def known(args: Json) -> Json:
    """Arguments that are known before anything ran: references are left out."""
    return {key: value for key, value in args.items() if not (isinstance(value, Mapping) and set(value) == {REF})}


def resolve(value: Any, results: Mapping[str, Json]) -> Any:
    """The argument tree with every reference replaced; KeyError when a result is missing."""
    if isinstance(value, Mapping):
        if set(value) == {REF} and isinstance(value[REF], str):
            step, _, field = value[REF].rpartition(".")
            return results[step] if field == WHOLE else results[step][field]
        return {key: resolve(item, results) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, results) for item in value]
    return value


def total(steps: tuple[Step, ...]) -> Estimate:
    """Cost adds up; time is the longest path, since ready steps run in parallel."""
    usd = NOTHING
    low: dict[str, float | None] = {}
    high: dict[str, float | None] = {}
    for step in steps:
        usd = usd + step.estimate.usd
        low[step.id] = _sum(_longest(step.needs, low), step.estimate.seconds.low)
        high[step.id] = _sum(_longest(step.needs, high), step.estimate.seconds.high)
    return Estimate(usd=usd, seconds=Range(low=_longest(tuple(low), low), high=_longest(tuple(high), high)))


def _longest(ids: tuple[str, ...], ends: Mapping[str, float | None]) -> float | None:
    values = [ends[i] for i in ids if i in ends]
    known = [v for v in values if v is not None]
    return None if len(known) < len(values) else max(known, default=0.0)
