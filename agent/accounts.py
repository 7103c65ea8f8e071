"""Reserve before, settle after, release on failure: what each line of a journal moves in the ledger.

What was reserved is what the verdict says: it was judged, and is never computed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agent.contract import Contract
from agent.judged import pricing
from agent.judged.ownership import target
from agent.record.ledger import LARGEST, Cap, Entry, Resource, Source
from agent.state import CallState, Ended, Overran, Run, Settled
from policies.limits import Limits
from tools.errors import Cause

UNDO = "/undo"
"""What the name of a call's second reservation ends with: to bring back what served before."""
_SOURCE: Mapping[str, Source] = {
    **dict.fromkeys(("deploy_model", "extend_lease", "scale_endpoint", "rollback_endpoint"), "endpoint"),
    "bring_model": "transfer",
    "register_model": "storage",
}
"""What a tool spends money on; the others compute."""
_GOES_ON = ("deploy_model", "scale_endpoint")
"""What these make goes on after the call is over: the reservation stays open."""
_TAKES_OVER = ("extend_lease", "release_resource", "rollback_endpoint")
"""What these end or hand over is paid for up to here; from then on somebody else's lease pays."""
_PAID_AHEAD = ("extend_lease", "rollback_endpoint")
"""What keeps running after the report is paid for by its lease."""
_NOT_DONE: tuple[Cause, ...] = ("permission", "data_missing", "data_invalid")
"""Causes of a failure after which nothing was changed."""


def caps(limits: Limits) -> tuple[Cap, ...]:
    """What the operator allows the accounts that a run draws on; a limit that is taken away is the largest amount."""

    def most(limit: float | str, each: int) -> int:
        return LARGEST if isinstance(limit, str) else min(LARGEST, round(limit * each))

    money, tokens = limits.money, limits.tokens
    return (
        Cap(holder="requester", most=most(money.requester_usd_per_month, pricing.MICRO)),
        Cap(holder="month", most=most(money.all_usd_per_month, pricing.MICRO)),
        Cap(holder="standing", most=most(money.standing_usd_per_month, pricing.MICRO)),
        Cap(holder="requester", resource="gpu_ms", most=most(limits.gpu.hours_per_month, 3_600_000)),
        Cap(holder="run", resource="tokens", most=tokens.per_run),
        Cap(holder="requester", resource="tokens", most=tokens.per_month),
    )


def bounds(contract: Contract | None) -> dict[Resource, int]:
    """What the goal allows its run: money, and trials where it says for every model how many."""
    found: dict[Resource, int] = {}
    if contract is not None and contract.budget_usd is not None:
        found["usd_micro"] = min(LARGEST, int(Decimal(repr(contract.budget_usd)) * pricing.MICRO))
    trials = [p.search.trials if p.search is not None else None for p in contract.parts] if contract is not None else []
    if trials and None not in trials:
        found["trials"] = sum(t for t in trials if t is not None)
    return found


def source(tool: str) -> Source:
    """What the money of a call is spent on."""
    return _SOURCE.get(tool, "compute")


def reservations(state: CallState, run: Run, now: float) -> Iterator[Entry]:
    """What a call's intent moves."""
    call, kind = state.call, source(state.call.tool)
    for resource, amount in _amounts(state, run).items():
        if amount or resource == "usd_micro":
            yield Entry(
                call=call.id,
                kind="reserve",
                amount=amount,
                resource=resource,
                source=kind,
                rate=state.verdict.rate_micro if resource == "usd_micro" else 0,
                until=now + _lives_s(state, run) if pricing.works(call.tool) and resource == "usd_micro" else None,
                thing=_endpoint(state),
            )
    if back := _back(state, run):
        yield Entry(call=call.id + UNDO, kind="reserve", amount=back, source=kind)


def settlements(state: CallState, run: Run, record: Ended | Settled, now: float) -> Iterator[Entry]:
    """What the end of a call, or of what it made, moves; what was reserved and not used comes back."""
    call = state.call
    if isinstance(record, Settled):
        paid, back, until = record.usd_micro - record.undo_micro, record.undo_micro, record.until
    else:
        paid, back, until = record.settled_micro, 0, _until(state, run)
    used: dict[Resource, int] = {"usd_micro": min(LARGEST, paid), "gpu_ms": _gpu_ms(state, run, now), "trials": 0}
    if until is not None:
        used |= {"gpu_ms": _amounts(state, run)["gpu_ms"]}
    if (trials := _result(state).get("trials")) is not None:
        used |= {"trials": min(LARGEST, int(trials))}
    for resource, amount in _amounts(state, run).items():
        if amount or resource == "usd_micro":
            yield Entry(
                call=call.id,
                kind="settle",
                amount=used[resource],
                resource=resource,
                until=until if resource == "usd_micro" else None,
                reserved=amount,
            )
    if held := _back(state, run):
        yield Entry(call=call.id + UNDO, kind="settle", amount=back, reserved=held)
    if call.tool in ("extend_lease", "release_resource") and state.phase == "done" and _endpoint(state) is not None:
        yield Entry(call=call.id, kind="end", thing=_endpoint(state))


def _amounts(state: CallState, run: Run) -> dict[Resource, int]:
    """What was reserved for the call itself."""
    args, verdict = state.call.args, state.verdict
    trials = args.get("trials") if state.call.tool == "tune_model" else None
    return {
        "usd_micro": verdict.reserve_micro - _back(state, run),
        "gpu_ms": 0 if verdict.facts.get("undoes") else int(verdict.facts.get("gpu_ms", 0)),
        "trials": max(0, min(LARGEST, trials)) if isinstance(trials, int) else 0,
    }


def _back(state: CallState, run: Run) -> int:
    """What was reserved to bring back what served before."""
    if not state.verdict.reserve_micro:
        return 0
    return min(state.verdict.reserve_micro, pricing.undo(state.call.tool, state.call.args, run) or 0)


def _lives_s(state: CallState, run: Run) -> float:
    """How long its reservation lasts: what was reserved at its price, and its hard limit where it is free."""
    own, rate = _amounts(state, run)["usd_micro"], state.verdict.rate_micro
    return own / rate * pricing.HOUR_S if own and rate else state.call.limit_s


def _until(state: CallState, run: Run) -> float | None:
    """Until when what the call made or kept goes on, in epoch seconds; None for what is over with it."""
    if state.phase != "done" or state.started_at is None or source(state.call.tool) != "endpoint":
        return None
    if state.call.tool == "extend_lease":
        return float(_result(state)["lease_until"])
    return state.started_at + _lives_s(state, run) if state.verdict.rate_micro else None


def _result(state: CallState) -> Mapping[str, Any]:
    return (state.ended.result or {}) if state.ended is not None and state.phase == "done" else {}


def billed(state: CallState, run: Run, now: float, ended: Ended) -> Ended:
    """The outcome of a call that is over with what it cost, or that its reservation stays open."""
    if holds(state, ended, run):
        return ended.model_copy(update={"holds": True})
    return ended.model_copy(update={"settled_micro": bill(state, run, now, ended)})


def bill(state: CallState, run: Run, now: float, ended: Ended | None = None) -> int:
    """Micro-USD that the call has cost: what its backend says, else price x time used.

    By time it is never more than was reserved, because the hard limit ended it by then; what a backend says is taken as
    it is.
    """
    if ended is not None and ended.billed_micro is not None:
        return min(LARGEST, ended.billed_micro)
    reserved = _amounts(state, run)["usd_micro"]
    if ended is not None and ended.left:
        return reserved
    if state.call.tool in _PAID_AHEAD:
        return 0 if ended is not None and ended.cause in _NOT_DONE else reserved
    return min(reserved, pricing.priced(state.verdict.rate_micro, _used_s(state, run, now)))


def _used_s(state: CallState, run: Run, now: float) -> Decimal:
    """Seconds from its intent until it failed, or until now; time never goes back."""
    if state.started_at is None:
        return Decimal(0)
    until = state.ended_at if state.phase == "failed" and state.ended_at is not None else max(now, run.last)
    return Decimal(repr(max(0.0, until - state.started_at)))


def _gpu_ms(state: CallState, run: Run, now: float) -> int:
    """The share of its GPU time that a call has used."""
    reserved, lives = _amounts(state, run)["gpu_ms"], Decimal(repr(_lives_s(state, run)))
    return min(reserved, -int(-reserved * _used_s(state, run, now) // lives)) if reserved and lives else 0


def holds(state: CallState, ended: Ended, run: Run) -> bool:
    """Its reservation stays open when it is over: what it made goes on, or what it replaced may be brought back."""
    if ended.phase == "done":
        return state.call.tool in _GOES_ON
    return ended.phase == "failed" and _back(state, run) > 0


def overran(state: CallState, run: Run, ended: Ended) -> Overran | None:
    """The bill of a call that is over is above what was reserved for it."""
    reserved = _amounts(state, run)["usd_micro"]
    if ended.holds or ended.settled_micro <= reserved:
        return None
    return Overran(call=state.call.id, reserved_micro=reserved, billed_micro=ended.settled_micro)


def closing(run: Run, now: float, *, by: CallState | None = None) -> list[Settled]:
    """The reservations that close: what `by` hands over, brings back or ends of its part; all at the run's end."""
    held = run.calls.holding
    if by is not None and held:
        part = part_of(by, run)
        held = [c for c in held if part_of(c, run) == part] if _takes_over(by, held) else []
    return [_closed(state, run, now, by) for state in held]


def _takes_over(by: CallState, held: Sequence[CallState]) -> bool:
    if by.call.tool != "withdraw_version":
        return by.call.tool in _TAKES_OVER
    made = [(c.call.args["endpoint"], c.call.args["version"]) for c in held if c.call.tool == "deploy_model"]
    return (by.call.args["endpoint"], by.call.args["version"]) in made


def _closed(state: CallState, run: Run, now: float, by: CallState | None) -> Settled:
    """What nobody handed over or took back goes on until its lease ends it, and is paid for as long."""
    until = _until(state, run) if by is None else None
    own = bill(state, run, now) if until is None else _amounts(state, run)["usd_micro"]
    back = 0 if by is not None and by.call.tool == "extend_lease" else _brought_back(state, run)
    return Settled(call=state.call.id, usd_micro=own + back, undo_micro=back, until=until)


def _brought_back(state: CallState, run: Run) -> int:
    """What served before goes on to the end of the lease that the deployment set: past its own lease this run pays."""
    reserved, args = _back(state, run), state.call.args
    there = run.survey.endpoints.get(str(args.get("endpoint"))) if run.survey is not None else None
    if not reserved or there is None or state.started_at is None:
        return 0
    longer = max(0.0, state.started_at + float(args["lease_s"]) - there.lease_until)
    return min(reserved, -int(-reserved * Decimal(repr(longer)) // Decimal(repr(float(args["lease_s"])))))


def part_of(state: CallState, run: Run) -> str | None:
    """The part of the goal that a call works for."""
    steps = (p.plan.step(state.call.step) for p in run.plans)
    return next((s.part for s in steps if s is not None), None)


def _endpoint(state: CallState) -> str | None:
    """The endpoint that a call is about."""
    thing = target(state.call.tool, state.call.args)
    return thing[1] if thing is not None and thing[0] == "endpoint" else None


def ending(states: Sequence[CallState]) -> list[CallState]:
    """Running calls in the order in which ending them wastes least.

    First what only searches: nothing of it is kept once the run ends. Then what prepares and measures, whose results
    and evidence the report can name. What serves traffic comes last. Among equals the dearest an hour goes first.
    """

    def waste(state: CallState) -> tuple[int, int]:
        tool = state.call.tool
        kept = 2 if source(tool) == "endpoint" else 0 if tool in ("tune_model", "launch_training") else 1
        return kept, -state.verdict.rate_micro

    return sorted(states, key=waste)
