"""The local backend: this machine, put together from its ports."""

from __future__ import annotations

from pathlib import Path

from tools.backends.local.compute import LocalCompute
from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.backends.local.serving import LocalServing
from tools.backends.local.telemetry import LocalTelemetry
from tools.ports import Capability


class LocalBackend:
    """Jobs and endpoints as processes of this user; objects below `home`; what runs is registered in `runtime`."""

    name = "local"
    can: frozenset[Capability] = frozenset({"jobs", "serving", "objects", "telemetry", "offers"})

    def __init__(self, home: Path, runtime: Path, usd_micro_per_hour: int | None = 0) -> None:
        self.objects = LocalObjects(home)
        self.jobs = LocalJobs(runtime=runtime, objects=self.objects)
        self.serving = LocalServing(runtime=runtime, objects=self.objects)
        self.telemetry = LocalTelemetry(runtime=runtime)
        self.compute = LocalCompute(usd_micro_per_hour=usd_micro_per_hour)
