"""Runs to which something happens: typed failures, lost answers, money that runs out, and stops in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from peopled import policies
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, part, priced, steps_of, verdicts

from agent.contract import Contract
from agent.documents import RunDocument, RunView
from agent.errors import Broken
from agent.record.store import Store
from agent.session import Session
from policies.limits import load_limits
from tools.backends.sim.faults import FaultKind, Operation
from tools.backends.sim.world import load_world
from tools.dispatch import Dispatcher
from tools.errors import Cause
from tools.tool import Call, Outcome

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
LOST: list[FaultKind] = ["timeout_before", "timeout_after", "answer_500_after"]


def submitted(stage: Stage) -> list[str]:
    """Call ids of every job, without the run."""
    return [e.token.partition("/")[2] for e in stage.calls("jobs.submit")]


def made_once(stage: Stage) -> None:
    """Nothing was created twice, and only what was handed over is left."""
    creations = [(e.kind, e.token) for e in stage.calls() if e.kind in ("jobs.submit", "serving.deploy")]
    assert len(creations) == len(set(creations))
    assert [o.kind for o in stage.owned()] in ([], ["endpoint"])


def test_a_lost_node_is_tried_once_more_under_a_new_attempt(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="node_lost", token="/prepare/")
    document = stage.ended()
    assert document.run.exit_code == 0
    assert submitted(stage)[:2] == ["prepare/1", "prepare/2"]


def test_what_is_lost_twice_is_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="node_lost", times=None)
    document = stage.ended()
    assert (document.run.exit_code, document.run.status) == (5, "failed")
    assert submitted(stage) == ["prepare/1", "prepare/2"]
    assert "node_lost" in document.run.reason


@pytest.mark.parametrize(("cause", "code"), [("user_code_error", 5), ("data_invalid", 2), ("out_of_memory_host", 5)])
def test_a_permanent_failure_is_never_repeated(tmp_path: Path, cause: Cause, code: int) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause=cause, times=None)
    document = stage.ended()
    assert document.run.exit_code == code
    assert submitted(stage) == ["prepare/1"]
    assert stage.owned() == []


def test_a_family_that_fails_leaves_the_choice_to_the_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="user_code_error", token="logistic")
    document = stage.ended()
    assert document.run.exit_code == 0, document.run.reason
    assert "tune-logistic-regression failed (user_code_error)" in document.run.revisions[0].why
    assert stage.owned() == []


def test_a_search_in_which_every_family_fails_fails_the_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="user_code_error", token="tune", times=9)
    document = stage.ended()
    assert document.run.exit_code == 5
    assert stage.owned() == []


def test_one_part_that_fails_does_not_take_the_other_with_it(tmp_path: Path) -> None:
    wanted = Contract(parts=tuple(part(ACCURACY, name=n, target=n) for n in ("a", "b")))
    stage = Stage(tmp_path, wanted)
    stage.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause="user_code_error", token="/a.prepare/")
    document = stage.ended()
    assert {c.part: c.verdict for c in document.run.clauses} == {"a": "UNPROVEN", "b": "MET"}
    assert document.run.exit_code == 5


@pytest.mark.parametrize(
    "operation", ["jobs.submit", "serving.deploy", "serving.split", "serving.extend", "objects.put"]
)
@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_changes_nothing_about_the_outcome(
    tmp_path: Path, operation: Operation, fault: FaultKind
) -> None:
    stage = Stage(tmp_path, CANARY)
    stage.backend.faults.arm(operation=operation, fault=fault, times=2)
    document = stage.ended()
    assert document.run.exit_code == 0, document.run.reason
    assert stage.backend.faults.fired
    made_once(stage)


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("operation", ["serving.split", "serving.withdraw"])
def test_a_lost_answer_does_not_keep_a_bad_version_from_being_rolled_back(
    tmp_path: Path, operation: Operation, fault: FaultKind
) -> None:
    stage = Stage(tmp_path, CANARY, world="bad-canary")
    first = stage.ended().run.resources.kept[0].model
    (one,) = CANARY.parts
    stage.brain.contract = CANARY.model_copy(update={"parts": (one.model_copy(update={"models": ("random_forest",)}),)})
    stage.backend.faults.arm(
        operation=operation, fault=fault, times=2, token="roll-back" if "split" in operation else ""
    )
    assert stage.ended().run.exit_code == 1
    assert stage.backend.faults.fired
    assert [(v.name, v.weight) for v in stage.backend.serving.state("tumours").versions] == [(first, 100)]


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_does_not_keep_a_bad_endpoint_from_being_released(tmp_path: Path, fault: FaultKind) -> None:
    world = load_world("bad-canary").model_copy(update={"bad_deploys": (1,)})
    stage = Stage(tmp_path, CANARY, world=world)
    stage.backend.faults.arm(operation="serving.remove", fault=fault, times=2)
    assert stage.ended().run.exit_code == 1
    assert stage.backend.faults.fired
    assert stage.owned() == []


@pytest.mark.parametrize("operation", ["jobs.poll", "serving.state", "objects.fetch", "telemetry.traffic"])
def test_a_read_that_fails_now_and_then_is_simply_made_again(tmp_path: Path, operation: Operation) -> None:
    stage = Stage(tmp_path, CANARY)
    stage.backend.faults.arm(operation=operation, fault="answer_500", chance=0.4, times=12)
    document = stage.ended()
    assert document.run.exit_code == 0, document.run.reason
    made_once(stage)


def test_with_lists_that_lie_nothing_is_made_twice_either(tmp_path: Path) -> None:
    world = priced(usd_per_hour=0.0).model_copy(update={"atomic": False, "staleness_s": 8.0})
    stage = Stage(tmp_path, CANARY, world=world)
    for operation, find in (("jobs.submit", "jobs.find"), ("serving.deploy", "serving.find")):
        stage.backend.faults.arm(operation=operation, fault="lose_answer", times=3)  # type: ignore[arg-type]
        stage.backend.faults.arm(operation=find, fault="stale", times=3)  # type: ignore[arg-type]
    assert stage.ended().run.exit_code == 0
    made_once(stage)


def test_a_backend_that_is_silent_for_good_ends_the_run_in_bounded_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.poll", fault="answer_500", times=None)
    document = stage.ended()
    assert document.run.exit_code == 5
    assert "was not seen to end within its limit" in document.run.reason
    assert stage.clock.now() - stage.backend.world.start < 400
    assert stage.owned() == []


def test_a_cancelled_run_ends_its_jobs_even_when_the_first_tries_are_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.backend.faults.arm(operation="jobs.cancel", fault="answer_500", times=2)
    with stage.begun() as (session, run), stage.session() as other:

        def watch(view: RunView) -> None:
            if view.status == "running" and _busy(stage):
                other.cancel(run, who="bob")

        assert session.drive(run, watch=watch).run.exit_code == 4
    assert [e.kind for e in stage.calls("jobs.cancel")] == ["jobs.cancel"]
    assert stage.owned() == []


def _busy(stage: Stage) -> bool:
    return any(j.phase == "running" for j in stage.backend.snapshot().jobs)


def test_what_could_not_be_released_is_paid_for_until_the_end_and_reported(tmp_path: Path) -> None:
    world = priced("bad-canary", usd_per_hour=1.0).model_copy(update={"bad_deploys": (1,)})
    stage = Stage(tmp_path, CANARY, world=world)
    stage.backend.faults.arm(operation="serving.remove", fault="refuse", times=None)
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 5
    assert sum(document.run.spent.by.values()) == pytest.approx(spent(document))
    deployed = next(s for s in document.plan.steps if s.tool == "deploy_model")
    assert document.run.spent.by["endpoint"] == pytest.approx(float(deployed.args["lease_s"]) / 3600, abs=1e-6)
    assert session.runs().runs[0].spent_usd == pytest.approx(spent(document))
    assert session.view(document.run.id).reserved_usd == 0
    session.close()


def test_a_plan_that_may_cost_more_than_the_budget_is_infeasible(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, budget_usd=0.01), world=priced(usd_per_hour=100.0))
    document = stage.ended()
    assert document.feasibility.verdict == "infeasible"
    assert (document.run.exit_code, stage.calls()) == (1, [])


def test_a_hand_over_that_no_budget_covers_is_infeasible_and_no_refusal(tmp_path: Path) -> None:
    """Eight hours at ten dollars; training is cheap."""
    stage = Stage(tmp_path, classify(rollout="direct", budget_usd=20.0), world=priced(usd_per_hour=10.0))
    document = stage.ended()
    assert (document.feasibility.verdict, document.run.exit_code) == ("infeasible", 1)
    assert "keep: extend_lease may cost up to $80.00" in document.run.reason
    assert stage.calls() == []


def spent(document: RunDocument) -> float:
    return document.run.spent.usd


@pytest.mark.parametrize("accept", [False, True])
def test_when_the_budget_runs_out_the_run_stops_and_releases_what_it_made(tmp_path: Path, accept: bool) -> None:
    """The hand-over alone is within the budget, and no longer once the training is paid."""
    wanted = classify(ACCURACY, rollout="direct", budget_usd=8.0)
    stage = Stage(tmp_path, wanted, world=priced(usd_per_hour=1.0))
    document = stage.ended(accept=accept)
    assert document.run.exit_code == 1
    assert "extend_lease may cost up to $8.00" in document.run.reason
    assert spent(document) <= 8.0
    assert stage.owned() == []
    assert "serving.deploy" in stage.kinds()


def test_parts_share_one_budget_and_wait_for_what_others_have_reserved(tmp_path: Path) -> None:
    """Each preparation reserves 0.12 of 0.235: together they do not fit, one after the other they do."""
    parts = tuple(part(name=n, target=n, models=("logistic_regression",)) for n in ("a", "b"))
    stage = Stage(tmp_path, Contract(parts=parts, budget_usd=0.235), world=priced(usd_per_hour=3.6))
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 0, document.run.reason
    reserved = most = 0
    calls: dict[str, int] = {}
    for event in session.events(document.run.id):
        body: dict[str, Any] = dict(event.body)
        if event.kind == "verdict":
            calls[body["call"]["id"]] = body["reserve_micro"]
        elif event.kind == "intent":
            reserved += calls[body["call"]]
        elif event.kind == "outcome" and body["phase"] != "running":
            reserved -= calls[body["call"]] - body["settled_micro"]
        most = max(most, reserved)
    assert 120_000 <= most <= 235_000
    at = {s: e.at for s, e in zip(steps_of(stage.calls("jobs.submit")), stage.calls("jobs.submit"), strict=True)}
    assert at["b.prepare"] > at["a.prepare"]
    session.close()


def test_parts_without_a_budget_go_on_side_by_side(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Contract(parts=tuple(part(name=n, target=n) for n in ("a", "b"))))
    stage.ended()
    at = {s: e.at for s, e in zip(steps_of(stage.calls("jobs.submit")), stage.calls("jobs.submit"), strict=True)}
    assert at["b.prepare"] == at["a.prepare"]


def test_no_more_calls_run_at_once_than_the_limits_allow(tmp_path: Path) -> None:
    parts = tuple(part(name=n, target=n) for n in ("a", "b", "c"))
    stage = Stage(tmp_path, Contract(parts=parts))
    usual = load_limits()
    limits = usual.model_copy(update={"parallel": usual.parallel.model_copy(update={"calls": 2})})
    with stage.begun(limits=limits) as (session, run):
        assert session.drive(run).run.exit_code == 0
    live = most = 0
    for effect in stage.backend.effects:
        live += (effect.kind == "jobs.submit") - (effect.kind == "job.succeeded")
        most = max(most, live)
    assert most == 2


class Stopped(BaseException):
    """The process is interrupted here."""


class Interrupted(Dispatcher):
    """Is stopped just before or just after the n-th call reaches the backend."""

    def __init__(self, inner: Dispatcher, until: Callable[[], bool], *, after: bool) -> None:
        self.__dict__.update(inner.__dict__)
        self._until = until
        self._after = after

    def start(self, call: Call) -> Outcome:
        if not self._until():
            return super().start(call)
        if self._after:
            super().start(call)
        raise Stopped


class Fragile(Session):
    """A session whose driving is stopped at one point."""

    stop_at = 0
    after = False
    count = 0

    def _world(self, book: Any) -> Any:
        world = super()._world(book)

        def until() -> bool:
            self.count += 1
            return self.count == self.stop_at

        return type(world)(**{**world.__dict__, "dispatcher": Interrupted(world.dispatcher, until, after=self.after)})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, RunDocument]:
    stage = Stage(tmp_path_factory.mktemp("undisturbed"), CANARY)
    return stage, stage.ended()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stop_at", range(1, 15, 2))
def test_a_run_stopped_between_commit_and_effect_or_after_it_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: tuple[Stage, RunDocument], stop_at: int, after: bool
) -> None:
    whole, document = undisturbed
    stage = Stage(tmp_path, CANARY)
    with stage.begun() as (session, run):
        fragile = Fragile(
            settings=stage.settings, backend=stage.backend, brain=stage.brain, clock=stage.clock, policies=policies()
        )
        fragile.stop_at, fragile.after = stop_at, after
        with pytest.raises(Stopped):
            fragile.drive(run)
        fragile.close()
        resumed = session.drive(run)
    assert verdicts(resumed) == verdicts(document)
    assert sorted(submitted(stage)) == sorted(submitted(whole))
    kinds, wanted = ([e.kind for e in s.calls() if e.kind != "jobs.submit"] for s in (stage, whole))
    assert kinds == wanted
    assert len(stage.owned()) == len(whole.owned()) == 1


class Full(Store):
    """A store whose disk is full from the n-th commit on."""

    left = math.inf

    def append(self, run: str, *, lines: Sequence[tuple[str, str]], **more: Any) -> list[tuple[int, str]]:
        self.left -= 1
        if self.left < 0:
            self._db.execute("PRAGMA max_page_count = 1")  # the file may not grow any more
            body = '"' + "x" * 2_000_000 + '"'
            lines = [*lines, ("plan", body)]
        return super().append(run, lines=lines, **more)


class Cramped(Session):
    """A session on a disk that fills up."""

    commits = 0

    @property
    def _store(self) -> Store:
        if self._store_ is None:
            self._store_ = Full(self._settings.home / "goalkeeper.db")
            self._store_.left = self.commits
        return self._store_


@pytest.mark.parametrize("commits", range(6))
def test_on_a_full_disk_nothing_is_done_that_was_not_written_down(tmp_path: Path, commits: int) -> None:
    stage = Stage(tmp_path, classify(clause("accuracy", ">=", 0.9)))
    with stage.begun() as (session, run):
        cramped = Cramped(
            settings=stage.settings,
            backend=stage.backend,
            brain=stage.brain,
            clock=stage.clock,
            policies=policies(),
        )
        cramped.commits = commits
        with pytest.raises(Broken, match="refused to write"):
            cramped.drive(run)
        cramped.close()
        intended = [e.body["call"] for e in session.events(run) if e.kind == "intent"]
        done = [e.token for e in stage.calls("jobs.submit")]
        assert set(done) <= set(intended)
        assert commits or not stage.calls()
        assert session.drive(run).run.exit_code == 0
    made_once(stage)
