"""A world's calls as JSON: what crosses the socket and what is written down to be replayed.

The calls of a port are those of its `Protocol`; only `objects.put` differs: it carries the content
itself, so that it means the same on the other side and later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from inspect import signature
from typing import Any, Literal, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.controls import Controls
from tools.epochs import Tenure
from tools.errors import (
    Cause,
    Conflict,
    Failed,
    Invalid,
    NotFound,
    Passing,
    Refused,
    Superseded,
    ToolError,
    Transient,
    Unknown,
)
from tools.ports import Compute, Jobs, Objects, Serving, Telemetry
from tools.record import Json, Record
from tools.watching import Watch

_PORTS: Mapping[str, type] = {
    "jobs": Jobs,
    "serving": Serving,
    "objects": Objects,
    "telemetry": Telemetry,
    "compute": Compute,
    "watch": Watch,
    "control": Controls,
}
_PLAIN: Mapping[str, type[ToolError]] = {
    "Unknown": Unknown,
    "Refused": Refused,
    "Superseded": Superseded,
    "Conflict": Conflict,
    "NotFound": NotFound,
}


class Request(Record):
    """One call."""

    operation: str = Field(pattern=r"^[a-z]+\.[a-z][a-z_]*$")
    args: Json = {}
    tenure: Tenure | None = None
    """In the name of which owner of a run."""


class Wrong(Record):
    """A typed error."""

    kind: Literal["Transient", "Unknown", "Refused", "Superseded", "Conflict", "NotFound", "Invalid", "Failed"]
    message: str
    retry_after_s: float = 1.0
    why: Passing = "network"
    faults: tuple[str, ...] = ()
    cause: Cause = "unknown"


class Answer(Record):
    """What came of a call: a result, or what went wrong."""

    result: Any = None
    error: Wrong | None = None


def answer(backend: SimBackend, request: Request) -> Answer:
    """Perform one call; every `ToolError` becomes part of the answer."""
    try:
        owner = request.tenure
        seen = backend if owner is None else backend.fenced(run=owner.run, epoch=owner.epoch)
        return Answer(result=_perform(seen, request))
    except ToolError as error:
        return Answer(error=wrong(error))


def wrong(error: ToolError) -> Wrong:
    """The error as JSON, with everything that the caller acts on."""
    match error:
        case Transient():
            return Wrong(kind="Transient", message=str(error), retry_after_s=error.retry_after_s, why=error.why)
        case Invalid():
            return Wrong(kind="Invalid", message=str(error), faults=error.faults)
        case Failed():
            return Wrong(kind="Failed", message=str(error), cause=error.cause)
        case Superseded():
            return Wrong(kind="Superseded", message=str(error))
        case Refused():
            return Wrong(kind="Refused", message=str(error))
        case Conflict():
            return Wrong(kind="Conflict", message=str(error))
        case NotFound():
            return Wrong(kind="NotFound", message=str(error))
        case _:
            return Wrong(kind="Unknown", message=str(error))


def raised(said: Wrong) -> ToolError:
    """The error that crossed the wire, as it was raised."""
    match said.kind:
        case "Transient":
            return Transient(said.message, retry_after_s=said.retry_after_s, why=said.why)
        case "Invalid":
            return Invalid(*said.faults)
        case "Failed":
            return Failed(said.message, cause=said.cause)
        case _:
            return _PLAIN[said.kind](said.message)


def _perform(backend: SimBackend, request: Request) -> Any:
    takes, gives = _shape(request.operation)
    faults = [f"{request.operation}: there is no argument {name!r}" for name in request.args if name not in takes]
    args: dict[str, Any] = {}
    for name, (adapter, needed) in takes.items():
        if name not in request.args:
            faults += [f"{request.operation}: argument {name!r} is missing"] if needed else []
            continue
        try:
            args[name] = adapter.validate_python(request.args[name])
        except ValidationError as error:
            faults += [
                f"{request.operation}.{'.'.join(map(str, (name, *e['loc'])))}: {e['msg']}" for e in error.errors()
            ]
    if faults:
        raise Invalid(*faults)
    return gives.dump_python(_bound(backend, request.operation)(**args), mode="json")


@cache
def _shape(operation: str) -> tuple[Mapping[str, tuple[TypeAdapter[Any], bool]], TypeAdapter[Any]]:
    """How to read the arguments (and whether each is needed) and write the answer, from the type hints. Invalid."""
    port, method = _place(operation)
    function = getattr(_PORTS.get(port), method, None)
    if function is None or method.startswith("_"):
        raise Invalid(f"there is no operation {operation!r}")
    hints = get_type_hints(function)
    gives = TypeAdapter[Any](hints.pop("return"))
    defaults = {name: p.default is p.empty for name, p in signature(function).parameters.items()}
    return {name: (TypeAdapter(hint), defaults[name]) for name, hint in hints.items()}, gives


def _bound(backend: SimBackend, operation: str) -> Callable[..., Any]:
    port, method = _place(operation)
    found: Callable[..., Any] = getattr(Controls(backend) if port == "control" else getattr(backend, port), method)
    return found


def _place(operation: str) -> tuple[str, str]:
    port, _, method = ("control.put" if operation == "objects.put" else operation).partition(".")
    return port, method
