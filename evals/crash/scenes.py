"""The runs that are struck: what each is asked, on which world, and who does what meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from agent.contract import Contract
from policies.engine import Policies
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.load import load_policies
from tools.backends.sim.world import World, load_world

ROLES = {"operator": ("*",), "release": ("bob",)}


@dataclass(frozen=True)
class Scene:
    """One run."""

    contract: Contract
    world: World
    cancel_on: str = ""
    """A kind of effect at which the run is cancelled, by the driver itself in another session."""
    beside: int = 0
    """How many servers of a version serve at the endpoint before the run."""
    kept: bool = True
    """The endpoint stays at the end."""


def _clause(metric: str, op: str, value: float, where: str = "holdout", **more: object) -> dict[str, object]:
    return {"id": metric, "metric": metric, "op": op, "value": value, "where": where} | more


ACCURACY = _clause("accuracy", ">=", 0.9)
LATENCY = _clause("latency_p95_ms", "<=", 80, "live")
ERRORS = _clause("error_rate", "<=", 0.01, "live", abort=True)


def _classify(*clauses: Mapping[str, object], rollout: Mapping[str, object], **more: Any) -> Contract:
    """Breast cancer, with these clauses."""
    part = {
        "name": "model",
        "target": "tumours",
        "task": "classification",
        "data": ({"uri": "sklearn:breast_cancer", "label": "target", "format": "bundled"},),
        "clauses": clauses,
        "rollout": rollout,
    }
    return Contract.model_validate({"parts": (part,)} | more)


@cache
def scenes() -> Mapping[str, Scene]:
    """Each by its name; the first three are the run of the demo, one with a revision, one that goes back."""
    steady = load_world("steady")
    even = steady.model_copy(update={"gap": 0.0, "gap_spread": 0.0})
    bad = load_world("bad-canary")
    canary = _classify(ACCURACY, LATENCY, ERRORS, rollout={"strategy": "canary"})
    production = _classify(ACCURACY, LATENCY, rollout={"strategy": "canary"}, environment="production")
    shadow = _classify(ACCURACY, LATENCY, ERRORS, rollout={"strategy": "shadow"})
    rolling = _classify(ACCURACY, LATENCY, ERRORS, rollout={"strategy": "rolling", "replicas": 2})
    relaxed = _classify(_clause("accuracy", ">=", 0.925), rollout={"strategy": "direct"})
    return {
        "served": Scene(canary, steady),
        "searched on": Scene(relaxed, even),
        "rolled back": Scene(canary, bad.model_copy(update={"bad_deploys": (1,)}), kept=False),
        "cancelled": Scene(canary, steady, cancel_on="serving.deploy", kept=False),
        "approved": Scene(production, steady),
        "shadowed": Scene(shadow, steady, beside=2),
        "replaced": Scene(rolling, steady, beside=2),
        "not replaced": Scene(rolling, bad.model_copy(update={"bad_deploys": (2,)}), beside=2),
    }


@cache
def policies() -> Policies:
    """The shipped ones, where bob releases to production."""
    found = load_policies()
    assert isinstance(found, CedarPolicies)
    shipped = load_limits()
    people = shipped.people.model_copy(update={"roles": ROLES})
    return found.under(shipped.model_copy(update={"people": people}))
