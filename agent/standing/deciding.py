"""What is done after a check: nothing, a reaction, or why none. Pure.

One reaction at a time, after a cool-down that doubles with each that did not help, so many a month, within what money
is left. What was caused by a rollout of late is rolled back first.
"""

from __future__ import annotations

from agent import learning
from agent.running import NEEDED
from agent.service_state import Standing
from agent.upkeep import Checked, Closed, Held, Reacted, Trigger, What
from agent.wording import money
from tools.language import tr

LATELY_S = 86_400.0
"""A rollout is a likely cause of trouble for so long, and for three checks at least."""
LATELY_CHECKS = 3
LEAPT_CHECKS = 3.0
"""A look at a longer span than so many checks is not trusted with the time."""
SPARE = 1.1
"""An extension may cost so many times its hours."""
EXTENDS_AT = 0.5
"""A lease is extended when less than this share of it is left."""


def over(state: Standing, seen: Checked) -> Closed | None:
    """It has been looked after for as long as was asked for. A clock that leapt ahead ends nothing: it may be put right
    before the next check."""
    until, now = state.terms.until, seen.at
    if until is None or now < until or abs(now - seen.after) > LEAPT_CHECKS * state.terms.every_s:
        return None
    return Closed(at=now, by="time", why=tr("it was to be looked after until now; its lease is not extended any more"))


def lease_due(state: Standing) -> float | None:
    """When its lease is to be extended; None where that is not ours, or there is nothing to extend."""
    terms, ends = state.terms, state.lease_until
    if terms.lease_s is None or ends is None or state.lease is not None or state.closed is not None:
        return None
    if terms.until is not None and ends >= terms.until - 1.0:
        return None
    return max(ends - EXTENDS_AT * terms.lease_s, state.lease_again)


def extension(state: Standing, name: str, now: float, *, left_usd: float | None) -> Reacted | None:
    """The extension that is due; never beyond what was asked for, nor for more than what money is left."""
    wanted, terms = lease_due(state), state.terms
    if wanted is None or now < wanted or terms.lease_s is None:
        return None
    to = now + terms.lease_s if terms.until is None else min(now + terms.lease_s, terms.until)
    number = state.extensions + 1
    return Reacted(
        number=number,
        at=now,
        what="extend",
        trigger="lease",
        run=f"{name}-extend{number}",
        why=tr("its lease is running out"),
        usd=_lease_usd(state, to - now, left_usd),
        lease_to=to,
    )


def _lease_usd(state: Standing, seconds: float, left: float | None) -> float | None:
    """What the extension may cost: its hours, and no more than what is left beside a reaction under way."""
    if left is None:
        return None
    held = state.reaction.usd if state.reaction is not None and state.reaction.usd is not None else 0.0
    rate = state.terms.usd_per_hour
    wanted = left if rate is None else SPARE * rate * seconds / 3600.0
    return max(0.0, min(wanted, left - held))


def after(state: Standing, seen: Checked, name: str, *, left_usd: float | None) -> Reacted | Held | None:
    """What follows from a check that is folded in. `left_usd`: what money is left; None: no limit is known."""
    if state.reaction is not None:
        return None
    trigger = _trigger(state, seen)
    if trigger is None:
        return None
    what = _what(state, seen, trigger, name)
    held = what if isinstance(what, Held) else _held(state, seen, what, trigger, left_usd)
    if held is not None:
        before = state.held
        same = before is not None and (before.reason, before.do) == (held.reason, held.do)
        return None if same else held
    assert not isinstance(what, Held)
    number = state.reactions + 1
    return Reacted(
        number=number,
        at=seen.at,
        what=what,
        trigger=trigger,
        cause=seen.cause,
        run=f"{name}-{what}{number}",
        why=_why(trigger, seen),
        usd=_allowed(state, left_usd) if what == "retrain" else None,
        data=seen.data if what == "retrain" else "",
    )


def _trigger(state: Standing, seen: Checked) -> Trigger | None:
    """What asks for something to be done, the most urgent first."""
    if seen.health == "breached":
        return "breach"
    if seen.version is None:
        return None  # it could not be looked at
    upkeep = state.terms.part.upkeep
    asked = upkeep.retrain_on if upkeep is not None else ()
    if seen.cause == "drift":
        return "drift"
    if "new_data" in asked and seen.data and state.trained_on and seen.data != state.trained_on:
        return "new_data"
    if "schedule" in asked and seen.at - state.trained >= state.terms.every_s * (1 - 1e-6):
        return "schedule"
    return None


def _what(state: Standing, seen: Checked, trigger: Trigger, name: str) -> What | Held:
    """What could be done about it, or who must do it."""
    upkeep = state.terms.part.upkeep
    asked = upkeep.retrain_on if upkeep is not None else ()
    if seen.version is None:
        return _person(seen, tr("deploy it again, or end this: `goalkeeper cancel {name}`", name=name))
    if trigger == "breach" and _rolled_out_lately(state, seen):
        return "rollback"
    if trigger == "breach" and seen.cause != "slo_breach":
        return _person(seen, _advice(state, trigger))  # no training brings servers back
    if trigger not in asked:
        return _person(seen, _advice(state, trigger))
    if "no_retrain" in state.terms.contract.constraints:
        return _person(seen, tr("the goal says not to train again: lift that, or look into it"))
    if not (learning.learns(state.terms.part) and state.terms.part.data):
        return _person(seen, tr("the goal names no data to train on: deploy a better model"))
    return "retrain"


def _rolled_out_lately(state: Standing, seen: Checked) -> bool:
    """What serves got its traffic of late, and what served before can be gone back to. Going back is not undone by
    going further back: that is a person's to decide."""
    if seen.previous is None or not state.served or state.served[-1].version != seen.version:
        return False
    if len(state.served) == 1 and state.terms.part.task in NEEDED:
        return False  # it served before anybody looked, nobody knows for how long
    by_hand = any(s.version == seen.version for s in state.served[:-1])
    went_back = by_hand or (state.concluded is not None and state.concluded.came == "rolled_back" and not state.proven)
    lately = max(LATELY_S, LATELY_CHECKS * state.terms.every_s)
    return not went_back and seen.at - state.served[-1].since <= lately


def _advice(state: Standing, trigger: Trigger) -> str:
    if trigger == "drift":
        return tr("look at what callers send; the goal does not say to train again when the data drift")
    return tr(
        "look into it: `goalkeeper run 'Why is {endpoint} unhealthy?'`, or roll it back", endpoint=state.terms.endpoint
    )


def _person(seen: Checked, do: str) -> Held:
    return Held(at=seen.at, reason="person", why=seen.trouble or tr("the data are new"), do=do)


def _held(state: Standing, seen: Checked, what: What, trigger: Trigger, left: float | None) -> Held | None:
    """What forbids it for now."""
    terms, at = state.terms, seen.at
    rhythm = trigger == "schedule" and state.unhelpful == 0
    if what == "retrain" and not rhythm and at < state.cool_until:
        why = tr("the last reaction is too fresh: the next may follow {seconds:.0f} s after it", seconds=_cool(state))
        return Held(at=at, reason="cool_down", why=why)
    if state.month_reactions >= terms.most_reactions:
        why = tr("there were {n} reactions this month, and no more are made", n=state.month_reactions)
        return Held(at=at, reason="reactions", why=why)
    if what == "retrain" and left is not None and left <= 0.0 and terms.reaction_usd > 0.0:
        why = tr("the money for it is used up: {spent} so far this month", spent=money(seen.usd_month))
        return Held(at=at, reason="budget", why=why)
    same = bool(seen.data) and seen.data == state.trained_on
    if what == "retrain" and same and trigger != "schedule":
        why = tr("{trouble}; the data are those it was trained on: the same model would come out", trouble=seen.trouble)
        sources = ", ".join(d.uri for d in terms.part.data)
        do = tr("put fresh labelled rows into {sources}: they are noticed at the next check", sources=sources)
        return Held(at=at, reason="same_data", why=why, do=do)
    return None


def _cool(state: Standing) -> float:
    assert state.concluded is not None
    return state.cool_until - state.concluded.at


def _allowed(state: Standing, left: float | None) -> float:
    """What the reaction may cost, beside an extension under way."""
    held = state.lease.usd if state.lease is not None and state.lease.usd is not None else 0.0
    return state.terms.reaction_usd if left is None else max(0.0, min(state.terms.reaction_usd, left - held))


def _why(trigger: Trigger, seen: Checked) -> str:
    if trigger == "schedule":
        return tr("it is time to train again")
    if trigger == "new_data":
        return tr("the data are new")
    return seen.trouble
