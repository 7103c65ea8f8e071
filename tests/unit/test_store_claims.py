"""Who drives a run in the embedded store, by a clock that nobody can set; and which process an owner is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored_claims import ELSEWHERE, Many, suspended, wanted
from stored_journals import begun

from agent.errors import Busy
from agent.record import owner
from agent.record.embedded import Embedded
from agent.record.lease import BootClock
from agent.record.store import Store


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "goalkeeper.db"


@pytest.fixture
def store(where: Path) -> Iterator[Store]:
    opened = Store(where)
    yield opened
    opened.close()


class TestEmbedded(Many):
    """In SQLite."""


class Uptime(BootClock):
    """The time since a start of the machine, as a test says."""

    def __init__(self) -> None:
        self.seconds, self.start = 1000.0, "first"

    def now(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return self.start


@pytest.fixture
def uptime() -> Uptime:
    return Uptime()


@pytest.fixture
def timed(where: Path, uptime: Uptime) -> Iterator[Store]:
    opened = Store(where)
    opened._db.close()
    opened._db = Embedded(where, clock=uptime)
    yield opened
    opened.close()


def test_a_lease_lasts_to_the_second_of_the_machines_own_time(timed: Store, uptime: Uptime) -> None:
    timed.create(run="r", goal="g", started=1.0)
    epoch = timed.claim("r", owner=ELSEWHERE, lease_s=30.0)
    uptime.seconds = 1029.9
    assert timed.holds("r", epoch=epoch)
    assert timed.row("r").leased == pytest.approx(0.1)
    uptime.seconds = 1030.0
    assert not timed.holds("r", epoch=epoch)
    assert timed.claim("r", owner="me", lease_s=30.0) == 2


def test_once_the_machine_was_started_again_every_lease_of_before_has_lapsed(timed: Store, uptime: Uptime) -> None:
    suspended(timed)
    epoch = timed.claim("r", owner=ELSEWHERE, lease_s=1e9)
    uptime.seconds, uptime.start = 5.0, "second"
    assert not timed.holds("r", epoch=epoch)
    assert timed.row("r").leased == 0
    assert wanted(timed) == ["r"]
    new = timed.claim("r", owner=ELSEWHERE + "0", lease_s=30.0)
    assert timed.holds("r", epoch=new)


def test_whoever_has_no_lease_owns_its_run_until_it_or_the_machine_is_gone(timed: Store, uptime: Uptime) -> None:
    timed.create(run="r", goal="g", started=1.0)
    epoch = timed.claim("r", owner=ELSEWHERE)
    uptime.seconds = 1e12
    assert timed.holds("r", epoch=epoch)
    with pytest.raises(Busy):
        timed.claim("r", owner="me")
    uptime.start = "second"
    assert timed.claim("r", owner="me") == epoch + 1


def test_a_wall_clock_that_jumps_neither_ends_nor_lengthens_a_lease(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a lease asks what time it is."""
    epoch = begun(store)
    store.renew("r", epoch=epoch, lease_s=60.0)
    for jump in (-1e9, 1e9):
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda jump=jump: jump)
            assert store.holds("r", epoch=epoch)
    store.renew("r", epoch=epoch, lease_s=0.0)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 0.0)
        assert not store.holds("r", epoch=epoch)


def test_this_process_is_there_and_one_that_has_ended_is_gone() -> None:
    code = "from agent.record import owner; print(owner.me())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert not owner.gone(owner.me())
    assert other != owner.me()
    assert owner.gone(other)


def test_what_this_process_was_called_by_earlier_versions_is_still_understood() -> None:
    process = owner.me().rpartition("/")[2]
    assert process.startswith(f"{os.getpid()}@")
    assert not owner.gone(process)
    assert owner.gone(f"{process}0")


@pytest.mark.parametrize("name", ["", "me", "@", "x@1", "-1@1", "99999999999999999999@1", "²@1"])
def test_a_name_that_no_process_of_this_host_has_is_gone(name: str) -> None:
    assert owner.gone(name)
    assert owner.gone(f"{owner.me().rpartition('/')[0]}/{name}")


@pytest.mark.parametrize("host", ["another", "", "a/b"])
def test_a_process_of_another_host_is_never_called_gone(host: str) -> None:
    assert not owner.gone(f"{host}/{owner.me().rpartition('/')[2]}")
    assert not owner.gone(f"{host}/1@0")
