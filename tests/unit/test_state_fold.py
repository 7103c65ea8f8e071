"""A run is what its journal says: every line goes through JSON and back, and folds to the same state."""

from __future__ import annotations

import json

import pytest
from given import ACCURACY, LATENCY, NOW, Story, contract, endpoint, part, proposed, survey

from agent.approving.approvals import denied
from agent.contract import Refusal
from agent.decide import decide
from agent.documents import ApprovalAsked, Feasibility, Pending, RunReport, Spent
from agent.documents import Resources as Held
from agent.goal import Goal
from agent.observe import Observation
from agent.record.chained import Line
from agent.record.ledger import Crossing
from agent.service_state import ENTRIES, Chapter, Standing, fold_in
from agent.state import (
    LINES,
    Amended,
    Answer,
    Consulted,
    Decided,
    Diagnosed,
    Ended,
    Finished,
    Ignored,
    Intent,
    Known,
    Overran,
    Planned,
    Rejudged,
    Run,
    Settled,
    Stated,
    Understood,
    Verdict,
    fold,
    parse,
)
from agent.upkeep import Checked, ClauseSeen, Closed, Concluded, DriftSeen, Reacted, Terms
from agent.upkeep import Held as Idle
from tools.record import Record
from tools.tool import Call

WANTED = contract(part(ACCURACY, LATENCY, strategy="canary"), budget_usd=3.5)
CALL = Call.of(
    run="r",
    step="prepare",
    attempt=1,
    tool="prepare_data",
    args={"source": "数据.csv", "n": [1, 2.5, None]},
    limit_s=120.0,
    owner="ada",
)
REPORT = RunReport(
    id="r",
    status="done",
    clauses=(),
    spent=Spent(usd=0.1, by={"compute": 0.1}),
    resources=Held(),
    holdout_looks=1,
    revisions=(),
    report="report.md",
)
TERMS = Terms(
    run="r",
    goal=Goal.of("目标 accuracy", source="cli:ada"),
    owner="ada",
    backend="sim",
    brain="given",
    runtime="/runtime",
    folder="/work",
    contract=WANTED,
    endpoint="model",
    began=NOW,
    every_s=60.0,
    until=None,
    reaction_usd=1.5,
    cool_down_s=180.0,
    most_reactions=4,
    alarm_rate=0.01,
    lease_s=3600.0,
    lease_until=NOW + 3600,
)
CHECKED = Checked(
    number=1,
    at=NOW + 60,
    after=NOW,
    since=NOW,
    until=NOW + 60,
    health="breached",
    trouble="error_rate: 坏了",
    cause="slo_breach",
    version="v1",
    clauses=(
        ClauseSeen(
            id="e",
            metric="error_rate",
            demanded="error_rate <= 0.01",
            verdict="NOT MET",
            interval=(0.1, 0.3),
            misses=9,
            n=40,
            share=0.01,
        ),
    ),
    drift=DriftSeen(verdict="drifted", rows=700, psi=0.1 + 0.2, why="it has", features=("收入",)),
    drift_since=NOW + 60,
    requests=40,
    lease_until=NOW + 3600,
    previous="model:v0",
    due=NOW + 120,
)
REACTED = Reacted(
    number=1, at=NOW + 60, what="retrain", trigger="breach", run="r.1-retrain1", why="so", usd=1.5, data="d"
)
TOLD: list[tuple[str, Record]] = [
    (
        "goal",
        Stated(
            goal=Goal.of("目标 accuracy", source="cli:ada"),
            accept=True,
            owner="ada",
            backend="sim",
            brain="given",
            plan_now="2026-01-01T00:00:00+00:00",
            folder="/work",
        ),
    ),
    ("contract", Understood(contract=WANTED)),
    ("contract", Understood(contract=None, refusal=Refusal(reason="no", rule="not_ml"))),
    ("survey", survey(endpoint(("v0", 100)), usd_per_hour=None)),
    (
        "plan",
        Planned(
            plan=proposed(WANTED),
            approvals=(ApprovalAsked(step="deploy", reason="production", policies=("production",)),),
            feasibility=Feasibility(verdict="feasible"),
        ),
    ),
    (
        "verdict",
        Verdict(
            call=CALL, ruling="approved", policies=("spend",), reasons=("ok",), facts={"left": None}, reserve_micro=7
        ),
    ),
    ("intent", Intent(call=CALL.id, digest=CALL.digest)),
    ("outcome", Ended(call=CALL.id, phase="running", handle="job-1")),
    ("outcome", Ended(call=CALL.id, phase="done", result={"key": "jobs/1", "rows": 3}, settled_micro=5)),
    (
        "observation",
        Observation(part="model", step="evaluate", stage="holdout", metric="accuracy", value=0.1 + 0.2, n=3),
    ),
    ("diagnosis", Diagnosed(part="model", step="prepare", cause="disk_full", text="the disk is full")),
    (
        "asked",
        Pending(
            id="plan-1",
            step="deploy",
            tool="deploy_model",
            reason="why",
            policies=("production",),
            usd=None,
            asked=NOW,
            expires=NOW + 1,
        ),
    ),
    ("ignored", Ignored(pending="plan-1", approve=True, who="eve", why="eve may not answer it")),
    ("answer", Answer(pending="plan-1", approve=True, who="bob", at=NOW, digest="d", roles=("release",), uid=7)),
    (
        "rejudged",
        Rejudged(
            version=1,
            approvals=(ApprovalAsked(step="deploy", reason="why", policies=("production",), who=("bob",)),),
            policies_digest="other",
        ),
    ),
    ("decision", Decided(action="revise", part="model", change="retry:prepare", why="it may pass")),
    ("settled", Settled(call="r/prepare/1", usd_micro=3)),
    ("overrun", Overran(call="r/prepare/1", reserved_micro=7, billed_micro=2**63 - 1)),
    (
        "crossed",
        Crossing(
            holder="requester",
            name="ada",
            month="2026-01",
            percent=80,
            accrued_micro=80,
            reserved_micro=20,
            bound_micro=100,
        ),
    ),
    (
        "model",
        Consulted(
            id="diagnose-1",
            purpose="diagnose",
            model="m",
            prompt="diagnose@1",
            outcome="invalid",
            why="no such line",
            form="schema",
            requests=2,
            tokens_in=900,
            tokens_out=40,
            usd_micro=5,
            seconds=1.5,
            instead=True,
        ),
    ),
    ("looked", Known(tool="inspect_endpoint", args={"endpoint": "model"}, result={"state": None})),
    ("amended", Amended(contract=WANTED, who="ada", text="make it so", changes=("a: 1 → 2",))),
    ("finish", Finished(report=REPORT)),
]
SERVICE: list[tuple[str, Record]] = [
    ("standing", TERMS),
    ("checked", CHECKED),
    ("held", Idle(at=NOW + 60, reason="cool_down", why="too fresh")),
    ("reacted", REACTED),
    ("concluded", Concluded(at=NOW + 90, run=REACTED.run, came="kept", why="no better", usd=0.1 + 0.2, data="d")),
    ("chapter", Chapter(state=fold_in(fold_in(None, TERMS), CHECKED))),
    ("closed", Closed(at=NOW + 120, by="ada", why="it was cancelled")),
]
"""The journal of a standing goal; no run has such lines."""
ALL = [*TOLD, *SERVICE]


def lines(told: list[tuple[str, Record]]) -> list[Line]:
    """As the store hands them out: text that was parsed."""
    return [
        Line(run="r", seq=i, at=NOW + i, kind=kind, body=json.loads(record.model_dump_json()), hash="")
        for i, (kind, record) in enumerate(told, start=1)
    ]


def test_every_kind_of_line_is_told_here() -> None:
    assert {kind for kind, _ in ALL} == set(LINES)
    assert [kind for kind, _ in SERVICE if kind not in ENTRIES] == []


@pytest.mark.parametrize(("kind", "record"), ALL, ids=[f"{i}-{k}" for i, (k, _) in enumerate(ALL)])
def test_a_line_comes_back_from_json_as_it_was(kind: str, record: Record) -> None:
    (line,) = lines([(kind, record)])
    assert parse(line) == record
    assert type(parse(line)) is LINES[kind]


def test_folding_the_journal_gives_the_state_that_its_writer_had() -> None:
    told = [t for t in TOLD if t != TOLD[2]]
    live = Run(id="r")
    for line, (kind, record) in zip(lines(told), told, strict=True):
        live.apply(line.seq, line.at, kind, record)
    assert fold("r", lines(told)) == live


def test_any_beginning_of_the_journal_folds() -> None:
    for told in (TOLD, SERVICE):
        for end in range(len(told) + 1):
            assert fold("r", lines(told[:end])).seq == end


def test_a_standing_goal_folds_to_the_state_that_its_writer_had() -> None:
    state: Standing | None = None
    for end, (_, record) in enumerate(SERVICE, start=1):
        state = fold_in(state, record)  # type: ignore[arg-type]
        assert fold("r", lines(SERVICE[:end])).standing == state


@pytest.mark.parametrize("kind", LINES)
def test_a_line_with_a_field_that_is_not_known_is_refused(kind: str) -> None:
    record = next(r for k, r in ALL if k == kind)
    (line,) = lines([(kind, record)])
    planted = line.model_copy(update={"body": {**line.body, "planted": 1}})
    with pytest.raises(ValueError, match="planted"):
        parse(planted)


def test_money_moves_with_intent_and_outcome() -> None:
    run = fold("r", lines(TOLD[:7]))
    assert (run.reserved_micro, run.settled_micro) == (7, 0)
    run = fold("r", lines(TOLD[:9]))
    assert (run.reserved_micro, run.settled_micro) == (0, 5)


def test_a_step_that_may_be_tried_again_is_ready_again_and_its_old_call_is_kept() -> None:
    story = Story(WANTED)
    story.failed("prepare", "node_lost")
    assert story.run.ready() == []
    story.tell("decision", Decided(action="revise", part="model", change="retry:prepare", why="it may pass"))
    assert [s.id for s in story.run.ready()] == ["prepare"]
    story.begun("prepare", attempt=2)
    assert set(story.run.calls) == {"r/prepare/1", "r/prepare/2"}


def test_only_steps_whose_needs_are_done_are_ready() -> None:
    story = Story(WANTED)
    assert [s.id for s in story.run.ready()] == ["prepare"]
    story.begun("prepare")
    assert story.run.ready() == []
    story.tell("outcome", Ended(call="r/prepare/1", phase="running", handle="h"))
    assert story.run.ready() == []
    story.tell("outcome", Ended(call="r/prepare/1", phase="done", result={"key": "k"}))
    assert {s.tool for s in story.run.ready()} == {"tune_model"}


def test_looks_at_the_holdout_count_openings_under_way_and_failed_ones() -> None:
    story = Story(WANTED)
    assert story.run.looks("model") == 0
    story.run.by_step["evaluate"] = "r/evaluate/1"
    for phase, looks in (("held", 0), ("refused", 0), ("intended", 1), ("running", 1), ("failed", 1), ("done", 1)):
        story.tell(
            "verdict",
            Verdict(
                call=CALL.model_copy(update={"id": "r/evaluate/1", "step": "evaluate"}),
                ruling="approved",
                policies=(),
                reasons=(),
                facts={},
            ),
        )
        story.run.calls["r/evaluate/1"].phase = phase  # type: ignore[assignment]
        assert story.run.looks("model") == looks, phase


def test_a_run_that_has_its_report_decides_nothing_more() -> None:
    story = Story(WANTED)
    story.tell("finish", Finished(report=REPORT))
    decision = decide(story.run, now=NOW)
    assert isinstance(decision, Decided)
    assert decision.action == "finish"


def test_what_goes_on_keeps_its_reservation_until_it_is_settled() -> None:
    told = [*TOLD[:8], ("outcome", Ended(call="r/prepare/1", phase="done", result={}, holds=True))]
    assert fold("r", lines(told)).reserved_micro == 7
    run = fold("r", lines([*told, ("settled", Settled(call="r/prepare/1", usd_micro=3))]))
    assert (run.reserved_micro, run.settled_micro) == (0, 3)


def test_the_first_answer_to_a_question_is_the_answer() -> None:
    run = Run(id="r")
    for kind, record in TOLD[: 1 + [k for k, _ in TOLD].index("answer")]:
        run.apply(run.seq + 1, NOW, kind, record)
    for approve in (False, True):
        run.apply(run.seq + 1, NOW, "answer", Answer(pending="plan-1", approve=approve, who="eve", digest="d"))
    assert run.answers["plan-1"].who == "bob"
    run.apply(run.seq + 1, NOW, "answer", Answer(pending="plan-7", approve=True, who="eve", digest="d"))
    assert "plan-7" not in run.answers


def test_time_does_not_go_back_whatever_a_clock_says() -> None:
    run = Run(id="r")
    for at in (NOW, NOW - 60):
        run.apply(run.seq + 1, at, "goal", TOLD[0][1])
    assert run.last == NOW


def test_what_was_called_an_answer_before_it_named_what_it_was_to_is_no_no() -> None:
    """A question that a later plan replaced was closed by an answer in nobody's name."""
    run = Run(id="r")
    for kind, record in TOLD[: [k for k, _ in TOLD].index("answer")]:
        run.apply(run.seq + 1, NOW, kind, record)
    run.apply(run.seq + 1, NOW, "answer", Answer(pending="plan-1", approve=False, who="a later plan"))
    assert denied(run) is None
