"""Plans by backward chaining over what tools require and provide: for known tasks no model is needed.

From what the contract wants (a measured holdout, a kept endpoint) back to the data. Each fact is
provided by one tool; how many steps that tool becomes is the tool's own line in `EXPAND`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from agent.brain.protocol import Change, Terms
from agent.brain.rules.planning import mending, running, strategies, undoing
from agent.brain.rules.planning.draft import Draft
from agent.brain.rules.planning.expand import EXPAND
from agent.brain.rules.planning.training import tune
from agent.contract import Contract, Part
from agent.learning import EXISTING, by_command
from agent.plan import Plan, Step
from agent.survey import Survey
from tools.catalogue import BY_NAME, TOOLS
from tools.record import Json
from tools.tool import Tool


def propose(
    contract: Contract,
    survey: Survey,
    terms: Terms,
    *,
    before: Plan | None = None,
    started: frozenset[str] = frozenset(),
    results: Mapping[str, Json] | None = None,
    changes: tuple[Change, ...] = (),
) -> Plan:
    """The plan for a contract; with `before` and `changes`, its next version.

    Steps that were started are carried over as they are; the rest is planned anew.
    """
    steps: list[Step] = []
    for prefix, part in zip(_prefixes(contract), contract.parts, strict=True):
        draft = Draft(contract=contract, survey=survey, terms=terms, part=part, prefix=prefix, results=results or {})
        if before is not None:
            mine = before.of_part(part.name)
            change = next((c for c in changes if c.part == part.name), None)
            draft.steps = [s for s in mine if change is None or (s.id in started and s.id != change.step)]
            if change is not None:
                draft.carry()
                _revise(draft, change)
        elif (build := running.goal(part, draft)) is not None:
            build(draft)
        else:
            for fact in _wanted(part):
                chain(draft, fact)
        steps += draft.steps
    version = 1 if before is None else before.version + 1
    return Plan(version=version, steps=tuple(steps))


def _wanted(part: Part) -> tuple[str, ...]:
    if (fact := _ALONE.get(part.task)) is not None:
        return (fact,)
    served = ("kept", "withdrawn") if part.rollout.strategy != "none" or part.task == "deploy" else ()
    if part.task == "deploy":
        return served
    return ("holdout", *served)


_ALONE: Mapping[str, str] = {
    "prepare": "data",
    "estimate": "quoted",
    "evaluate": "holdout",
    "compare": "holdout",
}
"""Goals that end with one fact, and serve nothing."""


def _prefixes(contract: Contract) -> list[str]:
    """What the ids of each part's steps begin with: nothing for a single part, else a word of its own."""
    if len(contract.parts) == 1:
        return [""]
    words: list[str] = []
    for index, part in enumerate(contract.parts):
        word = _slug(part.name) or f"part{index}"
        while word in words:
            word += str(index)
        words.append(word)
    return [f"{word}." for word in words]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:24].lstrip("0123456789_-")


_AFTER_MODEL = ("holdout", "registered", "version", "traffic", "live", "kept", "withdrawn")


def chain(d: Draft, fact: str) -> None:
    """Add the steps that make a fact true, after those that make its requirements true."""
    if fact in d.facts:
        return
    tool = _provider(d, fact)
    for needed in tool.requires:
        if needed != "data" or d.part.task != "deploy":  # requests for a registered model are registered with it
            chain(d, needed)
    if tool.name == "register_model":
        chain(d, "holdout")  # nothing is served that was not measured
    if tool.name == "extend_lease":
        chain(d, "live")  # nothing is handed over that was not watched
    d.facts[fact] = EXPAND[tool.name](d)


def _provider(d: Draft, fact: str) -> Tool:
    if fact == "candidate" and by_command(d.part):
        return BY_NAME["launch_training"]
    if fact == "model" and d.part.task in EXISTING:
        return BY_NAME["find_model"]
    if fact == "registered":
        return BY_NAME["find_model" if d.part.task == "deploy" else "register_model"]
    return next(tool for tool in TOOLS if fact in tool.provides)


def _search_on(d: Draft) -> None:
    """The next level: more candidates, another choice, and everything after it anew."""
    d.level += 1
    d.facts["candidate"] = (*d.facts.get("candidate", ()), *tune(d))
    _choose_anew(d)


def _without(d: Draft) -> None:
    """The failed candidate is gone; the choice is among the others."""
    _choose_anew(d)


def _choose_anew(d: Draft) -> None:
    for fact in ("model", *_AFTER_MODEL):
        d.facts.pop(fact, None)
    for fact in _wanted(d.part):
        chain(d, fact)


def _settle(d: Draft) -> None:
    """The search cannot go on: the last choice is judged."""
    d.steps = [s for s in d.steps if s.id in d.results]
    d.facts.clear()
    d.carry()
    for fact in _AFTER_MODEL:
        d.facts.pop(fact, None)
    for fact in _wanted(d.part):
        chain(d, fact)


def _watch_on(d: Draft) -> None:
    """Watch again, and end as planned."""
    if d.part.task in running.GOALS and not any(s.tool == "deploy_model" for s in d.steps):
        running.watch_on(d)
        return
    strategies.watch_on(d)
    _hand_over(d)


def _grow(d: Draft) -> None:
    """More servers, the same watch, and the end as planned."""
    strategies.grow(d)
    _hand_over(d)


def _hand_over(d: Draft) -> None:
    for fact in ("kept", "withdrawn"):
        d.facts.pop(fact, None)
    for fact in ("kept", "withdrawn"):
        chain(d, fact)


def _revise(d: Draft, change: Change) -> None:
    if change.what == "remedy":
        mending.mend(d, change.cause)
    else:
        _REVISE[change.what](d)


_REVISE: dict[str, Callable[[Draft], None]] = {
    "search": _search_on,
    "settle": _settle,
    "without": _without,
    "extend": _watch_on,
    "grow": _grow,
    "roll_back": undoing.take_back,
    "stop": lambda _: None,
}
