"""Who may answer what: by the roles of today's limits, never by what anybody says of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.documents import ApprovalAsked
from agent.state import Run
from policies.engine import Policies
from policies.people import EVERYBODY
from tools.record import Record


@dataclass(frozen=True, kw_only=True)
class Today:
    """A run under the policies of today. Time does not go back behind the journal."""

    run: Run
    policies: Policies
    now: float

    @property
    def at(self) -> float:
        return max(self.now, self.run.last)

    @property
    def requester(self) -> str:
        return self.run.stated.owner if self.run.stated is not None else ""


class Audience(Record):
    """Those who answer one question."""

    roles: tuple[str, ...]
    """Whoever answers has every one of them."""
    other_than_requester: bool
    who: tuple[str, ...]
    """By name; `*` is everybody. Empty: nobody yet."""


def may_say_yes(user: str, policy: str, today: Today) -> bool:
    """Whether the yes of that person answers what the policy holds."""
    answerer = today.policies.limits.people.who(policy)
    if answerer.other_than_requester and user == today.requester:
        return False
    return today.policies.limits.people.holds(user, answerer.role)


def apart(held_by: Iterable[str], today: Today) -> dict[str, tuple[str, ...]]:
    """The policies by whom they ask: '' is whoever asked for the goal, the rest are roles that must be others'."""
    found: dict[str, tuple[str, ...]] = {}
    for policy in held_by:
        role = today.policies.limits.people.who(policy).role
        key = "" if may_say_yes(today.requester, policy, today) else role
        found[key] = (*found.get(key, ()), policy)
    return dict(sorted(found.items()))


def audience(held_by: Iterable[str], today: Today) -> Audience:
    """Who may answer for all of these policies together."""
    people = today.policies.limits.people
    answerers = [people.who(policy) for policy in held_by]
    roles = tuple(sorted({a.role for a in answerers}))
    other = any(a.other_than_requester for a in answerers)
    names = dict.fromkeys(name for role in roles for name in people.holders(role) if name != EVERYBODY)
    who = [n for n in names if all(people.holds(n, role) for role in roles) and not (other and n == today.requester)]
    everybody = all(EVERYBODY in people.holders(role) for role in roles)
    return Audience(roles=roles, other_than_requester=other, who=(EVERYBODY,) if everybody else tuple(who))


def addressed(asked: ApprovalAsked, today: Today) -> ApprovalAsked:
    """The approval with those who may give it."""
    found = [audience(policies, today) for policies in apart(asked.policies, today).values()]
    roles = dict.fromkeys(role for one in found for role in one.roles)
    names = dict.fromkeys(name for one in found for name in one.who)
    return asked.model_copy(update={"roles": tuple(roles), "who": tuple(names)})
