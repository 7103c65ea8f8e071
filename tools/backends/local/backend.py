"""The local backend: this machine, put together from its ports."""

from __future__ import annotations

from pathlib import Path

from tools.backends.local.compute import LocalCompute
from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.backends.local.serving import LocalServing
from tools.backends.local.telemetry import LocalTelemetry
from tools.backends.local.watchdog import attend
from tools.ports import Capability, Compute, Jobs, Objects, Serving, Telemetry


class LocalBackend:
    """Jobs and endpoints as processes of this user; objects below `home`; what runs is registered in `runtime`."""

    name: str = "local"
    can: frozenset[Capability] = frozenset({"jobs", "serving", "objects", "telemetry", "offers"})

    def __init__(self, home: Path, runtime: Path, usd_micro_per_hour: int | None = 0) -> None:
        objects = LocalObjects(home)
        self.objects: Objects = objects
        self.jobs: Jobs = LocalJobs(runtime=runtime, objects=objects)
        self.serving: Serving = LocalServing(runtime=runtime, objects=objects)
        self.telemetry: Telemetry = LocalTelemetry(runtime=runtime)
        self.compute: Compute = LocalCompute(usd_micro_per_hour=usd_micro_per_hour)
        attend(runtime)
