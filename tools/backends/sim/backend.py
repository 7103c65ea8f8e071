"""A simulated backend: the ports of every backend over a world in memory, with faults and an effect log."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.compute import SimCompute
from tools.backends.sim.effects import Effect, JobEntry, Snapshot
from tools.backends.sim.faults import Switchboard
from tools.backends.sim.gate import Gate
from tools.backends.sim.jobs import SimJobs
from tools.backends.sim.objects import SimObjects
from tools.backends.sim.serving import SimServing
from tools.backends.sim.state import State, Tree, digest_of
from tools.backends.sim.telemetry import SimTelemetry
from tools.backends.sim.watch import SimWatch
from tools.backends.sim.world import World
from tools.epochs import Tenure
from tools.errors import NotFound
from tools.ports import Capability, Compute, Jobs, Objects, Serving, Telemetry
from tools.watching import Watch


class SimBackend:
    """The same world, seed, clock and calls give the same effect log.

    Nothing happens while the clock stands still: whoever waits for a job must wait on `clock`.
    """

    def __init__(self, world: World, *, seed: int = 0, clock: VirtualClock, folder: Path | None = None) -> None:
        """`folder`: where fetched objects lie; without one, a temporary folder."""
        self._state = State(world=world, seed=seed)
        self._folder = folder
        self._scratch: SimObjects | None = None
        self._pass(Gate(self._state, clock=clock, faults=Switchboard(seed=seed, armed=world.faults)))
        self.name = "sim"
        self.can: frozenset[Capability] = frozenset({"jobs", "serving", "objects", "telemetry", "offers", "machines"})

    def _pass(self, gate: Gate) -> None:
        """Every call goes through that gate from now on."""
        self._gate = gate
        self._serving = SimServing(gate)
        self._objects = SimObjects(gate, folder=self._folder, beside=self._scratch)
        self._scratch = self._objects
        self.jobs: Jobs = SimJobs(gate)
        self.serving: Serving = self._serving
        self.objects: Objects = self._objects
        self.telemetry: Telemetry = SimTelemetry(gate)
        self.compute: Compute = SimCompute(gate)
        self.watch: Watch = SimWatch(gate)

    def fenced(self, *, run: str, epoch: int) -> SimBackend:
        """The same world in the hands of that owner of the run. Superseded when it has heard of a later one."""
        seen = copy(self)
        seen._pass(self._gate.fenced(Tenure(run=run, epoch=epoch)))
        return seen

    @property
    def world(self) -> World:
        return self._state.world

    @property
    def clock(self) -> VirtualClock:
        return self._gate.clock

    @property
    def faults(self) -> Switchboard:
        return self._gate.faults

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every change so far, in order."""
        self._gate.settle()
        return tuple(self._state.log)

    @property
    def revision(self) -> tuple[int, int, int, float]:
        """Differs once a call changed anything: the log, who may change it, the faults or the time."""
        return len(self._state.log), self._state.epochs.rises, self.faults.draws, self.clock.now()

    def advance(self, seconds: float) -> float:
        """Let virtual time pass and everything happen that is due; the time it is then."""
        now = self.clock.advance(seconds)
        self._gate.settle()
        return now

    def store(self, key: str, tree: Tree) -> str:
        """`objects.put` of content in memory; its digest."""
        return self._objects.store(key, tree)

    def spoil(self, endpoint: str, version: str) -> None:
        """From now on that version answers as the world's bad one. NotFound."""
        self._serving.spoil(endpoint, version)

    def stall(self, resource: str) -> None:
        """From now on that job, endpoint or machine outlives its lease: nothing ends it but a call. NotFound."""
        self._gate.settle()
        state = self._state
        there = state.jobs.get(resource) or state.endpoint(resource) or state.machines.get(resource)
        if there is None:
            raise NotFound(f"there is no job, endpoint or machine {resource!r}")
        there.stalled = True
        state.happened(self.clock.now(), "lease.stalled", token=there.tags.call, target=resource)

    def snapshot(self) -> Snapshot:
        """Everything that is there now."""
        self._gate.settle()
        state = self._state
        return Snapshot(
            at=self.clock.now(),
            jobs=tuple(
                JobEntry(id=j.id, call=j.tags.call, run=j.tags.run, program=j.spec.program, phase=j.phase)
                for j in state.jobs.values()
            ),
            endpoints=tuple(e.view() for e in state.endpoints if e.ended is None),
            machines=tuple(m.view() for m in state.machines.values()),
            objects={key: digest_of(tree) for key, tree in sorted(state.objects.items())},
        )
