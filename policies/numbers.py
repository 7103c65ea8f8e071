"""The limits as policies see them: integers and sets. What sets no limit is absent."""

from __future__ import annotations

from typing import Literal

from policies.limits import MICRO, Limits
from tools.record import Record


class Numbers(Record):
    """`context.limits`."""

    ask_above_micro: int
    refuse_above_micro: int
    rate_micro_per_hour: int | None
    longest_call_ms: int
    longest_lease_micro: int
    """Micro-seconds, as leases are judged."""
    calls: int
    jobs: int
    replicas: int
    trials: int
    instances: tuple[str, ...] | None
    gpus: tuple[str, ...] | None
    regions: tuple[str, ...] | None
    system_namespaces: tuple[str, ...]
    production: tuple[str, ...]
    """Environments."""
    hours: tuple[str, ...]
    """Environments where nothing is changed outside the hours of change."""

    @classmethod
    def of(cls, limits: Limits) -> Numbers:
        money, rate = limits.money, limits.money.rate_usd_per_hour
        return cls(
            ask_above_micro=round(money.ask_above_usd * MICRO),
            refuse_above_micro=round(money.refuse_above_usd * MICRO),
            rate_micro_per_hour=None if rate == "any" else round(rate * MICRO),
            longest_call_ms=round(limits.time.longest_call_s * 1000),
            longest_lease_micro=round(limits.time.longest_lease_s * MICRO),
            calls=limits.parallel.calls,
            jobs=limits.parallel.jobs,
            replicas=limits.rollout.replicas,
            trials=limits.search.trials,
            instances=_names(limits.allowed.instances),
            gpus=_names(limits.allowed.gpus),
            regions=_names(limits.allowed.regions),
            system_namespaces=limits.never.namespaces,
            production=limits.production.environments,
            hours=limits.hours.environments,
        )


def _names(allowed: tuple[str, ...] | Literal["any"]) -> tuple[str, ...] | None:
    return None if allowed == "any" else tuple(sorted(set(allowed)))
