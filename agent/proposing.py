"""The bounded conversation in which a brain proposes a plan: what it reads first, what was wrong, who plans instead.

A brain works on copies and is believed in nothing. Its reads are judged like any other call and made here; its plan is
read anew and validated; its faults go back once, all together. Whatever else it does, the embedded brain plans instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from agent import validate as validation
from agent.brain.protocol import Brain, Change, Known, ReadCall, Reads, Terms
from agent.contract import Contract
from agent.plan import Plan
from agent.survey import Read, Survey
from agent.written import unwritable
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.record import Json, Record
from tools.tool import Effect

MOST_ROUNDS = 3
"""How often a brain may ask to read before it plans."""
MOST_CALLS = 6
"""Reads of one round; what is asked beyond them is not made."""
MOST_PLANS = 2
"""The first, and one with its faults mended."""

Allowed = Callable[[ReadCall], str]
"""Why a read may not be made; empty when it may."""


class Proposal(Record):
    """What came of it: a plan, or the faults of the last one."""

    plan: Plan | None
    faults: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    """What was read on the way, and what was not and why."""
    why: str = ""
    """Why the embedded brain planned instead; empty when it did not."""


def proposal(
    brain: Brain,
    *,
    contract: Contract,
    survey: Survey,
    terms: Terms,
    goal: str,
    open_: bool,
    read: Read,
    allowed: Allowed,
    validate: Callable[[Plan], tuple[str, ...]],
    fallback: Callable[[], Plan],
    before: Plan | None = None,
    started: frozenset[str] = frozenset(),
    results: Mapping[str, Json] | None = None,
    changes: tuple[Change, ...] = (),
) -> Proposal:
    """The brain's plan where `validate` finds no fault in it, else that of `fallback`, judged alike. Never raises for
    what a brain does; at most `MOST_ROUNDS` + `MOST_PLANS` questions are put to it."""
    notes = Notes(read=read, allowed=allowed)
    faults: tuple[str, ...] = ()
    plans = 0
    while True:
        asked = {"goal": goal, "open_": open_, "known": notes.known, "faults": faults}
        revision = {"before": before, "started": started, "results": results, "changes": changes}
        said, faults = _said(brain, (contract, survey, terms), asked | revision)
        if isinstance(said, Reads):
            if notes.rounds >= MOST_ROUNDS:
                why = tr("the model asked to read {n} times and planned nothing", n=notes.rounds + 1)
                return _instead(fallback, validate, notes, why)
            notes.take(said)
            continue
        plans += 1
        if said is not None and not (faults := validate(said)):
            return Proposal(plan=said, known=notes.known)
        why = tr("the model's plan cannot be run: {why}", why=tr("; ").join(faults[:3]))
        ours = _instead(fallback, validate, notes, why, theirs=said)
        if plans >= MOST_PLANS or not ours.why:
            return ours


Said = Plan | Reads | None


def _said(brain: Brain, given: tuple[Contract, Survey, Terms], asked: Json) -> tuple[Said, tuple[str, ...]]:
    """One answer, read anew: a plan, reads, or nothing and why. What it was given it cannot change."""
    try:
        copies, more = deepcopy((given, asked))
        answer: Any = brain.propose(*copies, **more)
        if isinstance(answer, Reads):
            return _wanted(answer), ()
    except Exception as error:  # noqa: BLE001 - whatever a brain does wrong is told as its fault
        return None, (tr("the plan is no plan: {error}", error=type(error).__name__),)
    return validation.proposed(lambda: answer)


def _wanted(answer: Reads) -> Reads:
    """The reads as their records allow them; what is none of them is left out."""
    calls = []
    for call in tuple(answer.calls[:MOST_CALLS]):
        try:
            calls.append(ReadCall.model_validate(call.model_dump(warnings=False)))
        except (ValidationError, ValueError, AttributeError, RecursionError):
            continue
    return Reads(calls=tuple(calls))


def _instead(
    fallback: Callable[[], Plan],
    validate: Callable[[Plan], tuple[str, ...]],
    notes: Notes,
    why: str,
    theirs: Plan | None = None,
) -> Proposal:
    """The embedded brain's plan. Where it is the very plan that was refused, nobody took over."""
    plan, faults = validation.proposed(fallback)
    faults = faults if plan is None else validate(plan)
    same = plan is not None and theirs is not None and plan.steps == theirs.steps
    return Proposal(plan=None if faults else plan, faults=faults, known=notes.known, why="" if same else why)


class Notes:
    """What was read for a brain, each call once."""

    def __init__(self, *, read: Read, allowed: Allowed) -> None:
        self._read = read
        self._allowed = allowed
        self._known: dict[str, Known] = {}
        self.rounds = 0
        """How often something was asked for."""

    @property
    def known(self) -> tuple[Known, ...]:
        return tuple(self._known.values())

    def take(self, wanted: Reads) -> None:
        """Make the reads of one round that were not made before."""
        self.rounds += 1
        for call in wanted.calls:
            odd = tuple(unwritable(call.args))
            key = "" if odd else json.dumps([call.tool, call.args], sort_keys=True)
            if odd:
                self._known[f"{call.tool[:80]} {odd}"] = Known(tool=call.tool[:80], args={}, why=odd[0])
            elif key not in self._known:
                self._known[key] = self._made(call)

    def _made(self, call: ReadCall) -> Known:
        fit, why = _fitting(call)
        if fit is None:
            return Known(tool=call.tool[:80], args={}, why=why)
        try:
            if why := self._allowed(fit):
                return Known(tool=fit.tool, args=fit.args, why=why)
            return Known(tool=fit.tool, args=fit.args, result=self._read(fit.tool, fit.args))
        except Exception as error:  # noqa: BLE001 - a look that fails is a look that says nothing
            return Known(tool=fit.tool, args=fit.args, why=str(error) or type(error).__name__)


def _fitting(call: ReadCall) -> tuple[ReadCall | None, str]:
    """The call in the tool's own form, or why there is none: only tools that read, with typed arguments."""
    tool = BY_NAME.get(call.tool)
    if tool is None:
        return None, tr("there is no tool {tool!r}", tool=call.tool[:80])
    if tool.effect is not Effect.READS:
        return None, tr("{tool} does not only read", tool=call.tool)
    try:
        args = tool.args.model_validate(call.args).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, e['loc']))[:80]}{tr(': ')}{e['msg']}" for e in error.errors(include_url=False))
        return None, tr("; ").join(list(found)[:5])
    return ReadCall(tool=call.tool, args=args), ""
