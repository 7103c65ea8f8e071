"""What a tool is: one typed record beside its function. A call is a tool with resolved arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from tools.judged import Judged, View, views
from tools.ports import Backend, Capability, Progress, Tags
from tools.record import Json, Record


class Effect(StrEnum):
    """What a call does to the world; an undeclared effect counts as `destroys`."""

    READS = "reads"
    CREATES = "creates"
    CHANGES = "changes"
    DESTROYS = "destroys"


class Call(Record):
    """One tool with resolved arguments."""

    id: str
    """`RUN/STEP/ATTEMPT`: the token that makes a creation findable."""
    run: str
    step: str
    attempt: int
    tool: str
    args: Json
    digest: str
    limit_s: float
    owner: str

    @classmethod
    def of(cls, *, run: str, step: str, attempt: int, tool: str, args: Json, limit_s: float, owner: str) -> Call:
        return cls(
            id=f"{run}/{step}/{attempt}",
            run=run,
            step=step,
            attempt=attempt,
            tool=tool,
            args=args,
            digest=digest_of(run, step, attempt, tool, args, limit_s, owner),
            limit_s=limit_s,
            owner=owner,
        )

    @property
    def sealed(self) -> bool:
        """The digest is that of everything the call says, its id included."""
        own = digest_of(self.run, self.step, self.attempt, self.tool, self.args, self.limit_s, self.owner)
        return self.digest == own and self.id == f"{self.run}/{self.step}/{self.attempt}"


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def digest_of(run: str, step: str, attempt: int, tool: str, args: Json, limit_s: float, owner: str) -> str:
    """sha256 of everything a call says, in canonical JSON: tool and arguments, whose it is, and its hard limit."""
    said = [run, step, attempt, tool, args, limit_s, owner]
    return hashlib.sha256(_CANONICAL(said).encode()).hexdigest()


class Done(Record):
    """The call is over and this is its typed result, as JSON."""

    result: Json
    usd_micro: int | None = None
    """What its backend says that it cost; None where it is billed by the hour."""


class Running(Record):
    """The work goes on outside the process; the handle finds it again."""

    handle: str
    progress: Progress | None = None


Outcome = Done | Running


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where a call is performed: the backend and what the created resource says of itself."""

    backend: Backend
    tags: Tags
    limit_s: float
    now: float


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A typed capability."""

    name: str
    does: str
    """One sentence for people and models."""
    effect: Effect
    args: type[BaseModel]
    result: type[BaseModel]
    requires: tuple[str, ...] = ()
    """Kinds of fact it needs: `data`, `candidate`, `model`, `holdout`, `version`, `live`."""
    provides: tuple[str, ...] = ()
    judged: tuple[Judged, ...] = ()
    """Arguments that policy judges, by field or as a view; the rest is covered by the digest."""
    places: tuple[str, ...] = ()
    """Arguments that name data or programs outside our own objects, as paths: `tables.*.source`."""
    uses: Capability | None = None
    """The port it acts through; None for a pure computation."""
    undo: str | None = None
    """The tool that takes back what this one made."""
    fix: Callable[[Json, float], Json] | None = None
    """Arguments that are settled when the call is made, and hold for every repetition of it: (args, now) → more."""
    start: Callable[[Any, Site], Outcome]
    follow: Callable[[Any, Site, str], Outcome] | None = None
    """Looks at running work: (args, site, handle) → outcome. Raises `Failed` with a typed cause."""
    find: Callable[[Any, Site], Outcome | None] | None = None
    """After an unknown outcome: what the backend knows of this call, or None."""
    stop: Callable[[Any, Site, str], None] | None = None
    """Ends running work; idempotent."""

    def __post_init__(self) -> None:
        if not self.does:
            raise ValueError(f"tool {self.name} has no description")
        try:
            views(self.args, self.judged)
        except ValueError as error:
            raise ValueError(f"tool {self.name}: {error}") from error

    @cached_property
    def views(self) -> tuple[View, ...]:
        """What policy judges, by the names that policies know."""
        return views(self.args, self.judged)
