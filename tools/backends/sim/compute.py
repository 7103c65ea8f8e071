"""Machines of a simulated world: offers with prices, and having one for a while."""

from __future__ import annotations

from collections.abc import Sequence

from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.state import Rented, owned, seen
from tools.errors import Conflict, NotFound, Refused
from tools.ports import Compute, Machine, Offer, Owned, Promise, Scope, Tags


class SimCompute(Compute):
    """What the world offers."""

    def __init__(self, gate: Gate) -> None:
        world = gate.state.world
        self._gate = gate
        self._state = gate.state
        self.promise = Promise(atomic=world.atomic, staleness_s=world.staleness_s)

    def offers(self) -> Sequence[Offer]:
        return self._gate.call("compute.offers", "", lambda _: list(self._state.world.offers))

    def provision(self, *, offer: str, tags: Tags) -> Machine:
        return self._gate.call("compute.provision", tags.call, lambda moment: self._provision(offer, tags, moment))

    def _provision(self, offer: str, tags: Tags, moment: Moment) -> Machine:
        state = self._state
        wanted = next((o for o in state.world.offers if o.id == offer), None)
        if wanted is None:
            raise NotFound(f"there is no offer {offer!r}")
        if wanted.standing:
            raise Refused(f"offer {offer} is there already and cannot be provisioned")
        if self.promise.atomic and any(m.tags.call == tags.call for m in state.machines.values()):
            raise Conflict(f"a machine with call {tags.call} exists")
        machine = Rented(
            id=f"sim-machine-{len(state.machines) + 1}",
            offer=offer,
            tags=tags,
            started=moment.now,
            ready_at=moment.now + state.world.provision_s,
        )
        state.machines[machine.id] = machine
        args = {"offer": offer, "tags": tags.model_dump(mode="json")}
        state.called(moment.now, "compute.provision", token=tags.call, target=machine.id, args=args)
        return machine.view()

    def release(self, machine: str) -> None:
        def end(moment: Moment) -> None:
            there = self._state.machines.get(machine)
            if there is not None and there.state != "released":
                there.state, there.ended = "released", moment.now
                self._state.called(moment.now, "compute.release", token=there.tags.call, target=machine)

        self._gate.call("compute.release", machine, end)

    def find(self, call: str) -> Machine | None:
        def look(moment: Moment) -> Machine | None:
            machines = (m for m in self._state.machines.values() if m.tags.call == call)
            return next((m.view() for m in machines if m.started <= moment.horizon), None)

        return self._gate.call("compute.find", call, look)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        def look(moment: Moment) -> Sequence[Owned]:
            return [
                owned("machine", m.id, m.tags, started=m.started, detail=m.offer)
                for m in self._state.machines.values()
                if scope.run in (None, m.tags.run) and seen(m.started, m.ended, moment.horizon)
            ]

        return self._gate.call("compute.owned", scope.run or "", look)
