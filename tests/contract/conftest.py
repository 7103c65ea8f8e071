"""One bench per backend, shared by the tests of a module; and simulated worlds whose faults a test may arm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import BENCHES, Bench, served_world, simulated
from served import Served
from spoilt import Spoilt

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world


@pytest.fixture(scope="module", params=list(BENCHES))
def bench(request: pytest.FixtureRequest, session_folder: Path) -> Iterator[Bench]:
    """A backend; what it lacks shows in its `can`."""
    name = request.node.name.partition(".")[0]
    with BENCHES[request.param](session_folder / f"{request.param}-{name}") as made:
        yield made


@pytest.fixture(scope="module", params=["in-this-process", "over-a-socket"])
def open_world(request: pytest.FixtureRequest, session_folder: Path) -> Iterator[Spoilt]:
    name = request.node.name.partition(".")[0]
    folder = session_folder / f"spoilt-{request.param}-{name}"
    folder.mkdir(parents=True)
    if request.param == "in-this-process":
        world = SimBackend(load_world("steady"), seed=7, clock=VirtualClock(), folder=folder / "objects")
        yield Spoilt(bench=simulated(world, folder), world=world)
        return
    with served_world(folder / "world") as client:
        yield Spoilt(bench=simulated(client, folder), world=client)


@pytest.fixture
def spoilt(open_world: Spoilt) -> Iterator[Spoilt]:
    """The capability `faults`: worlds where things can be made to go wrong. Nothing stays armed."""
    yield open_world
    open_world.faults.disarm()


@pytest.fixture(scope="module")
def served(bench: Bench) -> Iterator[Served]:
    made = Served(bench)
    yield made
    bench.backend.serving.remove(made.name)
