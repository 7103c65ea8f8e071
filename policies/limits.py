"""`limits.yaml` as a typed record. Everything is checked at once; what is missing is a fault, not a default."""

from __future__ import annotations

from importlib.resources import files

import yaml
from pydantic import Field

from tools.record import Record


class Money(Record):
    ask_above_usd: float = Field(ge=0)
    refuse_above_usd: float = Field(ge=0)


class Time(Record):
    longest_call_s: float = Field(gt=0)
    longest_lease_s: float = Field(gt=0)


class Parallel(Record):
    calls: int = Field(ge=1)


class Rollouts(Record):
    replicas: int = Field(ge=1)


class Searches(Record):
    trials: int = Field(ge=1)


class Ask(Record):
    environments: tuple[str, ...]
    destroys_foreign: bool
    changes_foreign: bool


class Refuse(Record):
    namespaces: tuple[str, ...]


class Approvals(Record):
    expire_after_s: float = Field(gt=0)


class Limits(Record):
    """What the agent may do without asking, and at all."""

    money: Money
    time: Time
    parallel: Parallel
    rollout: Rollouts
    search: Searches
    ask: Ask
    refuse: Refuse
    approvals: Approvals


def load_limits(text: str | None = None) -> Limits:
    """The shipped limits, or those in `text`. ValueError (pydantic's) lists every fault."""
    source = text if text is not None else files("policies").joinpath("limits.yaml").read_text(encoding="utf-8")
    return Limits.model_validate(yaml.safe_load(source))
