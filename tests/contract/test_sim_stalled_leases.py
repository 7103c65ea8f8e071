"""In a simulated world a resource can outlive its lease, in this process and over a socket, until it is swept."""

from __future__ import annotations

import pytest
from spoilt import Spoilt

from tools import sweep
from tools.errors import NotFound
from tools.ports import Scope


def test_what_outlives_its_lease_is_listed_as_unowned_and_ended_by_a_sweep(spoilt: Spoilt) -> None:
    bench, world = spoilt.bench, spoilt.world
    tags = bench.tags(run="stalled", lease_s=bench.moment)
    job = world.jobs.submit(spec=bench.job("endless"), tags=tags).id
    world.stall(job)
    bench.wait(2 * bench.moment)
    assert [owned.id for owned in world.jobs.owned(Scope(run="stalled"))] == [job]
    for release in (False, True):
        found = sweep.sweep(world, now=bench.now(), release=release, whose=sweep.Whose(run="stalled"))
        assert [(each.unowned, each.released) for each in found] == [(True, release)]
    assert world.jobs.poll(job).phase == "cancelled"
    assert not world.jobs.owned(Scope(run="stalled"))


def test_what_is_not_there_cannot_be_stalled(spoilt: Spoilt) -> None:
    with pytest.raises(NotFound):
        spoilt.world.stall("never-was")
