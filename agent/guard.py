"""Stage 5, guard: whether exactly this call may be made. Only here is an `Approved` made.

Facts are computed from the journal, the survey and the limits; a person's answer counts only for the
plan or the call it was given for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.documents import ApprovalAsked, Pending
from agent.plan import REF, Plan, Step, resolve
from agent.state import Planned, Run, Verdict
from policies.engine import MICRO, Facts, judge
from policies.limits import Limits
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.record import Json
from tools.tool import Call, Effect

HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Approved:
    """A call the guard approved; `act` takes nothing else."""

    verdict: Verdict

    @property
    def call(self) -> Call:
        return self.verdict.call


def review(
    step: Step, run: Run, limits: Limits, *, attempt: int = 1, now: float | None = None
) -> tuple[Verdict, Approved | None]:
    """Judge a step whose needs are done. The verdict is journalled; `Approved` exists only with it.

    `now`: epoch seconds that arguments about time are counted from; None is the journal's last line.
    """
    assert run.stated is not None
    args = resolve(step.args, {n: r for n in _reachable(run, step) if (r := run.result(n)) is not None})
    if (tool := BY_NAME.get(step.tool)) is not None and tool.fix is not None:
        args |= tool.fix(args, run.last if now is None else now)
    call = Call.of(
        run=run.id,
        step=step.id,
        attempt=attempt,
        tool=step.tool,
        args=args,
        limit_s=step.limit_s,
        owner=run.stated.owner,
    )
    facts = _facts(step, args, run)
    decision = judge(facts, limits)
    ruling = decision.ruling
    policies = tuple(f.policy for f in decision.findings)
    reasons = tuple(f.sentence for f in decision.findings)
    if ruling == "held" and (answer := _covered(step, run)):
        ruling, reasons = "approved", (*reasons, tr("approved by {answer}", answer=answer))
    verdict = Verdict(
        call=call,
        ruling=ruling,
        policies=policies,
        reasons=reasons,
        facts=facts.model_dump(mode="json", exclude={"args"}),
        reserve_micro=facts.cost_micro or 0,
    )
    return verdict, Approved(verdict=verdict) if ruling == "approved" else None


def readmit(verdict: Verdict) -> Approved:
    """An approval that the journal already holds, after a restart. ValueError for any other verdict."""
    if verdict.ruling != "approved":
        raise ValueError(f"call {verdict.call.id} was {verdict.ruling}")
    return Approved(verdict=verdict)


def preview(plan: Plan, run: Run, limits: Limits) -> tuple[tuple[ApprovalAsked, ...], tuple[ApprovalAsked, ...]]:
    """What a person would be asked if the plan ran under today's facts, and what would be refused."""
    asked: list[ApprovalAsked] = []
    refused: list[ApprovalAsked] = []
    for step in plan.steps:
        if run.done(step.id):
            continue
        decision = judge(_facts(step, _literal(step.args), run, preview=True), limits)
        policies = tuple(f.policy for f in decision.findings)
        reason = tr("; ").join(f.sentence for f in decision.findings)
        if decision.ruling != "approved":
            found = ApprovalAsked(step=step.id, reason=reason, policies=policies)
            (asked if decision.ruling == "held" else refused).append(found)
    return tuple(asked), tuple(refused)


def envelope(run: Run) -> str:
    """The id of the one question that covers the current plan."""
    return f"plan-{run.plan.version}"


def question(run: Run, *, now: float, limits: Limits) -> Pending | None:
    """The question a person must answer before the current plan goes on; None when nothing is asked."""
    planned = run.plans[-1]
    id_ = envelope(run)
    if not planned.approvals or id_ in run.answers or id_ in run.pending or _inside_accepted(run):
        return None
    reasons = dict.fromkeys(a.reason for a in planned.approvals)
    policies = dict.fromkeys(p for a in planned.approvals for p in a.policies)
    cost = sum((_cost(s, run) or 0) for s in planned.plan.steps if not run.done(s.id))
    unknown = any(_cost(s, run) is None for s in planned.plan.steps)
    return Pending(
        id=id_,
        step=", ".join(a.step for a in planned.approvals),
        tool=", ".join(dict.fromkeys(s.tool for a in planned.approvals if (s := planned.plan.step(a.step)))),
        reason=tr("; ").join(reasons),
        policies=tuple(policies),
        usd=None if unknown else cost / MICRO,
        asked=now,
        expires=now + limits.approvals.expire_after_s,
    )


def denied(run: Run) -> str | None:
    """Who said no to the current plan, when somebody did."""
    answer = run.answers.get(envelope(run))
    return answer.who if answer is not None and not answer.approve else None


def _covered(step: Step, run: Run) -> str | None:
    """Who approved this step: an answer about this plan, or an accepted envelope that holds it."""
    if not any(a.step == step.id for a in run.plans[-1].approvals):
        return None
    answer = run.answers.get(envelope(run))
    return answer.who if answer is not None and answer.approve else _inside_accepted(run)


def _inside_accepted(run: Run) -> str | None:
    """Who accepted bounds that the whole current plan lies in; None when nobody did.

    The bounds of an accepted plan are its kinds of call and its money: a later version that needs no
    other kind of held call and reserves no more for them is inside.
    """
    assert run.stated is not None
    wanted, most = _asked(run.plans[-1], run)
    for planned in run.plans:
        answer = run.answers.get(f"plan-{planned.plan.version}")
        accepted = run.stated.accept and planned.plan.version == 1
        if not accepted and (answer is None or not answer.approve):
            continue
        kinds, money = _asked(planned, run)
        if wanted <= kinds and most <= money:
            return answer.who if answer is not None else f"{run.stated.owner} (--yes)"
    return None


def _asked(planned: Planned, run: Run) -> tuple[set[tuple[str, str]], float]:
    """What a person has to agree to in a plan: kinds of call as (tool, what it acts on), and micro-USD in all.

    A watch that is held for where it is, and not for its price, counts as a kind: a longer one is no new question.
    """
    asked = {a.step: set(a.policies) for a in planned.approvals}
    steps = [s for s in planned.plan.steps if s.id in asked]
    costs = [_cost(s, run) for s in steps if s.tool != "monitor_endpoint" or asked[s.id] & {"spend", "price_unknown"}]
    kinds = {(s.tool, str(s.args.get("endpoint") or s.args.get("id", ""))) for s in steps}
    return kinds, sum(math.inf if c is None else c for c in costs)


def _facts(step: Step, args: Json, run: Run, *, preview: bool = False) -> Facts:
    tool = BY_NAME.get(step.tool)
    contract = run.contract
    left = None
    if contract is not None and contract.budget_usd is not None:
        left = round(contract.budget_usd * MICRO) - run.settled_micro - (0 if preview else run.reserved_micro)
    return Facts(
        tool=step.tool,
        effect=tool.effect if tool is not None else Effect.DESTROYS,
        args={name: args[name] for name in (tool.judged if tool else ()) if name in args},
        cost_micro=_cost(step, run),
        left_micro=left,
        limit_s=step.limit_s,
        environment=contract.environment if contract else None,
        namespace=contract.namespace if contract else None,
        constraints=contract.constraints if contract else (),
        mine=_mine(args, run),
        made_here=_made_here(args, run),
        undoes=_undoes(step, run),
        in_flight=0 if preview else len(run.live_calls()),
    )


_LIVES_FOR = {
    "deploy_model": "lease_s",
    "extend_lease": "for_s",
    "scale_endpoint": "for_s",
    "rollback_endpoint": "for_s",
}
"""Calls whose creation outlives them: how long, by argument. The reservation covers all of it."""


def _cost(step: Step, run: Run) -> int | None:
    """Price × hard limit, rounded up to a micro-USD; what reads or only computes is free."""
    tool = BY_NAME.get(step.tool)
    if tool is None:
        return None
    if tool.uses not in ("jobs", "serving", "machines") or tool.effect not in (Effect.CREATES, Effect.CHANGES):
        return 0
    if step.tool in ("shift_traffic", "mirror_traffic"):
        return 0  # weights cost nothing, whatever the price of what they point to
    if step.tool == "rollback_endpoint" and servers(step.args) == 0:
        return 0
    price = run.survey.usd_micro_per_hour if run.survey is not None else None
    if price is None:
        return None
    seconds = step.limit_s
    if step.tool in _LIVES_FOR:
        replicas = servers(step.args)
        seconds = float(step.args.get(_LIVES_FOR[step.tool], step.limit_s)) * replicas
    return math.ceil(price * seconds / HOUR_S)


def servers(args: Json) -> int:
    """How many servers a call pays for: those that it adds, where it says so. Going back starts none of itself."""
    size = args.get("replicas")
    if args.get("added") is not None:
        return int(args["added"])
    return int(size) if size is not None else 0 if "to" in args else 1


def _named(args: Json) -> str | None:
    """The endpoint that a call acts on."""
    name = args.get("endpoint") or (args.get("id") if args.get("kind") == "endpoint" else None)
    return None if name is None else str(name)


def _mine(args: Json, run: Run) -> bool:
    """The thing acted on was made by this run, or belongs to the same person; what nobody looked at does not."""
    name = _named(args)
    if name is None:
        return args.get("kind") is None
    owner = run.stated.owner if run.stated is not None else None
    seen = run.survey
    if seen is None or name not in seen.endpoints:
        own = seen.owned or () if seen is not None else ()
        return _deployed(name, run) or any((o.kind, o.id, o.owner) == ("endpoint", name, owner) for o in own)
    known = seen.endpoints[name]
    return known is None or known.owner == owner or _own_version(args, run)


def _deployed(name: str | None, run: Run, version: str | None = None) -> bool:
    """This run has deployed to the endpoint: that version, or any."""
    calls = (c.call.args for c in run.calls.values() if c.call.tool == "deploy_model" and c.phase not in _NOT_MADE)
    return any(a.get("endpoint") == name and version in (None, a.get("version")) for a in calls)


_NOT_MADE = ("held", "refused")


def _own_version(args: Json, run: Run) -> bool:
    """It ends a version that this run has put behind the endpoint and that was not there before."""
    name, version = args.get("endpoint"), args.get("version")
    before = run.survey.endpoints.get(str(name)) if run.survey is not None else None
    if version is None or set(args) != {"endpoint", "version"} or not _deployed(name, run, str(version)):
        return False
    return before is None or before.version(str(version)) is None


def _made_here(args: Json, run: Run) -> bool:
    """The endpoint was not there before this run deployed it."""
    name = _named(args)
    before = run.survey.endpoints.get(name) if run.survey is not None and name is not None else None
    return _deployed(name, run) and before is None


def _undoes(step: Step, run: Run) -> bool:
    """It goes back to what was before this run changed it."""
    changed = ("deploy_model", "scale_endpoint")
    name = step.args.get("endpoint")
    if step.tool == "withdraw_version":
        return _own_version(step.args, run)
    return step.tool == "rollback_endpoint" and any(
        c.call.tool in changed and c.call.args.get("endpoint") == name for c in run.calls.values()
    )


def _reachable(run: Run, step: Step) -> set[str]:
    """Ids of the steps whose results this one may refer to: its needs and theirs."""
    plan, seen, todo = run.plan, set[str](), list(step.needs)
    while todo:
        id_ = todo.pop()
        if id_ not in seen:
            seen.add(id_)
            needed = plan.step(id_)
            todo.extend(needed.needs if needed else ())
    return seen


def _literal(args: Json) -> Json:
    """Arguments that are known before anything ran: references are left out."""
    return {key: value for key, value in args.items() if not (isinstance(value, dict) and set(value) == {REF})}
