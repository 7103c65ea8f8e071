"""A standing goal whose process dies around every commit: what was done is done once, and waking never costs more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standing_desk import EVERY, Home, begun, kinds, pass_time, records, wanted, work

from agent.record.store import Store
from agent.service_state import Standing
from agent.session import Session
from agent.standing import waking
from agent.upkeep import Checked

SAMPLE = {(3, True)}
"""Where it is killed in `make test`: the check is stored, and the training it asks for half begun."""


class Killed(BaseException):
    """The process is gone."""


class Mortal(Store):
    """A store whose process dies before or after one of its writes; it counts what is read of journals."""

    left = 10**9
    before = True
    writes = 0
    read = 0

    def _mortal(self, write: Callable[[], Any]) -> Any:
        self.writes += 1
        self.left -= 1
        if self.left == 0 and self.before:
            raise Killed
        told = write()
        if self.left == 0:
            raise Killed
        return told

    def append(self, run: str, **more: Any) -> Any:
        return self._mortal(lambda: Store.append(self, run, **more))

    def create(self, **more: Any) -> Any:
        return self._mortal(lambda: Store.create(self, **more))

    def release(self, run: str, **more: Any) -> Any:
        return self._mortal(lambda: Store.release(self, run, **more))

    def lines(self, run: str, *, after: int = 0) -> Any:
        found = Store.lines(self, run, after=after)
        self.read += len(found)
        return found


def mortal(session: Session) -> Mortal:
    """The session's store, from now on one that may die."""
    store = Mortal(session._settings.home / "goalkeeper.db", redaction=session._settings.redaction)
    session._store_ = store
    return store


def buried(session: Session) -> Session:
    """What is left when the process that died owns nothing any more: its leases have lapsed."""
    for row in session._store.rows(None):
        if row.owner is not None:
            session._store.release(row.id, epoch=row.epoch, due=row.due)
    return session


def told(home: Home, session: Session, goal: str) -> tuple[object, ...]:
    """Everything that must not depend on where a process died."""
    world = [(e.kind, e.token) for e in home.backend.effects if e.by == "call"]
    same = [(kind, token.replace(goal.removesuffix(".1"), "RUN")) for kind, token in world]
    return kinds(session, goal), same, home.serving(), len(session._store.rows(None))


def drifting(folder: Path) -> tuple[Home, Session, str]:
    home = Home(folder, wanted(folder, retrain_on=("drift",)))
    session, goal, _ = begun(home)
    home.detector.drifts.add(home.serving())
    home.renew(1)
    home.call(EVERY)
    return home, session, goal


def one_wake(home: Home, session: Session, goal: str) -> None:
    """The check that finds the drift and begins a training, and that of what came of it."""
    session.wake(goal)
    for row in session._store.rows():
        if "-retrain" in row.id and row.status == "planning":
            session.drive(row.id)
    session.wake(goal)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[object, ...], int]:
    """What one wake-up comes to, and how often it writes."""
    home, session, goal = drifting(tmp_path_factory.mktemp("calm"))
    store = mortal(session)
    session.wake(goal)
    writes = store.writes
    work(session, home)
    return told(home, session, goal), writes


@pytest.mark.parametrize(
    ("at", "before"),
    [
        pytest.param(at, before, marks=() if (at, before) in SAMPLE else pytest.mark.slow)
        for at in range(1, 8)
        for before in (True, False)
    ],
)
def test_a_check_that_dies_around_any_commit_is_made_once_and_reacts_once(
    tmp_path: Path, undisturbed: tuple[tuple[object, ...], int], at: int, before: bool
) -> None:
    wanted_, writes = undisturbed
    assert writes <= 7, "every one of them is killed at"
    if at > writes:
        pytest.skip("it writes less often than that")
    home, session, goal = drifting(tmp_path)
    store = mortal(session)
    store.left, store.before = at, before
    with pytest.raises(Killed):
        session.wake(goal)
    session.close()
    session = buried(home.open())
    due = session._store.row(goal).due
    assert due is not None, "somebody looks again"
    session.wake(goal)
    work(session, home)
    found = told(home, session, goal)
    assert found == wanted_
    session.close()


@pytest.mark.parametrize(
    ("at", "before"),
    [
        pytest.param(1, False),
        *(pytest.param(at, before, marks=pytest.mark.slow) for at, before in ((1, True), (2, True), (2, False))),
        *(pytest.param(3, before, marks=pytest.mark.slow) for before in (True, False)),
    ],
)
def test_a_run_that_dies_while_it_hands_over_hands_over_once(tmp_path: Path, at: int, before: bool) -> None:
    home = Home(tmp_path, wanted(tmp_path))
    session = home.open()
    run = session.start(home.request(accept=True))
    store = mortal(session)

    class Dies(Mortal):
        """Dies around the writes that concern the standing goal."""

        def create(self, **more: Any) -> Any:
            if more.get("kind") == "standing":
                self.left = at
            return super().create(**more)

    dying = Dies(store._path if hasattr(store, "_path") else session._settings.home / "goalkeeper.db")
    dying.before = before
    session._store_ = dying
    with pytest.raises(Killed):
        session.drive(run)
    session.close()
    with buried(home.open()) as session:
        document = session.drive(run)
        assert document.run.exit_code == 0
        assert [r.id for r in session._store.rows("standing")] == [f"{run}.1"]
        assert kinds(session, f"{run}.1") == ["standing"]
        pass_time(session, home, checks=1)
        assert kinds(session, f"{run}.1") == ["standing", "checked"]


def costs(folder: Path, checks: int, monkeypatch: pytest.MonkeyPatch, chapter: int) -> list[int]:
    """Lines of journals that each wake-up reads."""
    monkeypatch.setattr(waking, "CHAPTER_CHECKS", chapter)
    home = Home(folder, wanted(folder))
    session, goal, _ = begun(home)
    home.rps = 0.02
    store, found = mortal(session), list[int]()
    for _ in range(checks):
        home.call(EVERY / 2)
        home.call(EVERY / 2)
        store.read = 0
        session.wake(goal)
        found.append(store.read)
    assert len(records(session, goal, Checked)) == checks
    whole = session._fold(goal).standing
    from agent.state import fold

    again = fold(goal, Store.lines(session._store, goal)).standing
    assert isinstance(whole, Standing)
    assert whole == again, "from its last chapter it is what its whole journal says"
    return found


def test_waking_reads_no_more_lines_after_many_checks_than_after_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = costs(tmp_path, 24, monkeypatch, chapter=6)
    assert max(found[12:]) <= max(found[:12]) <= 2 * 6 + 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_checks_cost_the_same_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = costs(tmp_path, 1000, monkeypatch, chapter=waking.CHAPTER_CHECKS)
    assert max(found) <= waking.CHAPTER_CHECKS + 25
    assert max(found[-200:]) <= max(found[:200]) + 10
