"""A goal is changed while it is carried out: what has begun stays, the rest is planned anew, what cannot be is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, verdicts

from agent.contract import Contract
from agent.documents import RunDocument, RunView
from agent.errors import InvalidRequest, NotTheirs
from agent.session import Session

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
            said.append(session.amend(run, contract, text="make it so", who="ada"))
            if then is not None:
                then(session, run)

    document = session.drive(run, watch=watch)
    assert said
    return session, document


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
                    session.amend(run, other, text="use wine", who="ada")

        assert session.drive(run, watch=watch).run.exit_code == 0
        assert tried
        assert "amended" not in kinds(session, run)


def test_only_the_requester_changes_a_goal(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    with stage.begun() as (session, run), pytest.raises((InvalidRequest, NotTheirs), match="only ada"):
        session.amend(run, having(CANARY, clauses=(ACCURACY,)), text="", who="mallory")


def test_a_change_that_came_too_late_is_noted_and_changes_nothing(tmp_path: Path) -> None:
    """It was possible when it was left; when its owner looked, the step had begun."""
    stage = Stage(tmp_path, CANARY)
    lower = having(CANARY, clauses=(clause("accuracy", ">=", 0.5), LATENCY, ERRORS))

    def spoil(session: Session, run: str) -> None:
        with pytest.raises(InvalidRequest):
            session.amend(run, CANARY.model_copy(update={"parts": ()}), text="nothing", who="ada")

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
        session.amend(run, having(stage.brain.contract, clauses=(ACCURACY, LATENCY)), text="", who="ada")  # type: ignore[arg-type]
        document = session.drive(run)
        assert document.run.status == "waiting"
        assert {q.digest for q in document.questions}.isdisjoint(asked)
