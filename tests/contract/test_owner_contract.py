"""What every backend promises of two owners of one run: once the later one is there, the earlier one does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from benches import OWNER, Bench
from served import MODEL, deploy, weights

from tools.errors import NotFound, Refused, Superseded
from tools.ports import Backend, Scope, ServeSpec


class Taken:
    """A run with a job and an endpoint, of which one owner has been followed by another."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.name, self.run = bench, bench.name("taken"), bench.name("run")
        bench.backend.objects.put(MODEL, bench.model())
        self.old = bench.backend.fenced(run=self.run, epoch=3)
        self.job = self.old.jobs.submit(spec=bench.job("endless"), tags=bench.tags(run=self.run)).id
        deploy(bench, self.name, "v1", bench.tags(run=self.run))
        bench.ready(self.name, "v1")
        self.split(self.old, v1=100)
        self.new = bench.backend.fenced(run=self.run, epoch=5)

    def split(self, backend: Backend, **wanted: int) -> None:
        backend.serving.split(self.name, weights=wanted, call=f"{self.run}/split/1")

    def attempts(self, by: Backend) -> list[Callable[[], object]]:
        """Every way to change the world that this backend offers."""
        bench, name, serving = self.bench, self.name, by.serving
        tags = bench.tags(run=self.run)
        spec = ServeSpec(endpoint=name, version="v2", model=MODEL)
        fresh = ServeSpec(endpoint=f"{name}-new", version="v1", model=MODEL)
        found: list[Callable[[], object]] = [
            lambda: by.jobs.submit(spec=bench.job("quick"), tags=tags),
            lambda: by.jobs.cancel(self.job),
            lambda: by.objects.put("owners/late", bench.model()),
            lambda: by.objects.remove(MODEL),
            lambda: serving.deploy(spec=spec, tags=tags),
            lambda: serving.deploy(spec=fresh, tags=tags),
            lambda: self.split(by, v1=100),
            lambda: serving.mirror(name, version=None, call=tags.call),
            lambda: serving.scale(name, version="v1", replicas=2, call=tags.call),
            lambda: serving.extend(name, run=self.run, owner=OWNER, lease_until=bench.now() + 9e6),
            lambda: serving.withdraw(name, version="v1"),
            lambda: serving.remove(name),
        ]
        if "machines" in by.can:
            found += [
                lambda: by.compute.provision(offer="large", tags=tags),
                lambda: by.compute.release("sim-machine-1"),
            ]
        return found


@pytest.fixture(scope="module")
def taken(bench: Bench) -> Iterator[Taken]:
    made = Taken(bench)
    yield made
    bench.backend.jobs.cancel(made.job)
    bench.backend.serving.remove(made.name)


def test_an_earlier_owner_of_a_run_changes_nothing_once_a_later_one_is_there(taken: Taken) -> None:
    backend = taken.bench.backend
    before = backend.serving.state(taken.name)
    owned = sorted(o.id for o in backend.jobs.owned(Scope(run=taken.run)))
    for attempt in taken.attempts(taken.old):
        with pytest.raises(Superseded, match=f"run {taken.run} has been taken over"):
            attempt()
    after = backend.serving.state(taken.name)
    assert (weights(after), after.lease_until, after.versions) == (weights(before), before.lease_until, before.versions)
    assert sorted(o.id for o in backend.jobs.owned(Scope(run=taken.run))) == owned == [taken.job]
    assert not backend.objects.names("owners/")
    with pytest.raises(NotFound):
        backend.serving.state(f"{taken.name}-new")


def test_the_later_owner_goes_on_with_what_the_earlier_one_made(taken: Taken) -> None:
    again = taken.bench.backend.fenced(run=taken.run, epoch=5)
    assert again.jobs.poll(taken.job).id == taken.job
    assert again.objects.put("owners/mine", taken.bench.model())
    taken.split(again, v1=100)
    again.objects.remove("owners/mine")
    job = again.jobs.submit(spec=taken.bench.job("endless"), tags=taken.bench.tags(run=taken.run)).id
    again.jobs.cancel(job)
    assert taken.bench.backend.jobs.poll(job).phase == "cancelled"


def test_an_earlier_owner_that_comes_late_is_turned_away_at_once(taken: Taken) -> None:
    with pytest.raises(Refused, match="taken over"):
        taken.bench.backend.fenced(run=taken.run, epoch=4)
    taken.split(taken.new, v1=100)


def test_owners_of_other_runs_and_who_owns_none_are_not_fenced(taken: Taken) -> None:
    bench = taken.bench
    other = bench.backend.fenced(run=bench.name("other"), epoch=1)
    job = other.jobs.submit(spec=bench.job("endless"), tags=bench.tags())
    for backend in (other, bench.backend):
        backend.objects.put("owners/other", bench.model())
        backend.objects.remove("owners/other")
    bench.backend.jobs.cancel(job.id)
