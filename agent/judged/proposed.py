"""One call that a plan proposes: its step, the arguments that are known, the part of the contract it serves, what was
seen and done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.contract import Part
from agent.plan import REF, Step
from agent.state import Run
from agent.survey import Survey
from tools.catalogue import BY_NAME
from tools.ports import EndpointState
from tools.record import Json


class Unknown:
    """The value of an argument that refers to a result which is not there yet."""


UNKNOWN = Unknown()


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """What is judged. `args`: resolved, or those that are known before anything ran."""

    step: Step
    args: Json
    run: Run
    part: Part

    @property
    def tool(self) -> str:
        return self.step.tool

    def value(self, name: str) -> Any:
        """The argument as it would be used: given, or its default; `UNKNOWN` while it refers to what is not there."""
        if name in self.args:
            return UNKNOWN if is_ref(self.args[name]) else self.args[name]
        if name in self.step.args:
            return UNKNOWN
        field = BY_NAME[self.tool].args.model_fields.get(name)
        return None if field is None or field.is_required() else field.get_default(call_default_factory=True)

    def items(self, name: str) -> list[Any]:
        """What is known of a list, or of the values of a mapping."""
        value = self.value(name)
        if isinstance(value, Mapping):
            value = list(value.values())
        return [item for item in value if not is_ref(item)] if isinstance(value, list | tuple) else []

    @property
    def survey(self) -> Survey:
        return self.run.survey or Survey(at=0.0)

    @property
    def state(self) -> EndpointState | None:
        """The part's endpoint as it was when the work was planned."""
        return self.survey.endpoints.get(self.part.endpoint)

    @property
    def owner(self) -> str:
        return self.run.stated.owner if self.run.stated is not None else ""

    @property
    def folder(self) -> Path:
        return Path(self.run.stated.folder if self.run.stated is not None else "/")

    def results(self, *tools: str) -> Iterator[Json]:
        """What calls of this run with these tools came to."""
        for call in self.run.calls.by(*tools):
            if call.phase == "done" and call.ended is not None and call.ended.result:
                yield call.ended.result

    def before(self) -> Iterator[Step]:
        """The steps that this one waits for, directly or through others."""
        plan, seen, todo = self.run.plan, set[str](), list(self.step.needs)
        while todo:
            if (id_ := todo.pop()) not in seen:
                seen.add(id_)
                if (found := plan.step(id_)) is not None:
                    yield found
                    todo.extend(found.needs)


def is_ref(value: Any) -> bool:
    """It stands for a result."""
    return isinstance(value, Mapping) and set(value) == {REF}


def texts(values: Any) -> set[str]:
    """The texts among these values: nothing else can be compared with a name."""
    return {value for value in values if isinstance(value, str)}
