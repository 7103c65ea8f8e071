"""The thread that renews leases: what goes wrong with one run must not cost the others theirs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.record.heartbeat import Heartbeat
from agent.record.store import Store


class Renewed(Store):
    """A store that counts renewals, and has a defect for one run."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        self.heard: dict[str, threading.Event] = {"defect": threading.Event(), "sound": threading.Event()}

    def renew(self, run: str, *, epoch: int, lease_s: float) -> None:
        self.heard[run].set()
        if run == "defect":
            raise ZeroDivisionError


def test_a_defect_of_one_renewal_ends_no_other(tmp_path: Path) -> None:
    store, beat = Renewed(tmp_path / "goalkeeper.db"), Heartbeat()
    with beat.renewing(store, "defect", epoch=1, lease_s=0.03):
        assert store.heard["defect"].wait(20.0)
        with beat.renewing(store, "sound", epoch=1, lease_s=0.03):
            assert store.heard["sound"].wait(20.0)
    store.close()


def test_where_no_thread_could_be_started_the_next_run_starts_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, beat = Renewed(tmp_path / "goalkeeper.db"), Heartbeat()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", _refused)
        with pytest.raises(RuntimeError), beat.renewing(store, "sound", epoch=1, lease_s=0.03):
            pass
    with beat.renewing(store, "sound", epoch=1, lease_s=0.03):
        assert store.heard["sound"].wait(20.0)
    store.close()


def _refused(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
