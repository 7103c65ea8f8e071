"""Whether a call may be made: approved, held for a person, or refused, and by which rule.

A rule is a function from a call's facts to a finding or nothing. The strictest finding wins; a rule
that fails refuses. It judges a call and facts and knows nothing of the agent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from policies.limits import Limits
from tools.language import tr
from tools.record import Json, Record
from tools.tool import Effect

Ruling = Literal["approved", "held", "refused"]
MICRO = 1_000_000


class Facts(Record):
    """What trusted code knows of a call: never what a model says of it."""

    tool: str
    effect: Effect
    args: Json
    """The arguments that policy judges."""
    cost_micro: int | None
    """What the call would reserve; None when a price is not known."""
    left_micro: int | None
    """What the budget still allows; None when the goal sets none."""
    limit_s: float
    environment: str | None = None
    namespace: str | None = None
    constraints: tuple[str, ...] = ()
    mine: bool = True
    """What the call changes or destroys was made by this run or belongs to the requester."""
    undoes: bool = False
    """The call goes back to what was before this run: that is never held up."""
    made_here: bool = False
    """This run itself made what the call acts on: ending it again is never held up."""
    in_flight: int = 0


class Finding(Record):
    """One rule's objection."""

    policy: str
    ruling: Literal["held", "refused"]
    sentence: str
    """Names the fact and the way out, for people."""


class Decision(Record):
    """The judgement of all rules."""

    ruling: Ruling
    findings: tuple[Finding, ...] = ()


Rule = Callable[[Facts, Limits], Finding | None]


def judge(facts: Facts, limits: Limits, rules: tuple[Rule, ...] | None = None) -> Decision:
    """Ask every rule. An error in a rule is a refusal: silence never allows."""
    findings = [f for rule in (rules if rules is not None else RULES) if (f := _ask(rule, facts, limits)) is not None]
    refused = tuple(f for f in findings if f.ruling == "refused")
    if refused:
        return Decision(ruling="refused", findings=refused)
    if findings:
        return Decision(ruling="held", findings=tuple(findings))
    return Decision(ruling="approved")


def _ask(rule: Rule, facts: Facts, limits: Limits) -> Finding | None:
    try:
        return rule(facts, limits)
    except Exception as error:  # noqa: BLE001 - a rule that cannot judge must refuse, whatever went wrong in it
        name = getattr(rule, "__name__", "rule")
        return Finding(
            policy=name,
            ruling="refused",
            sentence=tr("policy {name} could not judge the call: {error}", name=name, error=error),
        )


def budget(facts: Facts, limits: Limits) -> Finding | None:
    del limits
    if facts.cost_micro is None or facts.left_micro is None or facts.cost_micro <= facts.left_micro:
        return None
    cost, left = facts.cost_micro / MICRO, facts.left_micro / MICRO
    return Finding(
        policy="budget",
        ruling="refused",
        sentence=tr(
            "{tool} may cost up to ${cost:.2f} and ${left:.2f} of the budget is left: raise the budget",
            tool=facts.tool,
            cost=cost,
            left=left,
        ),
    )


def price_unknown(facts: Facts, limits: Limits) -> Finding | None:
    del limits
    if facts.cost_micro is not None:
        return None
    return Finding(
        policy="price_unknown",
        ruling="held",
        sentence=tr("the price of {tool} here is not known: approve it, or set the price", tool=facts.tool),
    )


def spend(facts: Facts, limits: Limits) -> Finding | None:
    cost = (facts.cost_micro or 0) / MICRO
    if cost > limits.money.refuse_above_usd:
        limit = limits.money.refuse_above_usd
        return Finding(
            policy="spend",
            ruling="refused",
            sentence=tr(
                "{tool} may cost up to ${cost:.2f} and limits.yaml allows ${limit:.2f} a call",
                tool=facts.tool,
                cost=cost,
                limit=limit,
            ),
        )
    if cost > limits.money.ask_above_usd:
        limit = limits.money.ask_above_usd
        return Finding(
            policy="spend",
            ruling="held",
            sentence=tr(
                "{tool} may cost up to ${cost:.2f}: above ${limit:.2f} a person must agree",
                tool=facts.tool,
                cost=cost,
                limit=limit,
            ),
        )
    return None


_SERVING = (
    "deploy_model",
    "shift_traffic",
    "mirror_traffic",
    "scale_endpoint",
    "rollback_endpoint",
    "extend_lease",
    "withdraw_version",
    "release_resource",
    "monitor_endpoint",
)
"""Calls that change what answers requests or whether anything does, and load, which callers feel."""


def production(facts: Facts, limits: Limits) -> Finding | None:
    # Undoing is never held up: it only returns to what served before. Nor is ending what the run made.
    if facts.environment not in limits.ask.environments or facts.tool not in _SERVING or facts.undoes:
        return None
    if facts.made_here and facts.effect is Effect.DESTROYS:
        return None
    endpoint = facts.args.get("endpoint") or facts.args.get("id") or tr("an endpoint")
    if "no_production" in facts.constraints:
        return Finding(
            policy="production",
            ruling="refused",
            sentence=tr("the goal says not to touch production: {endpoint}", endpoint=endpoint),
        )
    return Finding(
        policy="production",
        ruling="held",
        sentence=tr(
            "{tool} acts on {endpoint} in {environment}: a person must approve it",
            tool=facts.tool,
            endpoint=endpoint,
            environment=tr(facts.environment or ""),
        ),
    )


def destroy(facts: Facts, limits: Limits) -> Finding | None:
    if facts.effect is not Effect.DESTROYS or facts.mine or not limits.ask.destroys_foreign:
        return None
    what = facts.args.get("id") or facts.args.get("endpoint") or tr("something")
    return Finding(
        policy="destroy",
        ruling="held",
        sentence=tr(
            "{tool} ends {what}, which this run did not make: a person must approve it by name",
            tool=facts.tool,
            what=what,
        ),
    )


def foreign(facts: Facts, limits: Limits) -> Finding | None:
    """Another person's endpoint is not changed, taken over or put under load without a person's yes."""
    touches = facts.effect in (Effect.CREATES, Effect.CHANGES) and "endpoint" in facts.args
    if facts.mine or facts.undoes or not touches or not limits.ask.changes_foreign:
        return None
    return Finding(
        policy="foreign",
        ruling="held",
        sentence=tr(
            "{tool} acts on {endpoint}, which belongs to somebody else: a person must approve it by name",
            tool=facts.tool,
            endpoint=facts.args["endpoint"],
        ),
    )


def constraints(facts: Facts, limits: Limits) -> Finding | None:
    del limits
    if "no_deploy" in facts.constraints and facts.tool in ("deploy_model", "shift_traffic", "mirror_traffic"):
        return Finding(policy="constraints", ruling="refused", sentence=tr("the goal says not to deploy"))
    if "read_only" in facts.constraints and facts.effect is not Effect.READS:
        return Finding(policy="constraints", ruling="refused", sentence=tr("the goal says to change nothing"))
    return None


def namespaces(facts: Facts, limits: Limits) -> Finding | None:
    if facts.namespace is None or facts.namespace not in limits.refuse.namespaces:
        return None
    return Finding(
        policy="namespaces",
        ruling="refused",
        sentence=tr("nothing is done in the system namespace {namespace}: name another one", namespace=facts.namespace),
    )


def sizes(facts: Facts, limits: Limits) -> Finding | None:
    for value, limit, what in (
        (facts.limit_s, limits.time.longest_call_s, tr("seconds for one call")),
        (facts.args.get("for_s", 0), limits.time.longest_lease_s, tr("seconds of lease")),
        (facts.args.get("trials", 0), limits.search.trials, tr("trials")),
        (facts.args.get("replicas", 0), limits.rollout.replicas, tr("replicas")),
        (facts.in_flight, limits.parallel.calls, tr("calls in flight")),
    ):
        if value > limit:
            return Finding(
                policy="sizes",
                ruling="refused",
                sentence=tr(
                    "{tool} asks for {value:g} {what} and limits.yaml allows {limit:g}",
                    tool=facts.tool,
                    value=value,
                    what=what,
                    limit=limit,
                ),
            )
    return None


RULES: tuple[Rule, ...] = (budget, price_unknown, spend, production, destroy, foreign, constraints, namespaces, sizes)
