"""A goal is changed while it is carried out: what has begun stays, the rest is planned anew, what cannot be is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, verdicts

from agent.about.facts import facts
from agent.about.told import Written
from agent.contract import Contract, Search
from agent.documents import RunDocument, RunView
from agent.errors import InvalidRequest, NotTheirs
from agent.session import Session
from agent.state import fold, parse

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")


def having(contract: Contract, **changes: object) -> Contract:
    """The contract with its one part changed."""
    (part,) = contract.parts
    return contract.model_copy(update={"parts": (part.model_copy(update=changes),)})


def amended(
    stage: Stage, contract: Contract, *, after: str = "prepare", then: Callable[[Session, str], None] | None = None
) -> tuple[Session, RunDocument]:
    """The run is driven, and its contract changed once that step is done."""
    session = stage.session()
    run = session.start(stage.request(accept=True))
    said: list[str] = []

    def watch(view: RunView) -> None:
        done = {s.id for s in view.steps if s.phase == "done"}
        if after in done and not said:
            said.append(session.amend(run, contract, before=_now(session, run), text="make it so", who="ada"))
            if then is not None:
                then(session, run)

    document = session.drive(run, watch=watch)
    assert said
    return session, document


def _now(session: Session, run: str) -> Contract:
    """The contract as it is now."""
    contract = session.show(run).contract
    assert contract is not None
    return contract


def kinds(session: Session, run: str) -> list[str]:
    return [e.kind for e in session.events(run)]


def test_a_threshold_is_changed_while_the_models_are_trained(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    higher = having(CANARY, clauses=(clause("accuracy", ">=", 0.99), LATENCY, ERRORS))
    session, document = amended(stage, higher)
    assert verdicts(document)["accuracy"] == "NOT MET"
    assert document.contract == higher
    assert "amended" in kinds(session, document.run.id)
    assert stage.calls("serving.deploy") == []  # what was demanded last decides
    session.close()


def test_a_lower_budget_than_is_spent_is_not_taken_and_the_run_goes_on_as_it_was(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY.model_copy(update={"budget_usd": 5.0}))
    session, document = amended(stage, CANARY.model_copy(update={"budget_usd": 3.0}))
    assert document.contract is not None
    assert document.contract.budget_usd == 3.0
    assert document.run.exit_code == 0
    session.close()


def test_another_data_set_is_another_goal_once_the_rows_are_parted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    (part,) = CANARY.parts
    other = having(CANARY, data=(part.data[0].model_copy(update={"uri": "sklearn:wine"}),))
    with stage.session() as session:
        run = session.start(stage.request(accept=True))
        tried: list[str] = []

        def watch(view: RunView) -> None:
            if any(s.phase == "done" for s in view.steps) and not tried:
                tried.append(view.id)
                with pytest.raises(InvalidRequest, match="begun"):
                    session.amend(run, other, before=CANARY, text="use wine", who="ada")

        assert session.drive(run, watch=watch).run.exit_code == 0
        assert tried
        assert "amended" not in kinds(session, run)


def test_only_the_requester_changes_a_goal(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    with stage.begun() as (session, run), pytest.raises((InvalidRequest, NotTheirs), match="only ada"):
        session.amend(run, having(CANARY, clauses=(ACCURACY,)), before=CANARY, text="", who="mallory")


def test_a_change_that_came_too_late_is_noted_and_changes_nothing(tmp_path: Path) -> None:
    """It was possible when it was left; when its owner looked, the step had begun."""
    stage = Stage(tmp_path, CANARY)
    lower = having(CANARY, clauses=(clause("accuracy", ">=", 0.5), LATENCY, ERRORS))

    def spoil(session: Session, run: str) -> None:
        with pytest.raises(InvalidRequest):
            session.amend(run, CANARY.model_copy(update={"parts": ()}), before=CANARY, text="nothing", who="ada")

    session, document = amended(stage, lower, then=spoil)
    assert document.run.exit_code == 0
    assert kinds(session, document.run.id).count("amended") == 1
    session.close()


def test_what_was_approved_is_asked_anew_when_the_goal_changes(tmp_path: Path) -> None:
    """An approval is of a plan: the changed one has questions of its own."""
    stage = Stage(tmp_path, CANARY.model_copy(update={"environment": "production"}))
    asked: list[str] = []
    with stage.session() as session:
        run = session.start(stage.request())
        document = session.drive(run)
        assert document.run.status == "waiting"
        asked += [q.digest for q in document.questions]
        before = _now(session, run)
        session.amend(run, having(before, clauses=(ACCURACY, LATENCY)), before=before, text="", who="ada")
        document = session.drive(run)
        assert document.run.status == "waiting"
        assert {q.digest for q in document.questions}.isdisjoint(asked)


def test_a_change_of_a_contract_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    """What was shown was a change of another contract: taking it would undo what the other one changed."""
    wanted = CANARY.model_copy(update={"budget_usd": 5.0})
    stage = Stage(tmp_path, wanted)
    poorer = wanted.model_copy(update={"budget_usd": 4.0})
    sooner = wanted.model_copy(update={"deadline_s": 10_800.0})
    refused: list[str] = []

    def again(session: Session, run: str) -> None:
        # both are left before the owner looks; and the third after the owner has taken the first
        session.amend(run, sooner, before=wanted, text="within 3 hours", who="ada")

    session = stage.session()
    run = session.start(stage.request(accept=True))
    left: list[str] = []

    def watch(view: RunView) -> None:
        if any(s.phase == "done" for s in view.steps) and not left:
            left.append(session.amend(run, poorer, before=wanted, text="budget 4 dollars", who="ada"))
            again(session, run)
        elif left and not refused and _now(session, run) == poorer:
            with pytest.raises(InvalidRequest, match="changed in between"):
                again(session, run)
            refused.append(run)

    document = session.drive(run, watch=watch)
    assert document.contract == poorer
    assert refused
    (ignored,) = [e for e in session.events(run) if e.kind == "ignored"]
    assert "changed in between" in ignored.text
    session.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"constraints": ("no_deploy",)}, "the goal says not to deploy"),
        ({"parts": (CANARY.parts[0].model_copy(update={"search": Search(trials=1)}),)}, "1 trials are fewer than"),
    ],
)
def test_objections_say_beforehand_what_the_owner_of_the_run_would_say(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    """Guards and accounts are asked as well: nothing is accepted that is then dropped."""
    searched = having(CANARY, search=Search(trials=8))
    stage = Stage(tmp_path, searched)
    after = searched.model_copy(update=change)
    session = stage.session()
    run = session.start(stage.request(accept=True))
    said: list[tuple[str, ...]] = []

    def watch(view: RunView) -> None:
        if not said and any(s.phase == "done" and s.tool == "tune_model" for s in view.steps):
            said.append(session.objections(run, after))
            with pytest.raises(InvalidRequest):
                session.amend(run, after, before=searched, text="", who="ada")

    document = session.drive(run, watch=watch)
    assert document.contract == searched
    assert any(why in reason for reason in said[0])
    session.close()


def test_a_question_about_the_plan_holds_steps_and_is_told_as_that(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY.model_copy(update={"environment": "production"}))
    with stage.session() as session:
        run = session.start(stage.request())
        assert session.drive(run).run.status == "waiting"
        lines = session._store.lines(run)
        journal = tuple(Written(line.seq, line.at, parse(line)) for line in lines)
        state = fold(run, lines)
        known = facts(state, report=session.show(run).run, journal=journal, now=state.last)
        held = [f for f in known if f.topic == "refused"]
        assert held
        assert all("is held until" in f.says for f in held)
