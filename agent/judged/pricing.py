"""What a call may cost at the most, by its hard limit and what it keeps going: integer micro-USD, exactly.

The one place where a price meets a time. How many servers a call adds and how long they live is taken from what was
seen and done, never only from what its arguments say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from agent.plan import Step
from agent.state import CallState, Run
from agent.survey import servers as all_servers
from policies.request import LARGEST
from tools.catalogue import BY_NAME
from tools.ports import EndpointState, Offer, VersionState
from tools.record import Json
from tools.tool import Effect

HOUR_S = 3600
MICRO = 1_000_000
WORKS = ("jobs", "serving", "machines")
"""Ports through which something is kept going."""
_FREE = ("shift_traffic", "mirror_traffic")
"""Weights cost nothing, whatever the price of what they point to."""
_LIVES_FOR = {
    "deploy_model": "lease_s",
    "extend_lease": "for_s",
    "scale_endpoint": "for_s",
    "rollback_endpoint": "for_s",
}
"""Calls whose creation outlives them: how long, by argument. The reservation covers all of it."""
_RESIZES = ("scale_endpoint", "rollback_endpoint")
"""What these add to an endpoint ends with the endpoint, whatever they say."""
NOT_MADE = ("held", "refused")
"""Phases of calls that nobody has begun."""


def cost(step: Step, run: Run, args: Json | None = None, *, now: float | None = None) -> int | None:
    """Price × servers × time, rounded up to a micro-USD; 0 for what keeps nothing going, None where it is not known.

    `args`: the resolved arguments; without them the step's own, of which references are not known yet.
    """
    if not works(step.tool):
        return None if step.tool not in BY_NAME else 0
    given = step.args if args is None else args
    time = _machine_s(step, run, given, run.last if now is None else now)
    price = run.survey.usd_micro_per_hour if run.survey is not None else None
    if time == 0:
        return 0
    if time is None or price is None:
        return None
    back = undo(step.tool, given, run)
    return None if back is None else min(LARGEST, priced(price, time) + back)


def priced(hourly: int, seconds: Decimal) -> int:
    """Micro-USD of that long at so much an hour, rounded up."""
    return min(LARGEST, math.ceil(hourly * seconds / HOUR_S))


def undo(tool: str, args: Json, run: Run) -> int | None:
    """Micro-USD that bringing back what an endpoint served before would cost, once a version is deployed beside it.

    At most every server of it as long as the deployment's own lease: the deployment lets the endpoint live no longer.
    """
    before = served_before(args, run) if tool == "deploy_model" else None
    if before is None:
        return 0
    price, time = run.survey.usd_micro_per_hour if run.survey is not None else None, _amount(args.get("lease_s"))
    return None if price is None or time is None else priced(price, time * max(1, before.replicas))


def served_before(args: Json, run: Run) -> VersionState | None:
    """What the endpoint served when the work was planned, where the call puts another version beside it."""
    state = _seen(run, args)
    others = [v for v in state.versions if v.weight > 0 and v.name != args.get("version")] if state is not None else []
    return max(others, key=lambda v: v.weight, default=None)


def rate_micro(step: Step, run: Run, args: Json | None = None) -> int | None:
    """What the call adds to what runs, in micro-USD an hour; None where the price is not known."""
    if not works(step.tool):
        return 0
    count = _servers(step, run, step.args if args is None else args)
    price = run.survey.usd_micro_per_hour if run.survey is not None else None
    if count == 0:
        return 0
    return None if count is None or price is None else min(LARGEST, price * count)


def gpu_ms(step: Step, run: Run, args: Json | None = None, *, now: float | None = None) -> int:
    """GPUs of where it would run × time, in milliseconds. What is not known counts as the most there is."""
    offer = where(step, run)
    if offer is None or offer.gpu_count == 0:
        return 0
    time = _machine_s(step, run, step.args if args is None else args, run.last if now is None else now)
    return LARGEST if time is None else min(LARGEST, math.ceil(offer.gpu_count * time * 1000))


def where(step: Step, run: Run) -> Offer | None:
    """The offer that it would run on; None for what runs nowhere, or nobody knows where."""
    return run.survey.offer if works(step.tool) and run.survey is not None else None


def works(tool: str) -> bool:
    """Whether calls of the tool keep something going that has a price."""
    known = BY_NAME.get(tool)
    if known is None or known.uses not in WORKS or tool in _FREE:
        return False
    return known.effect in (Effect.CREATES, Effect.CHANGES)


def servers(args: Json) -> int:
    """How many servers a call says that it pays for: those that it adds, where it says so. Going back starts none."""
    size = _whole(args.get("added"))
    if size is None:
        size = _whole(args.get("replicas"))
    return size if size is not None else 0 if "to" in args else 1


def _machine_s(step: Step, run: Run, args: Json, now: float) -> Decimal | None:
    """Servers × seconds; None where an argument is not known or is no amount."""
    limit = _amount(step.limit_s)
    if step.tool not in _LIVES_FOR:
        return limit
    count, said = _servers(step, run, args), _amount(args.get(_LIVES_FOR[step.tool], 0))
    if count == 0:
        return Decimal(0)
    if count is None or said is None or limit is None:
        return None
    if step.tool not in _RESIZES:
        return count * said
    return count * max(said, limit, _left_s(args, run, now))


def _servers(step: Step, run: Run, args: Json) -> int | None:
    """How many servers are paid for; None where that is not known."""
    if step.tool not in _LIVES_FOR:
        return 1
    size, added = args.get("replicas"), args.get("added")
    if any(value is not None and _whole(value) is None for value in (size, added)):
        return None
    match step.tool:
        case "scale_endpoint" | "rollback_endpoint":
            return max(servers(args), _more(args, run))
        case "extend_lease":
            own = [_size(made) for made in _made(run, args)]
            return max(servers(args), max(own, default=all_servers(_seen(run, args))))
        case _:
            return servers(args)


def _more(args: Json, run: Run) -> int:
    """How many servers the version gets beyond those that it had, whatever the call says; 0 while nobody knows which
    version it is."""
    size, name = _whole(args.get("replicas")), args.get("to", args.get("version"))
    if size is None or not isinstance(name, str):
        return 0
    state = _seen(run, args)
    there = state.version(name) if state is not None else None
    known = [there.replicas] if there is not None else []
    known += [_size(made) for made in _made(run, args) if made.call.args.get("version") == name]
    return max(0, size - max(known, default=0))


def _made(run: Run, args: Json) -> Iterator[CallState]:
    """Calls of this run that put servers behind the endpoint."""
    for state in run.calls.by("deploy_model", "scale_endpoint"):
        if state.phase not in NOT_MADE and state.call.args.get("endpoint") == args.get("endpoint"):
            yield state


def _size(made: CallState) -> int:
    return _whole(made.call.args.get("replicas", 1)) or 1


def _seen(run: Run, args: Json) -> EndpointState | None:
    return run.survey.endpoints.get(str(args.get("endpoint"))) if run.survey is not None else None


def _left_s(args: Json, run: Run, now: float) -> Decimal:
    """How long what is added to an endpoint lives with it: to the end of its lease."""
    state = _seen(run, args)
    until = state.lease_until if state is not None else now
    for made in _made(run, args):
        lease = _amount(made.call.args.get("lease_s"))
        if lease is not None and made.started_at is not None:
            until = max(until, made.started_at + float(lease))
    return Decimal(repr(max(0.0, until - now)))


def _amount(value: object) -> Decimal | None:
    """A finite number that is not negative, as it is written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        amount = Decimal(repr(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _whole(value: object) -> int | None:
    """A number of servers; None for anything else."""
    amount = _amount(value)
    return int(amount) if amount is not None and amount == amount.to_integral_value() else None
