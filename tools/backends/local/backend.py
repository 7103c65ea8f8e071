"""The local backend: this machine, put together from its ports."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from tools.backends.local.compute import LocalCompute
from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.backends.local.owners import Drafts
from tools.backends.local.serving import LocalServing
from tools.backends.local.telemetry import LocalTelemetry
from tools.backends.local.watch import LocalWatch
from tools.backends.local.watchdog import attend
from tools.epochs import Tenure
from tools.ports import Capability, Compute, Jobs, Objects, Serving, Telemetry
from tools.watching import Watch


class LocalBackend:
    """Jobs and endpoints as processes of this user; objects below `home`; what runs is registered in `runtime`."""

    name: str = "local"
    can: frozenset[Capability] = frozenset({"jobs", "serving", "objects", "telemetry", "offers"})

    def __init__(self, home: Path, runtime: Path, usd_micro_per_hour: int | None = 0) -> None:
        self._home = home
        self._runtime = runtime
        objects = LocalObjects(home)
        self.objects: Objects = objects
        self.jobs: Jobs = LocalJobs(runtime=runtime, objects=objects)
        self.serving: Serving = LocalServing(runtime=runtime, objects=objects)
        self.telemetry: Telemetry = LocalTelemetry(runtime=runtime)
        self.compute: Compute = LocalCompute(usd_micro_per_hour=usd_micro_per_hour)
        self.watch: Watch = LocalWatch(runtime)
        attend(runtime)

    def fenced(self, *, run: str, epoch: int) -> LocalBackend:
        """The same in the hands of that owner of the run. Superseded when a later one was here."""
        tenure, seen = Tenure(run=run, epoch=epoch), copy(self)
        self._runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        drafts = Drafts(self._runtime).fenced(tenure)
        objects = LocalObjects(self._home).fenced(tenure)
        seen.objects = objects
        seen.jobs = LocalJobs(runtime=self._runtime, objects=objects, drafts=drafts)
        seen.serving = LocalServing(runtime=self._runtime, objects=objects, drafts=drafts, tenure=tenure)
        return seen
