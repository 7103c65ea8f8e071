"""People and runs: cancellations, orders about what runs, who drives, what a run is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, verdicts

from agent.documents import RunDocument, RunView
from agent.errors import Busy, InvalidRequest, NoSuchRun
from agent.record.store import Store
from agent.session import Session

PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")


def waiting(stage: Stage) -> tuple[Session, str]:
    session, document = stage.run()
    assert document.run.status == "waiting"
    return session, document.run.id


def cancelled_at(stage: Stage, kind: str) -> RunDocument:
    """Another session cancels once that has happened in the world."""
    with stage.begun() as (session, run), stage.session() as other:

        def watch(view: RunView) -> None:
            if kind in stage.kinds() and view.status == "running":
                other.cancel(run, who="bob")

        document = session.drive(run, watch=watch)
        assert session.show(run) == document
        return document


@pytest.mark.parametrize(
    "kind", ["jobs.submit", "job.started", "objects.put", "serving.deploy", "version.ready", "serving.split"]
)
def test_a_cancelled_run_ends_everything_it_started(tmp_path: Path, kind: str) -> None:
    stage = Stage(tmp_path, CANARY)
    document = cancelled_at(stage, kind)
    assert (document.run.status, document.run.exit_code) == ("cancelled", 4)
    assert document.run.reason == "bob cancelled the run"
    assert stage.owned() == []
    assert not [j for j in stage.backend.snapshot().jobs if j.phase in ("queued", "running")]


def test_a_cancelled_run_without_a_clause_is_cancelled_and_not_failed(tmp_path: Path) -> None:
    document = cancelled_at(Stage(tmp_path, classify()), "job.started")
    assert document.run.exit_code == 4
    assert verdicts(document) == {"finished": "UNPROVEN"}


def test_cancelling_while_a_second_version_is_rolled_out_leaves_the_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    first = stage.ended().run.resources.kept[0].model
    (one,) = CANARY.parts
    stage.brain.contract = CANARY.model_copy(update={"parts": (one.model_copy(update={"models": ("random_forest",)}),)})
    splits = len(stage.calls("serving.split"))
    with stage.begun() as (session, run), stage.session() as other:

        def watch(view: RunView) -> None:
            if len(stage.calls("serving.split")) > splits and view.status == "running":
                other.cancel(run, who="bob")

        assert session.drive(run, watch=watch).run.exit_code == 4
    versions = stage.backend.serving.state("tumours").versions
    assert [(v.name, v.weight) for v in versions] == [(first, 100)]


def test_a_run_that_waits_for_a_person_can_be_cancelled(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    session.cancel(run, who="bob")
    document = session.drive(run)
    assert (document.run.status, document.run.exit_code) == ("cancelled", 4)
    with pytest.raises(InvalidRequest, match="it has ended already"):
        session.cancel(run, who="bob")
    session.close()


def test_a_run_that_somebody_drives_is_driven_by_nobody_else(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    with stage.begun() as (session, run):
        store = Store(tmp_path / "home" / "goalkeeper.db")
        store.claim(run, owner="1@" + _started(1), gone=())
        store.close()
        with pytest.raises(Busy, match="driven by another process"):
            session.drive(run)
        assert stage.calls() == []
        assert "carries it out" in session.cancel(run, who="bob")


def _started(pid: int) -> str:
    """When a process started, in the kernel's units."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


def test_a_run_whose_process_is_gone_is_taken_over(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    with stage.begun() as (session, run):
        store = Store(tmp_path / "home" / "goalkeeper.db")
        store.claim(run, owner="1@0", gone=())
        store.close()
        assert session.drive(run).run.exit_code == 0


def test_an_endpoint_is_extended_by_an_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    stage.ended()
    with stage.session() as session:
        document = session.drive(session.extend("tumours", for_s=100_000.0))
        assert document.run.exit_code == 0
        (kept,) = document.run.resources.kept
    assert kept.id == "tumours"
    assert stage.backend.serving.state("tumours").lease_until == stage.clock.now() + 100_000.0


def test_an_endpoint_is_stopped_by_an_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    stage.ended()
    with stage.session() as session:
        document = session.drive(session.stop("tumours"))
    assert (document.run.exit_code, document.run.resources.kept) == (0, ())
    assert stage.owned() == []


@pytest.mark.parametrize("order", ["stop", "extend"])
def test_an_order_about_nothing_is_invalid(tmp_path: Path, order: str) -> None:
    with Stage(tmp_path, CANARY).session() as session:
        with pytest.raises(InvalidRequest, match="no endpoint of that name"):
            session.stop("nobody") if order == "stop" else session.extend("nobody", for_s=1.0)
        assert session.runs().runs == ()


def test_what_belongs_to_somebody_else_is_ended_only_with_a_yes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    stage.ended()
    stage.settings = stage.settings.model_copy(update={"user": "eve"})
    with stage.session() as session:
        document = session.drive(session.stop("tumours"))
        assert document.run.status == "waiting"
        assert "which belongs to ada" in session.view(document.run.id).pending[0].reason
    assert len(stage.owned()) == 1


def test_a_run_is_found_by_the_beginning_or_the_end_of_its_id(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify())
    with stage.begun() as (session, run):
        assert session.show(run[-4:]).run.id == session.show(run[:12]).run.id == run
        with pytest.raises(NoSuchRun, match="there is no run 'nothing'"):
            session.show("nothing")
        with pytest.raises(NoSuchRun):
            session.show("")


def test_events_read_as_sentences_and_carry_the_chain(tmp_path: Path) -> None:
    session, document = Stage(tmp_path, CANARY).run(accept=True)
    events = list(session.events(document.run.id))
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert events[0].text == "ada asked: the goal"
    assert len({e.hash for e in events}) == len(events)
    assert list(session.events(document.run.id, after=5)) == events[5:]
    session.close()
