"""World files: those that ship are sound, and a wrong one names every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.backends.sim.learning import search
from tools.backends.sim.state import State
from tools.backends.sim.world import WORLDS, load_world
from tools.errors import Invalid

SHIPPED = sorted(path.stem for path in WORLDS.glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_world_that_ships_is_named_as_its_file_and_lets_work_be_done(name: str) -> None:
    world = load_world(name)
    assert world.name == name
    assert set(world.durations) == {"prepare", "train", "evaluate", "command"}
    assert any(o.standing for o in world.offers)
    assert any(o.usd_micro_per_hour is None for o in world.offers)
    assert load_world(WORLDS / f"{name}.yaml") == world


def test_the_steady_world_can_do_better_than_the_one_with_a_plateau() -> None:
    best = {}
    for name in ("steady", "plateau"):
        world = load_world(name)
        learner = world.learners.get("gradient_boosting", world.learner)
        best[name] = search(learner, 200, State(world=world, seed=0).draw("any"))[-1]
    assert best["plateau"] <= 0.80 < 0.95 < best["steady"]


def test_a_wrong_world_file_names_every_fault_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    text = (WORLDS / "steady.yaml").read_text()
    path.write_text(text.replace("baseline: 0.62", "baseline: 2").replace("ready_s: 5", "ready: 5"))
    with pytest.raises(Invalid) as caught:
        load_world(path)
    assert len(caught.value.faults) == 2
    assert "baseline" in caught.value.faults[0]
    assert "ready" in caught.value.faults[1]


@pytest.mark.parametrize("text", ["[", "a: [1", "- 1", "", "name: &a [*a]"])
def test_what_is_no_world_at_all_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(Invalid, match=r"wrong\.yaml"):
        load_world(path)


def test_a_world_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="steady"):
        load_world("nowhere")
