"""People and runs: questions, answers from elsewhere, cancellations, orders about what runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, priced, verdicts

from agent.documents import Pending, RunDocument, RunView
from agent.errors import Busy, InvalidRequest, NoSuchRun
from agent.record.store import Store
from agent.session import Session
from policies.limits import load_limits

PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
WAITED = load_limits().approvals.expire_after_s


def asked(session: Session, run: str) -> list[str]:
    return [p.id for p in session.view(run).pending]


def answers(session: Session, run: str) -> list[tuple[object, object]]:
    return [(e.body["who"], e.body["approve"]) for e in session.events(run) if e.kind == "answer"]


def test_production_asks_before_anything_is_started_and_says_what_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, document = stage.run()
    assert (document.run.status, document.run.exit_code) == ("waiting", 4)
    assert stage.calls() == []
    (pending,) = session.view(document.run.id).pending
    assert pending.policies == ("production",)
    assert "deploy_model acts on tumours in production" in pending.reason
    session.close()


@pytest.mark.parametrize("price", [0.0, None])
def test_what_the_plan_says_it_would_ask_is_what_the_run_asks(tmp_path: Path, price: float | None) -> None:
    stage = Stage(tmp_path, PRODUCTION, world=priced(usd_per_hour=price))
    questions: list[Pending] = []

    def ask(pending: Pending) -> bool:
        questions.append(pending)
        return True

    with stage.session() as session:
        foreseen = session.plan(stage.request()).approvals
        document = session.drive(session.start(stage.request()), ask=ask)
        assert document.run.exit_code == 0
        (question,) = questions
        assert question.step == ", ".join(a.step for a in foreseen)
        assert set(question.policies) == {p for a in foreseen for p in a.policies}
        held = [
            str(e.body["call"]["step"])  # type: ignore[index]
            for e in session.events(document.run.id)
            if e.kind == "verdict" and e.body["policies"]
        ]
    assert sorted(held) == sorted(a.step for a in foreseen)


def test_a_no_ends_the_run_before_anything_happens(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    document = stage.ended(accept=False, ask=lambda _: False)
    assert (document.run.exit_code, document.run.reason) == (3, "ada did not approve the plan")
    assert stage.calls() == []


def test_a_yes_beforehand_is_not_asked_again(tmp_path: Path) -> None:
    document = Stage(tmp_path, PRODUCTION).ended(accept=True, ask=lambda _: pytest.fail("it was asked"))
    assert document.run.exit_code == 0


def test_a_yes_beforehand_turns_no_refusal(tmp_path: Path) -> None:
    wanted = classify(ACCURACY, rollout="canary", environment="production", constraints=("no_production",))
    stage = Stage(tmp_path, wanted)
    assert stage.ended(accept=True).run.exit_code == 3
    assert stage.calls() == []


def waiting(stage: Stage) -> tuple[Session, str]:
    session, document = stage.run()
    assert document.run.status == "waiting"
    return session, document.run.id


@pytest.mark.parametrize(("approve", "code"), [(True, 0), (False, 3)])
def test_an_answer_from_another_session_is_carried_out_by_whoever_drives_next(
    tmp_path: Path, approve: bool, code: int
) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    with stage.session() as other:
        said = other.answer(run, approve=approve, pending=None, who="bob")
        assert f"resume {run}" in said
    document = session.drive(run)
    assert document.run.exit_code == code
    assert answers(session, run) == [("bob", approve)]
    session.close()


def test_of_two_answers_the_no_counts(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    session.answer(run, approve=True, pending=None, who="ann")
    session.answer(run, approve=False, pending="plan-1", who="bob")
    assert session.drive(run).run.reason == "bob did not approve the plan"
    assert answers(session, run) == [("bob", False)]
    session.close()


def test_a_no_from_elsewhere_counts_even_while_the_person_at_the_door_says_yes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)

    def ask(_: Pending) -> bool:
        with stage.session() as other:
            (line,) = other.runs().runs
            other.answer(line.id, approve=False, pending=None, who="bob")
        return True

    document = stage.ended(accept=False, ask=ask)
    assert (document.run.exit_code, document.run.reason) == (3, "bob did not approve the plan")


def test_the_same_answer_twice_is_one_answer(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    for who in ("ann", "eve"):
        session.answer(run, approve=True, pending=None, who=who)
    session.drive(run)
    assert answers(session, run) == [("ann", True)]
    session.close()


def test_an_answer_to_a_question_that_is_not_asked_is_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    with pytest.raises(InvalidRequest, match="it asks plan-1"):
        session.answer(run, approve=True, pending="plan-2", who="bob")
    session.answer(run, approve=True, pending=None, who="bob")
    session.drive(run)
    with pytest.raises(InvalidRequest, match="it asks nothing"):
        session.answer(run, approve=True, pending=None, who="bob")
    session.close()


def test_an_answer_is_for_the_question_that_was_open_when_it_was_given(tmp_path: Path) -> None:
    """A message that names another question is no answer to this one."""
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    store = Store(tmp_path / "home" / "goalkeeper.db")
    for body in ({"pending": "plan-7", "who": "bob"}, {"pending": None, "who": "bob"}, {"who": "bob"}):
        store.post(run=run, kind="approve", body=body, at=stage.clock.now(), dedupe=str(body))
    store.close()
    assert session.drive(run).run.status == "waiting"
    assert stage.calls() == []
    session.close()


def test_a_question_that_nobody_answers_in_time_is_a_no(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    stage.clock.advance(WAITED)
    document = session.drive(run)
    assert (document.run.exit_code, document.run.reason) == (3, "nobody in time did not approve the plan")
    assert stage.calls() == []
    session.close()


def test_a_yes_that_comes_too_late_is_none(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    stage.clock.advance(WAITED)
    session.answer(run, approve=True, pending=None, who="bob")
    assert session.drive(run).run.exit_code == 3
    session.close()


def test_a_yes_that_came_in_time_counts_whenever_it_is_carried_out(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    session, run = waiting(stage)
    stage.clock.advance(WAITED - 1)
    session.answer(run, approve=True, pending=None, who="bob")
    stage.clock.advance(100)
    assert session.drive(run).run.exit_code == 0
    session.close()


def test_a_person_at_the_door_who_thinks_too_long_has_not_said_yes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)

    def ask(_: Pending) -> bool:
        stage.clock.advance(WAITED)
        return True

    assert stage.ended(accept=False, ask=ask).run.exit_code == 3


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
        assert "which this run did not make" in session.view(document.run.id).pending[0].reason
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
