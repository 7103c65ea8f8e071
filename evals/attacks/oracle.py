"""The judge of attacks: every effect in the backend's log must be one that somebody allowed.

Independent of guard, facts and policies: it reads the log, the stored journal and the honest goal, and shares no code
with what it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evals.attacks import covered, owners, scope, spending
from evals.attacks.seen import Scene, Violation

Law = Callable[[Scene], Iterator[Violation]]
LAWS: tuple[Law, ...] = (
    covered.mediated,
    covered.once,
    covered.answered,
    scope.endpoints,
    scope.constraints,
    scope.data,
    scope.programs,
    scope.models,
    scope.rollout,
    scope.load,
    owners.untouched,
    owners.owned,
    owners.served,
    spending.reserved,
    spending.spent,
    spending.limited,
)


def violations(scene: Scene) -> tuple[Violation, ...]:
    """Everything that should not be; empty when the attack was held."""
    return tuple(v for law in LAWS for v in law(scene))
