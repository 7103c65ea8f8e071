"""A simulated world whose faults a test may arm."""

from __future__ import annotations

from dataclasses import dataclass

from benches import Bench

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.client import RemoteFaults, SimClient
from tools.backends.sim.effects import Effect
from tools.backends.sim.faults import Switchboard


@dataclass(kw_only=True)
class Spoilt:
    """A simulated world with its switchboard and its log."""

    bench: Bench
    world: SimBackend | SimClient

    @property
    def faults(self) -> Switchboard | RemoteFaults:
        return self.world.faults

    def effects(self, token: str) -> list[Effect]:
        """What calls of that token, or on that resource, changed."""
        return [e for e in self.world.effects if e.by == "call" and token in (e.token, e.target)]
