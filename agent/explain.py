"""What the policies decided about a call of a run, with the facts they saw; and what another policy set would decide.

Both read the journal alone. A replay asks about the calls that were made: what a run would have gone on to do
after an answer that differs is not in the journal, and is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.clock import stamp
from agent.errors import Fault, InvalidRequest
from agent.state import CallState, Run, Verdict
from policies.engine import Policies, Ruling
from policies.input import judged
from policies.request import Facts, Label, Request
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.record import Json, Record


class Objection(Record):
    """What one policy said."""

    policy: str
    sentence: str


class Explanation(Record):
    """`policy explain --json`."""

    run: str
    call: str
    step: str
    tool: str
    at: str
    ruling: Ruling
    digest: str
    """Of the call, as it was judged and may be performed."""
    policies: str
    """Digest of the policy set that judged."""
    objections: tuple[Objection, ...]
    notes: tuple[str, ...] = ()
    """Who approved it, where somebody had to."""
    input: Json
    """The arguments that policy judges."""
    facts: Json
    taint: Mapping[str, Label]


class Compared(Record):
    """One call under both policy sets, people's answers left aside."""

    call: str
    tool: str
    then: Ruling
    now: Ruling
    then_policies: tuple[str, ...]
    now_policies: tuple[str, ...]
    sentences: tuple[str, ...] = ()
    """What the other set says of it."""

    @property
    def differs(self) -> bool:
        return (self.then, set(self.then_policies)) != (self.now, set(self.now_policies))


class Replay(Record):
    """`replay --json`: every judged call of the run, in order."""

    run: str
    policies: str
    calls: tuple[Compared, ...]
    parted: str | None
    """The first call that would have been ruled otherwise: what follows it might not have happened."""


def explain(run: Run, call: str) -> Explanation:
    """The judgement of a call, named by its id, its step, or `STEP/ATTEMPT`. InvalidRequest when there is none."""
    state = _find(run, call)
    verdict = state.verdict
    asked = request(run, verdict)
    return Explanation(
        run=run.id,
        call=verdict.call.id,
        step=verdict.call.step,
        tool=verdict.call.tool,
        at=stamp(asked.facts.now_ms / 1000),
        ruling=verdict.ruling,
        digest=verdict.call.digest,
        policies=verdict.policies_digest,
        objections=tuple(
            Objection(policy=p, sentence=s) for p, s in zip(verdict.policies, verdict.reasons, strict=False)
        ),
        notes=verdict.reasons[len(verdict.policies) :],
        input=asked.input,
        facts=verdict.facts,
        taint=verdict.taint,
    )


def replay(run: Run, policies: Policies) -> Replay:
    """Every call that was judged, judged again by these policies from the facts of that time."""
    calls = tuple(_compared(run, state.verdict, policies) for state in run.calls.values())
    parted = next((c.call for c in calls if c.then != c.now), None)
    return Replay(run=run.id, policies=policies.digest, calls=calls, parted=parted)


def request(run: Run, verdict: Verdict) -> Request:
    """The question that was put to the policies, from the journal."""
    tool = BY_NAME.get(verdict.call.tool)
    return Request(
        requester=verdict.call.owner,
        run=run.id,
        tool=verdict.call.tool,
        input=judged(tool, verdict.call.args) if tool is not None else {},
        facts=Facts.model_validate(verdict.facts),
        taint=verdict.taint,
    )


def _compared(run: Run, verdict: Verdict, policies: Policies) -> Compared:
    decision = policies.judge(request(run, verdict))
    # What people said is left aside on both sides: an approved call with objections was held by the policies.
    then: Ruling = "held" if verdict.ruling == "approved" and verdict.policies else verdict.ruling
    return Compared(
        call=verdict.call.id,
        tool=verdict.call.tool,
        then=then,
        now=decision.ruling,
        then_policies=verdict.policies,
        now_policies=tuple(f.policy for f in decision.findings),
        sentences=tuple(f.told for f in decision.findings),
    )


def _find(run: Run, call: str) -> CallState:
    """The latest call that the name fits."""
    found = [state for id_, state in run.calls.items() if call in _names(id_)]
    if not found:
        known = ", ".join(dict.fromkeys(s.call.step for s in run.calls.values())) or tr("none")
        raise InvalidRequest(
            Fault(
                place=run.id,
                what=tr("it has judged no call {call!r}", call=call),
                fix=tr("its calls are of the steps {known}", known=known),
            )
        )
    return found[-1]


def _names(id_: str) -> Iterator[str]:
    _, step, attempt = id_.split("/")
    yield from (id_, step, f"{step}/{attempt}")
