"""Every backend's offers and machines keep what `tools.ports.Compute` promises."""

from __future__ import annotations

import pytest
from benches import OWNER, Bench

from tools.errors import Conflict, NotFound, Refused
from tools.ports import Offer, Scope


def test_every_offer_is_named_sized_and_priced_or_says_that_its_price_is_unknown(bench: Bench) -> None:
    offers = bench.backend.compute.offers()
    assert offers
    assert len({o.id for o in offers}) == len(offers)
    for offer in offers:
        assert offer.backend == bench.backend.name
        assert offer.cpus > 0
        assert offer.memory_gb > 0
        assert offer.usd_micro_per_hour is None or offer.usd_micro_per_hour >= 0
        assert (offer.gpu is None) == (offer.gpu_count == 0)


def test_what_is_there_already_cannot_be_provisioned(bench: Bench) -> None:
    compute, tags = bench.backend.compute, bench.tags()
    for offer in (o for o in compute.offers() if o.standing):
        with pytest.raises(Refused):
            compute.provision(offer=offer.id, tags=tags)
    assert compute.find(tags.call) is None


def test_releasing_a_machine_that_is_not_there_is_success(bench: Bench) -> None:
    bench.backend.compute.release("never-was")
    assert bench.backend.compute.find("never/was/1") is None


def test_a_machine_is_provisioned_once_found_and_released(bench: Bench) -> None:
    compute, offer = bench.backend.compute, _rentable(bench)
    tags = bench.tags(run="machines")
    machine = compute.provision(offer=offer.id, tags=tags)
    assert (machine.offer, machine.state) == (offer.id, "starting")
    if compute.promise.atomic:
        with pytest.raises(Conflict):
            compute.provision(offer=offer.id, tags=tags)
    (seen,) = compute.owned(Scope(run="machines"))
    assert (seen.kind, seen.id, seen.call, seen.owner) == ("machine", machine.id, tags.call, OWNER)
    bench.until(lambda: _state(bench, tags.call) == "ready", "the machine is ready")
    compute.release(machine.id)
    compute.release(machine.id)
    assert _state(bench, tags.call) == "released"
    assert not compute.owned(Scope(run="machines"))


def test_a_machine_ends_with_its_lease(bench: Bench) -> None:
    compute, tags = bench.backend.compute, bench.tags(run="leased", lease_s=bench.moment)
    compute.provision(offer=_rentable(bench).id, tags=tags)
    bench.until(lambda: not compute.owned(Scope(run="leased")), "the lease lapses")
    assert _state(bench, tags.call) == "released"


def test_an_offer_that_is_not_there_is_not_provisioned(bench: Bench) -> None:
    tags = bench.tags(run="nothing")
    with pytest.raises((NotFound, Refused)):
        bench.backend.compute.provision(offer="never-was", tags=tags)
    assert bench.backend.compute.find(tags.call) is None


def _rentable(bench: Bench) -> Offer:
    offers = [o for o in bench.backend.compute.offers() if not o.standing]
    assert bool(offers) == ("machines" in bench.backend.can)
    if not offers:
        pytest.skip(f"{bench.backend.name} has no machines to provision")
    return offers[0]


def _state(bench: Bench, call: str) -> str:
    machine = bench.backend.compute.find(call)
    assert machine is not None
    return machine.state
