"""What an approval reaches: kinds of call as a plan shows them, and whether one call provably is of such a kind.

A call is inside when tool, target, namespace and every argument are those that were shown, its kind is not used up,
and its money fits in what is left. What is not known when a person agrees cannot be agreed to: where a call
destroys what the run did not make, everything it says must have been named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.approving.audience import Today
from agent.documents import Bounds, Kind
from agent.judged.facts import request
from agent.judged.ownership import foreseen, replaced
from agent.plan import REF, Step, refs
from agent.record.ledger import Purse
from agent.search import EXTENSIONS
from agent.state import Run
from policies.request import Facts
from tools.catalogue import BY_NAME
from tools.record import Json
from tools.tool import Call, Effect

_REPEATED = "monitor_endpoint"
"""Watches that leave a clause open are repeated, twice as long each time: an envelope foresees that."""
_LOOKS = frozenset({"seconds", "seed", "since", "stops", "thresholds_ms"})
"""What a watch may do otherwise than it was shown: how long it looks, from when on, and what it counts."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A step that needs an approval, as it is known now."""

    step: Step
    kind: Kind
    facts: Facts
    call: Call | None = None
    """None while arguments are still to come."""

    @property
    def nameable(self) -> bool:
        """An envelope may hold it."""
        destroys = _destroys(self.step.tool)
        if self.facts.public or (destroys and self.facts.target is None):
            return False
        ours = self.facts.made_here or self.facts.undoes
        return ours or not destroys or not _open(self.kind.args)


def held(step: Step, today: Today) -> Held:
    """A step of the current plan before its needs are done."""
    args, run = foreseen(step, today.run), today.run
    asked = request(step, args, run, today.policies, purse=Purse(), digest="", now=today.at, preview=True)
    return Held(step=step, kind=_kind(step, run, asked.facts), facts=asked.facts)


def called(call: Call, step: Step, run: Run, facts: Facts) -> Held:
    """A step of the current plan with the arguments it is about to be called with."""
    return Held(step=step, kind=_kind(step, run, facts), facts=facts, call=call)


def exactly(call: Call, facts: Facts) -> Kind:
    """One call and nothing else."""
    return Kind(
        tool=call.tool,
        target=facts.target,
        namespace=facts.namespace,
        count=1,
        usd_micro=facts.cost_micro,
        args=call.args,
    )


def _kind(step: Step, run: Run, facts: Facts) -> Kind:
    repeated = step.tool == _REPEATED and bool(step.measures)
    times = EXTENSIONS + 1 if repeated else 1
    cost = facts.cost_micro
    return Kind(
        tool=step.tool,
        target=facts.target,
        namespace=facts.namespace,
        count=times,
        usd_micro=None if cost is None else cost * (2**times - 1),
        args={key: _shown(value, step, run) for key, value in step.args.items() if key not in _free(step.tool)},
    )


def _free(tool: str) -> frozenset[str]:
    return _LOOKS if tool == _REPEATED else frozenset()


def _shown(value: object, step: Step, run: Run) -> object:
    """An argument as a person sees it beforehand: what another step will give is named by its tool and field.

    Which version a new one replaces is known from the survey, and named.
    """
    if isinstance(value, dict) and set(value) == {REF}:
        ((needed, name),) = refs(value)
        source = run.plan.step(needed)
        tool = source.tool if source is not None else needed
        if (tool, name) == ("deploy_model", "incumbent") and _destroys(step.tool):
            return replaced(step, run) or {REF: f"{tool}.{name}"}
        return {REF: f"{tool}.{name}"}
    if isinstance(value, dict):
        return {key: _shown(item, step, run) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item, step, run) for item in value]
    return value


def _open(value: object) -> bool:
    """Something in it is still to come."""
    return next(refs(value), None) is not None


def _destroys(tool: str) -> bool:
    declared = BY_NAME.get(tool)
    return declared is None or declared.effect is Effect.DESTROYS


def bounds(kinds: Sequence[Kind], *, until: float) -> Bounds:
    """Kinds that are alike as one, and what they may cost together."""
    merged: dict[str, Kind] = {}
    for kind in kinds:
        before = merged.get(key := _alike(kind))
        merged[key] = kind if before is None else _both(before, kind)
    costs = [k.usd_micro for k in merged.values()]
    total = None if None in costs else sum(c for c in costs if c is not None)
    return Bounds(usd_micro=total, kinds=tuple(merged.values()), until=until)


def _both(a: Kind, b: Kind) -> Kind:
    cost = None if a.usd_micro is None or b.usd_micro is None else a.usd_micro + b.usd_micro
    return a.model_copy(update={"count": a.count + b.count, "usd_micro": cost})


def _alike(kind: Kind) -> str:
    said = [kind.tool, kind.target, kind.namespace, sorted(kind.policies), kind.args]
    return json.dumps(said, sort_keys=True, ensure_ascii=False)


def of_kind(kind: Kind, one: Held, policy: str) -> bool:
    """Whether the call is one of those that were shown for that policy. Says nothing of count and money."""
    if policy not in kind.policies or not one.nameable:
        return False
    mine = one.kind
    if (kind.tool, kind.namespace) != (mine.tool, mine.namespace) or kind.target not in (None, one.facts.target):
        return False
    return _same(kind.args, mine.args) and (one.call is None or _kept(kind, one.call))


def _same(a: Json, b: Json) -> bool:
    """As JSON: a list read back from the journal is the tuple that was written."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _kept(kind: Kind, call: Call) -> bool:
    """What was named then is what is meant now, also where it came from another step."""
    named = {key: value for key, value in kind.args.items() if not _open(value)}
    return _same(named, {key: call.args.get(key) for key in named})


@dataclass
class Tally:
    """What calls have used of every kind that was approved: question and index of the kind → steps, micro-USD."""

    steps: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    micro: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> Tally:
        tally = cls()
        for state in run.calls.granted:
            for place in {(g.pending, g.kind) for g in state.verdict.grants}:
                tally.take(place, state.call.step, state.committed_micro)
        return tally

    def take(self, place: tuple[str, int], step: str, micro: int) -> None:
        self.steps.setdefault(place, set()).add(step)
        self.micro[place] = self.micro.get(place, 0) + micro

    def used_up(self, place: tuple[str, int], kind: Kind, step: str) -> bool:
        """A step counts once, however often it is tried: a further attempt means that the last one left nothing."""
        return len(self.steps.get(place, set()) | {step}) > kind.count

    def too_dear(self, place: tuple[str, int], kind: Kind, micro: int | None) -> bool:
        if kind.usd_micro is None:
            return False
        return micro is None or self.micro.get(place, 0) + micro > kind.usd_micro
