"""Policies for tests of approvals: what holds a call is its tool and its price, so that nothing else has a say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from peopled import ROLES, limits

from policies.engine import Decision, Finding
from policies.limits import Limits
from policies.request import Request

MICRO = 1_000_000
SERVES = dict.fromkeys(
    ("deploy_model", "shift_traffic", "monitor_endpoint", "extend_lease", "withdraw_version"), ("production",)
)
"""Everything that serves is production, which bob answers and the requester does not."""


class Holding:
    """Holds the tools that are named for the policies named; what costs too much for `spend`, which anybody answers."""

    def __init__(
        self,
        held: Mapping[str, tuple[str, ...]] = SERVES,
        *,
        roles: Mapping[str, tuple[str, ...]] | None = None,
        refused: frozenset[str] = frozenset(),
        late: Mapping[str, tuple[str, ...]] | None = None,
        edition: int = 0,
    ) -> None:
        """`late`: what holds a call when it is made and did not when it was planned."""
        self.held = dict(held)
        self.late = dict(late or {})
        self.refused = refused
        shipped = limits()
        people = shipped.people.model_copy(update={"roles": ROLES | (dict(roles) if roles else {})})
        few = shipped.parallel.model_copy(update={"calls": 2})
        self.limits: Limits = shipped.model_copy(update={"people": people, "parallel": few})
        said = f"{edition}{self.held}{self.late}{people}{sorted(refused)}"
        self.digest = hashlib.sha256(said.encode()).hexdigest()

    def prepare(self) -> None:
        pass

    def judge(self, request: Request) -> Decision:
        if request.tool in self.refused:
            return Decision(ruling="refused", findings=(_finding("never", request, "refused"),))
        names = self.held.get(request.tool, ())
        if request.facts.digest:
            names = tuple(dict.fromkeys((*names, *self.late.get(request.tool, ()))))
        cost = request.facts.cost_micro
        if cost is None:
            names = (*names, "price_unknown")
        elif cost > self.limits.money.ask_above_usd * MICRO:
            names = (*names, "spend")
        if not names:
            return Decision(ruling="approved")
        return Decision(ruling="held", findings=tuple(_finding(name, request, "held") for name in names))


def _finding(policy: str, request: Request, ruling: str) -> Finding:
    said = {"policy": policy, "ruling": ruling, "sentence": f"{policy} minds {request.tool}", "fix": "ask"}
    return Finding.model_validate(said)
