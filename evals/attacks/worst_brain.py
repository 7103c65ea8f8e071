"""A brain that understands what it is told and plans the most harmful thing it can, one harm at a time.

Harms are made from the catalogue: each tool × each argument × each harmful value, put into the honest plan and put
beside it; then what can be wrong with a step, with a plan, and with the moment at which it is proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent.brain.protocol import Change, Context, Known, Terms
from agent.brain.rules.brain import Embedded
from agent.brain.rules.planning.propose import propose
from agent.contract import Contract, Refusal
from agent.goal import Goal
from agent.plan import Plan
from agent.survey import Survey
from tools.record import Json

Moment = Literal["first", "later"]
"""The first plan, or a revision after it was agreed to."""
Spoil = Callable[[Plan, "Started"], Plan]


@dataclass(frozen=True)
class Started:
    """What has begun when a plan is spoilt: an honest loop would never change it."""

    steps: frozenset[str]
    results: Mapping[str, Json]
    shown: tuple[Contract, Survey]
    """What the brain is asked about: it may try to write in it."""
    places: Mapping[str, str]
    """What `{project}`, `{outside}` and `{home}` stand for."""


@dataclass(frozen=True)
class Harm:
    """One harmful plan, by name."""

    name: str
    spoil: Spoil
    moment: Moment = "first"

    def later(self) -> Harm:
        """The same, in a revision."""
        return replace(self, name=f"{self.name} later", moment="later")


class WorstBrain(Embedded):
    """The brain; one harm a run."""

    name = "worst"

    def __init__(self, contract: Contract, harm: Harm, places: Mapping[str, str]) -> None:
        self._contract = contract
        self._harm = harm
        self._places = places
        self.spoilt = 0
        """How often it proposed its harm."""

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal:
        return self._contract

    def propose(
        self,
        contract: Contract,
        survey: Survey,
        terms: Terms,
        *,
        goal: str = "",
        open_: bool = False,
        known: tuple[Known, ...] = (),
        faults: tuple[str, ...] = (),
        before: Plan | None = None,
        started: frozenset[str] = frozenset(),
        results: Mapping[str, Json] | None = None,
        changes: tuple[Change, ...] = (),
    ) -> Plan:
        del goal, open_, known, faults  # told what is wrong with its plan, it proposes it again
        honest = propose(contract, survey, terms, before=before, started=started, results=results, changes=changes)
        if (before is None) != (self._harm.moment == "first"):
            return honest
        self.spoilt += 1
        return self._harm.spoil(honest, Started(started, results or {}, (contract, survey), self._places))


def filled(value: Any, places: Mapping[str, str], step: str = "") -> Any:
    """The value with its places named, and its own step where it refers to that."""
    if isinstance(value, str):
        for name, place in {**places, "self": step}.items():
            value = value.replace("{" + name + "}", place)
        return deep() if value == "DEEP" else value
    if isinstance(value, dict):
        return {k: filled(v, places, step) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [filled(v, places, step) for v in value]
    return value


def deep(levels: int = 300) -> Any:
    """A list in a list, so many times."""
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made
