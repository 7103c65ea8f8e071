"""Plans by a language model, where a goal leaves open what is to be done.

For everything else no model is asked: a known task has one right plan, which the embedded planner finds by chaining,
and so it is with every revision but the remedy of what a diagnosis found. A goal that is first to be looked into is
looked into as the embedded planner does it. The model chooses among typed steps; it sees facts, and no text from
outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar, get_args

from pydantic import BaseModel

from agent.brain.llm.client.errors import NoAnswer
from agent.brain.llm.proposing import facts
from agent.brain.llm.proposing.expand import Expansion
from agent.brain.llm.proposing.names import Names, stated
from agent.brain.llm.proposing.steps import Answered, Operating, Placing
from agent.brain.protocol import Change, Known, Reads, Terms
from agent.brain.rules.planning import propose as embedded
from agent.contract import Contract
from agent.lines import Purpose
from agent.plan import Plan
from agent.remedy import REMEDY
from agent.survey import Survey
from tools.catalogue import BY_NAME
from tools.record import Json

R = TypeVar("R", bound=BaseModel)
_OPERATED = ("deploy", "rollback", "scale", "watch", "diagnose", "cleanup")
"""Tasks about something that runs."""


class Asks(Protocol):
    """As much of an `Asker` as is needed here."""

    def ask(
        self,
        purpose: Purpose,
        prompt: str,
        variables: Mapping[str, str],
        answer: type[R],
        *,
        check: Callable[[R], tuple[str, ...]],
    ) -> R: ...

    def note_instead(self, purpose: Purpose) -> None: ...


def propose(
    asker: Asks,
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
) -> Plan | Reads:
    """A plan, or what is to be read first. Without an answer of the model, the embedded planner's plan."""

    def usual() -> Plan:
        return embedded.propose(
            contract, survey, terms, before=before, started=started, results=results, changes=changes
        )

    if not open_ or not asks(contract, before, changes):
        return usual()
    names = Names(stated(contract))
    said = _results(before, results or {})
    variables = {
        "contract": stated_as(contract),
        "tools": tools(answer_of(contract)),
        "facts": facts.lines(survey, known, said, names, owner=terms.owner),
        "goal": goal,
        "change": wanted(changes),
        "faults": "\n".join(names.hidden(f) for f in faults) or "none",
    }

    def expansion() -> Expansion:
        return Expansion(contract, survey, terms, names, usual=usual, before=before, results=results)

    try:
        answer = asker.ask(
            "propose", "propose", variables, answer_of(contract), check=lambda a: checked(a, expansion())
        )
    except NoAnswer:
        asker.note_instead("propose")
        return usual()
    return made(answer, expansion())


def asks(contract: Contract, before: Plan | None, changes: tuple[Change, ...]) -> bool:
    """Whether the model is asked about an open goal: for its first plan, and for a remedy of what a look found."""
    if before is not None:
        return any(c.what == REMEDY for c in changes)
    return any(p.task != "diagnose" for p in contract.parts)


def answer_of(contract: Contract) -> type[Answered]:
    """What it may answer: only steps that the goal's tasks can need."""
    operated = any(p.task in _OPERATED or p.rollout.strategy != "none" for p in contract.parts)
    return Operating if operated else Placing


def made(answer: Answered, expansion: Expansion) -> Plan | Reads:
    if answer.kind == "reads":
        return Reads(calls=expansion.reads(answer))
    return expansion.plan(answer)


def checked(answer: Answered, expansion: Expansion) -> tuple[str, ...]:
    """What is wrong with the answer itself; whether its plan can be run is judged by whoever asked for it."""
    if answer.kind == "reads" and not answer.reads:
        return ("reads: there are none",)
    made(answer, expansion)
    return tuple(expansion.faults)


def stated_as(contract: Contract) -> str:
    """The contract in its own words, without sentences."""
    return json.dumps(
        contract.model_dump(mode="json", exclude_defaults=True, exclude={"assumptions", "questions"}),
        ensure_ascii=False,
        separators=(",", ":"),
    )


def tools(answer: type[Answered]) -> str:
    """Every read and step that may be answered, one a line, with its arguments and what it does."""
    listed = {name: kind for field in ("reads", "steps") for name, kind in _kinds(answer, field)}
    return "\n".join(_line(name, kind) for name, kind in listed.items())


def _kinds(answer: type[Answered], field: str) -> Iterator[tuple[str, type[BaseModel]]]:
    (listed, _) = get_args(answer.model_fields[field].annotation)
    for kind in get_args(get_args(listed)[0]):
        yield get_args(kind.model_fields["tool"].annotation)[0], kind


def _line(name: str, kind: type[BaseModel]) -> str:
    arguments = ", ".join(f for f in kind.model_fields if f != "tool")
    does = BY_NAME[name].does if name in BY_NAME else " ".join((kind.__doc__ or "").split())
    return f"- {name}({arguments}): {does}"


def wanted(changes: tuple[Change, ...]) -> str:
    """What is asked for in a revision, in closed words."""
    mended = [f"part {c.part}: mend the cause {c.cause}, then measure again" for c in changes if c.what == REMEDY]
    return "\n".join(mended) or "a first plan"


def _results(before: Plan | None, results: Mapping[str, Json]) -> dict[str, tuple[str, Json]]:
    """Step → (tool, result) of what has been done."""
    steps = before.steps if before is not None else ()
    return {s.id: (s.tool, results[s.id]) for s in steps if s.id in results}
