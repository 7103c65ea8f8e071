"""This machine as the one offer there is. Nothing can be provisioned here, and nothing needs to be."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tools.errors import Refused
from tools.ports import Machine, Offer, Owned, Promise, Scope, Tags


class LocalCompute:
    """One standing offer at a configured price; None is a price that is not known."""

    promise = Promise(atomic=True)

    def __init__(self, *, usd_micro_per_hour: int | None = 0) -> None:
        self._price = usd_micro_per_hour

    def offers(self) -> Sequence[Offer]:
        """The processors this process may use, and the machine's memory in GB (10^9 bytes)."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        return (
            Offer(
                id="local",
                backend="local",
                cpus=float(_processors()),
                memory_gb=round(memory, 1),
                usd_micro_per_hour=self._price,
                standing=True,
            ),
        )

    def provision(self, *, offer: str, tags: Tags) -> Machine:
        """Refused, always."""
        del tags
        raise Refused(
            f"The local backend has this machine only and cannot provision {offer!r}; use the standing offer 'local'."
        )

    def release(self, machine: str) -> None:
        """Nothing was provisioned, so nothing is there to release."""

    def find(self, call: str) -> Machine | None:
        del call
        return None

    def owned(self, scope: Scope) -> Sequence[Owned]:
        del scope
        return ()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
