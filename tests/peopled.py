"""The shipped policies, with people in their roles: bob releases to production."""

from __future__ import annotations

from functools import cache

from policies.judge import CedarPolicies
from policies.limits import Limits, load_limits
from policies.load import load_policies

ROLES = {"operator": ("*",), "release": ("bob",), "security": ("sue",), "data": ("dan",)}


def limits(**changes: object) -> Limits:
    """The shipped limits with those roles; `changes` are whole sections."""
    shipped = load_limits()
    people = shipped.people.model_copy(update={"roles": ROLES})
    return shipped.model_copy(update={"people": people} | changes)


@cache
def _shipped() -> CedarPolicies:
    found = load_policies()
    assert isinstance(found, CedarPolicies)
    return found


def policies(of: Limits | None = None) -> CedarPolicies:
    """The shipped policies under these limits."""
    return _shipped().under(of or limits())
