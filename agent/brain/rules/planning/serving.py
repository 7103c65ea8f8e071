"""From a measured model to a kept endpoint: registering, deploying, watching, handing over."""

from __future__ import annotations

from agent import estimate, rollout
from agent.brain.rules.planning.draft import Draft, nth
from agent.contract import Clause
from agent.learning import measured_later
from agent.observe import QUANTILES
from agent.plan import Range, ref
from agent.survey import source_model
from tools.ports import EndpointState, VersionState
from tools.record import Json


def register(d: Draft) -> tuple[str, ...]:
    needs = (d.of("model"), d.of("data"), *d.facts.get("holdout", ()))
    data = d.of("data")
    args = {
        "name": d.endpoint,
        "model": ref(d.of("model"), "key"),
        "data": ref(data, "key"),
        "label": ref(data, "label"),
    }
    return (d.add("register" + nth(d.level), "register_model", args, needs=needs),)


def find(d: Draft) -> tuple[str, ...]:
    name, version = source_model(d.part) or (d.endpoint, None)
    return (d.add("find", "find_model", {"name": name, "version": version}),)


def there(d: Draft) -> EndpointState | None:
    """The endpoint as it was when the work was planned."""
    return d.survey.endpoints.get(d.endpoint)


def incumbent(d: Draft) -> VersionState | None:
    """The version that served when the work was planned."""
    return rollout.incumbent(there(d))


def servers(d: Draft) -> int:
    """How many servers the version has in the end; after a growth as many as that gave it."""
    grown = [int(s.args["replicas"]) for s in d.steps if s.id.removeprefix(d.prefix).startswith(GROW)]
    return max(grown, default=rollout.replicas(d.part, there(d)))


GROW = "grow"
"""What the names of steps begin with that add servers where a watch was short of them."""


def lease_s(d: Draft) -> float:
    """How long an endpoint may live if nobody hands it over."""
    return rollout.lease_s(d.part, there(d), load_rps=d.terms.load_rps)


def deploy(d: Draft) -> tuple[str, ...]:
    made = d.of("registered")
    one_by_one = rollout.way(d.part, there(d)) == "rolling"
    args: Json = {
        "endpoint": d.endpoint,
        "version": ref(made, "version"),
        "model": ref(made, "key"),
        "digest": ref(made, "digest"),
        "replicas": 1 if one_by_one else rollout.replicas(d.part, there(d)),
        "lease_s": lease_s(d),
    }
    return (d.add("deploy" + nth(d.level), "deploy_model", args, seconds=Range(low=1.0, high=8.0), needs=(made,)),)


def watched(d: Draft) -> tuple[Clause, ...]:
    """The clauses that a last watch answers by itself."""
    live = (c for c in d.part.clauses if c.where == "live" and c.relative is None)
    return tuple(c for c in live if not measured_later(c, d.part))


def watch(
    d: Draft,
    stage: rollout.Stage,
    before: str,
    measures: tuple[Clause, ...],
    *,
    round_: int = 0,
    beside: bool = False,
    more: Json | None = None,
) -> str:
    """A watch of the version that is rolled out, after the step that gave it its traffic.

    `beside`: the incumbent has traffic too, and is measured over the same time.
    """
    deployed, source = d.of("version"), "data" if "data" in d.facts else "registered"
    args: Json = {
        "endpoint": d.endpoint,
        "url": ref(deployed, "url"),
        "version": ref(deployed, "version"),
        "data": ref(d.of(source), "key" if source == "data" else "data"),
        "label": ref(d.of(source), "label"),
        "since": ref(before, "at"),
        **load(d, stage, round_=round_),
        "whole": stage.percent == 100,
        "shadow": stage.percent == 0,
    }
    if beside:
        args |= {"beside": ref(deployed, "incumbent"), "compared": rollout.compared(d.part)}
    name = "monitor-" + ("shadow" if stage.percent == 0 else str(stage.percent)) + nth(d.level) + _longer(round_)
    return monitor(d, name, args | (more or {}), (before, deployed, d.of(source)), measures, round_=round_)


def load(d: Draft, stage: rollout.Stage, *, round_: int = 0) -> Json:
    """What every watch has: its length, its requests, and what it counts."""
    thresholds = {float(c.value) for c in d.part.clauses if c.metric in QUANTILES and isinstance(c.value, int | float)}
    number = max(1, len(rollout.watches(d.part, there(d), load_rps=d.terms.load_rps)))
    return {
        "seconds": stage.seconds,
        "rate_rps": round(stage.rate_rps, 3),
        "thresholds_ms": sorted(thresholds),
        "stops": rollout.stops(d.part, sent=stage.seconds * stage.rate_rps, stages=number),
        "seed": d.seed(stage.percent + round_),
    }


def monitor(
    d: Draft, name: str, args: Json, needs: tuple[str, ...], measures: tuple[Clause, ...], *, round_: int
) -> str:
    seconds = float(args["seconds"])
    return d.add(
        name,
        "monitor_endpoint",
        args,
        seconds=estimate.exactly(seconds),
        needs=needs,
        measures=measures,
        round_=round_,
        limit_s=round(seconds + estimate.SHORTEST_LIMIT_S, 1),
    )


def _longer(round_: int) -> str:
    return "" if round_ == 0 else f"-longer{round_}"


def live(d: Draft) -> tuple[str, ...]:
    return d.facts["live"]  # the stages made it together with the shifts


def keep(d: Draft) -> tuple[str, ...]:
    args: Json = {
        "endpoint": d.endpoint,
        "owner": d.terms.owner,
        "for_s": d.part.rollout.lease_s or d.terms.lease_s,
        "exactly": d.part.rollout.lease_s is not None,
        "replicas": servers(d),
    }
    return (d.add("keep" + _tail(d), "extend_lease", args, needs=(d.of("live"), d.of("version"))),)


def withdraw(d: Draft) -> tuple[str, ...]:
    if there(d) is None:
        return ()
    args: Json = {"endpoint": d.endpoint, "version": ref(d.of("version"), "incumbent")}
    return (
        d.add("withdraw" + _tail(d), "withdraw_version", args, needs=(d.of("live"), d.of("version"), d.of("kept"))),
    )


def _tail(d: Draft) -> str:
    """Steps after a watch are named after how often it was extended."""
    rounds = max((s.round for s in d.steps if s.tool == "monitor_endpoint"), default=0)
    return nth(d.level) + _longer(rounds)
