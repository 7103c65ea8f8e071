"""The report: verdicts from measurements alone, and the exit code from the verdicts."""

from __future__ import annotations

import itertools

import pytest
from given import ACCURACY, ERRORS, LATENCY, NOW, Story, clause, contract, endpoint, part, plan, step, survey

from agent.contract import Contract
from agent.documents import ClauseVerdict, Figures, Pace, RunReport, Status, Verdict
from agent.observe import Observation
from agent.record.ledger import Burn
from agent.report import clause_verdicts, compose, exit_code, words
from agent.state import Decided
from agent.wording import paces
from tools.record import Json

ORDER = (2, 5, 3, 1, 4, 0)
"""Of several that apply, the first."""


def verdict(word: Verdict) -> ClauseVerdict:
    return ClauseVerdict(id="c", part="m", metric="accuracy", verdict=word, demanded="")


def ending(code: int) -> Decided:
    return Decided(action="finish", why="", code=code)


@pytest.mark.parametrize(
    ("words_", "code", "status", "expected"),
    [
        (["MET", "MET"], 0, "done", 0),
        (["MET", "NOT MET"], 0, "done", 1),
        (["MET", "UNPROVEN"], 0, "done", 4),
        (["NOT MET", "UNPROVEN"], 0, "done", 1),
        (["MET"], 4, "cancelled", 4),
        (["MET"], 0, "cancelled", 4),
        (["MET"], 0, "waiting", 4),
        (["NOT MET"], 3, "done", 3),
        (["NOT MET"], 5, "done", 5),
        (["NOT MET"], 2, "done", 2),
        (["UNPROVEN"], 1, "done", 1),
        ([], 0, "done", 0),
    ],
)
def test_the_exit_code_is_the_first_that_applies(
    words_: list[Verdict], code: int, status: Status, expected: int
) -> None:
    assert exit_code([verdict(w) for w in words_], ending(code), status) == expected


@pytest.mark.parametrize(
    ("words_", "code"),
    list(itertools.product([(), ("NOT MET",), ("UNPROVEN",), ("NOT MET", "UNPROVEN")], ORDER)),
)
def test_the_order_of_exit_codes_holds_for_every_combination(words_: tuple[Verdict, ...], code: int) -> None:
    applies = {code, *(1 for w in words_ if w == "NOT MET"), *(4 for w in words_ if w == "UNPROVEN")}
    assert exit_code([verdict(w) for w in words_], ending(code), "done") == min(applies, key=ORDER.index)


def reported(
    story: Story, *, status: Status = "done", code: int = 0, now: float = NOW + 9, burn: Burn | None = None
) -> RunReport:
    return compose(
        story.run,
        status=status,
        decided=ending(code),
        now=now,
        by={"compute": 250_000, "tokens": 0},
        report="report.md",
        command="goalkeeper --home 'my home'",
        drawn=Figures(),
        burn=burn or Burn(),
    )


def saw(story: Story, step_id: str, stage: str, metric: str, value: float, **more: object) -> None:
    fields: dict[str, object] = {"part": "model", "step": step_id, "stage": stage, "metric": metric, "value": value}
    story.tell("observation", Observation.model_validate(fields | more))


def test_a_clause_that_nobody_measured_is_unproven_and_has_no_evidence() -> None:
    (found,) = clause_verdicts(Story(contract(part(ACCURACY))).run)
    assert (found.verdict, found.evidence, found.measured) == ("UNPROVEN", None, None)


def test_what_validation_gave_is_no_evidence_for_a_holdout_clause() -> None:
    story = Story(contract(part(ACCURACY)))
    saw(story, "select", "validation", "accuracy", 0.99)
    assert clause_verdicts(story.run)[0].verdict == "UNPROVEN"


def test_evidence_is_the_line_of_the_latest_measurement() -> None:
    story = Story(contract(part(ACCURACY)))
    saw(story, "evaluate", "holdout", "accuracy", 0.5)
    saw(story, "evaluate", "holdout", "accuracy", 0.95, path="jobs/7/holdout_rows.csv")
    (found,) = clause_verdicts(story.run)
    assert found.verdict == "MET"
    assert found.evidence is not None
    assert (found.evidence.id, found.evidence.path) == (f"r#{story.run.seq}", "jobs/7/holdout_rows.csv")


def test_a_measurement_of_one_part_does_not_serve_another() -> None:
    story = Story(contract(part(ACCURACY, name="a", target="a"), part(ACCURACY, name="model", target="b")))
    saw(story, "model.evaluate", "holdout", "accuracy", 0.95)
    assert [(v.part, v.verdict) for v in clause_verdicts(story.run)] == [("a", "UNPROVEN"), ("model", "MET")]


def test_a_measurement_for_one_class_does_not_serve_another() -> None:
    story = Story(contract(part(clause("recall", ">=", 0.5, **{"class": "yes"}))))
    saw(story, "evaluate", "holdout", "recall", 0.9, of="no")
    assert clause_verdicts(story.run)[0].verdict == "UNPROVEN"


def test_two_thresholds_for_one_live_metric_have_verdicts_of_their_own() -> None:
    soft, hard = clause("latency_p95_ms", "<=", 50, "live"), clause("latency_p95_ms", "<=", 500, "live", id="hard")
    story = Story(contract(part(soft, hard, strategy="direct")))
    for limit, slow in ((50.0, 100), (500.0, 0)):
        saw(story, "monitor-100", "live", "latency_p95_ms", 60.0, threshold=limit, count=slow, n=400)
    assert [v.verdict for v in clause_verdicts(story.run)] == ["NOT MET", "UNPROVEN"]
    story.ended("keep", KEPT)
    assert [v.verdict for v in clause_verdicts(story.run)] == ["NOT MET", "MET"]


def test_a_live_clause_is_met_only_by_what_is_kept() -> None:
    story = Story(contract(part(ERRORS, strategy="direct")))
    saw(story, "monitor-100", "live", "error_rate", 0.0, count=0, n=600)
    assert "not kept" in clause_verdicts(story.run)[0].note
    story.ended("keep", KEPT)
    assert clause_verdicts(story.run)[0].verdict == "MET"
    story.tell("decision", Decided(action="revise", part="model", change="roll_back", why="later"))
    assert clause_verdicts(story.run)[0].verdict == "UNPROVEN"


def test_a_budget_is_unproven_where_the_price_is_not_known() -> None:
    story = Story(contract(part(ACCURACY), budget_usd=1.0), seen=survey(usd_per_hour=None))
    story.ended("prepare", {})
    assert {v.id: v.verdict for v in clause_verdicts(story.run)}["budget"] == "UNPROVEN"


@pytest.mark.parametrize(("budget", "deadline", "met"), [(0.5, 10.0, "MET"), (0.2, 8.0, "NOT MET")])
def test_budget_and_deadline_have_verdicts_of_their_own(budget: float, deadline: float, met: str) -> None:
    story = Story(contract(part(ACCURACY), budget_usd=budget, deadline_s=deadline))
    story.run.settled_micro, story.run.last = 250_000, NOW + 9
    found = {v.id: v.verdict for v in clause_verdicts(story.run) if v.part == "run"}
    assert found == {"budget": met, "deadline": met}


def test_cost_and_duration_clauses_are_judged_on_the_ledger_and_the_journal() -> None:
    wanted = contract(part(clause("cost_usd", "<=", 1, "run"), clause("duration_s", "<=", 5, "run")))
    story = Story(wanted)
    story.run.settled_micro, story.run.last = 250_000, NOW + 9
    assert [(v.metric, v.measured, v.verdict) for v in clause_verdicts(story.run)] == [
        ("cost_usd", 0.25, "MET"),
        ("duration_s", 9.0, "NOT MET"),
    ]


PLAIN = contract(part())


def plain(wanted: Contract = PLAIN) -> Story:
    return Story(wanted, plan(step("find", "find_model")))


def test_a_goal_without_a_clause_is_met_when_it_is_finished() -> None:
    story = plain()
    story.ended("find", {"version": "v1"})
    (found,) = clause_verdicts(story.run)
    assert (found.id, found.metric, found.verdict, found.demanded) == ("default", "finished", "MET", "finished == 1")
    assert clause_verdicts(plain(contract(part(strategy="direct"))).run)[0].metric == "ready"


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], "UNPROVEN"),
        ([Decided(action="revise", change="stop", why="x"), Decided(action="finish", why="x")], "NOT MET"),
        ([Decided(action="cancel", why="x"), Decided(action="finish", why="x")], "UNPROVEN"),
    ],
    ids=["under way", "stopped", "cancelled"],
)
def test_a_goal_without_a_clause_is_not_met_only_when_it_ended_otherwise(
    decisions: list[Decided], expected: str
) -> None:
    story = plain()
    story.failed("find", "network")
    for decision in decisions:
        story.tell("decision", decision)
    assert clause_verdicts(story.run)[0].verdict == expected


KEPT: Json = {"endpoint": "my shop", "url": "http://127.0.0.1:9/", "version": "v1", "lease_until": NOW + 60}


def test_what_is_kept_is_named_with_price_expiry_and_commands() -> None:
    story = Story(PLAIN, plan(step("keep", "extend_lease")), seen=survey(usd_per_hour=0.5))
    story.ended("keep", KEPT)
    (kept,) = reported(story).resources.kept
    assert (kept.id, kept.model, kept.usd_per_hour, kept.expires) == ("my shop", "v1", 0.5, "2026-01-01T00:01:00+00:00")
    assert kept.extend == "goalkeeper --home 'my home' extend 'my shop' --for 8h"
    assert kept.stop == "goalkeeper --home 'my home' stop 'my shop'"


def test_every_server_of_what_is_kept_has_its_price() -> None:
    story = Story(PLAIN, plan(step("keep", "extend_lease")), seen=survey(usd_per_hour=0.5))
    story.ended("keep", KEPT | {"replicas": 4})
    assert reported(story).resources.kept[0].usd_per_hour == 2.0


def test_what_was_released_is_not_kept() -> None:
    story = Story(PLAIN, plan(step("keep", "extend_lease"), step("release", "release_resource")))
    story.ended("keep", KEPT)
    story.ended("release", {"id": "my shop", "existed": True})
    found = reported(story).resources
    assert (found.kept, found.released) == ((), ("my shop",))


def test_a_price_that_is_not_known_is_not_said_to_be_zero() -> None:
    story = Story(PLAIN, plan(step("keep", "extend_lease")), seen=survey(usd_per_hour=None), accept=True)
    story.ended("keep", KEPT)
    assert reported(story).resources.kept[0].usd_per_hour is None


def test_what_was_created_and_has_ended_is_listed() -> None:
    story = Story(PLAIN, plan(step("prepare")))
    story.ended("prepare", {"key": "k"}, handle="job-3")
    found = reported(story).resources
    assert (found.created, found.released) == (("prepare_data:job-3",), ("prepare_data:job-3",))


@pytest.mark.parametrize(
    ("found", "bundled", "said"),
    [
        (["sandboxed", "sandboxed"], False, "sandboxed"),
        (["sandboxed", "none"], False, "none"),
        (["encrypted", "sandboxed"], False, "encrypted"),
        (["sandboxed"], True, "encrypted"),
        ([], True, "none"),
    ],
)
def test_the_weakest_isolation_is_the_one_that_is_reported(found: list[str], bundled: bool, said: str) -> None:
    data = () if not bundled else part().data
    steps = [step(f"tune{i}", "tune_model", {}) for i in range(len(found))]
    story = Story(contract(part(data=data)), plan(*steps))
    for one, isolation in zip(steps, found, strict=True):
        story.ended(one.id, {"isolation": isolation, "key": "k"})
    assert reported(story).isolation == said


def test_money_is_listed_by_what_it_was_spent_on() -> None:
    story = plain()
    story.run.settled_micro = 250_000
    assert reported(story).spent.model_dump() == {"usd": 0.25, "by": {"compute": 0.25}}


def test_what_goes_on_and_what_it_comes_to_is_told_in_dollars() -> None:
    story = plain()
    story.run.settled_micro, story.run.reserved_micro = 250_000, 1_000_000
    burn = Burn(run_micro_per_hour=500_000, home_micro_per_hour=2**62, month_micro=1, month_forecast_micro=2_000_000)
    found = reported(story, burn=burn).pace
    assert (found.usd_per_hour, found.forecast_usd, found.month_usd, found.month_forecast_usd) == (0.5, 1.25, 1e-6, 2.0)
    assert found.home_usd_per_hour == 2**62 / 1e6
    assert dict(paces(found))["what goes on"] == "$0.50 an hour"
    assert list(paces(Pace())) == []


def test_a_run_that_failed_is_reported_as_failed() -> None:
    assert (reported(plain(), code=5).status, reported(plain(), code=1).status) == ("failed", "done")


def test_a_run_under_way_has_not_ended() -> None:
    assert reported(plain(), status="waiting").ended is None
    assert reported(plain()).ended == "2026-01-01T00:00:09+00:00"


def test_findings_are_told_once() -> None:
    story = Story(contract(part()), plan(step("a"), step("b"), step("evaluate", "evaluate_model", {})))
    for one in ("a", "b"):
        story.ended(one, {"findings": ["imbalanced"], "duplicates_removed": 4, "unlabelled_removed": 2})
    story.ended("evaluate", {"findings": ["a feature gives the label away"], "measured": []})
    assert reported(story).findings == (
        "imbalanced",
        "a feature gives the label away",
        "4 exact duplicate rows were removed before the split",
        "2 rows without a label were removed",
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ACCURACY, "accuracy >= 0.9 on holdout"),
        (LATENCY, "latency_p95_ms <= 80 live"),
        (clause("recall", ">=", 0.9, **{"class": "yes"}), "recall of yes >= 0.9 on holdout"),
        (clause("accuracy", ">=", 0.9, confidence=0.95), "accuracy >= 0.9 on holdout with 95% confidence"),
        (clause("accuracy", ">=", 0, relative={"delta": 0.02}), "accuracy >= incumbent +0.02 on holdout"),
        (clause("rmse", "<=", 0, relative={"delta": -0.1, "kind": "ratio"}), "rmse <= incumbent -10 % on holdout"),
        (clause("cost_usd", "<=", 2, "run"), "cost_usd <= 2"),
    ],
)
def test_a_clause_reads_as_a_sentence(given: object, said: str) -> None:
    assert words(given) == said  # type: ignore[arg-type]


def test_the_verdict_on_a_watch_that_was_extended_uses_its_own_look() -> None:
    longer = step("monitor-100-longer1", "monitor_endpoint", {}, round=1)
    kept = step("keep", "extend_lease", {})
    steps = (step("monitor-100", "monitor_endpoint", {}), longer, kept)
    story = Story(contract(part(ERRORS, strategy="direct")), plan(*steps))
    story.ended("keep", KEPT)
    saw(story, "monitor-100", "live", "error_rate", 0.0, count=0, n=309)
    assert clause_verdicts(story.run)[0].verdict == "MET"
    saw(story, longer.id, "live", "error_rate", 0.0, count=0, n=309)
    assert clause_verdicts(story.run)[0].verdict == "UNPROVEN"


def test_an_endpoint_of_before_is_no_resource_of_this_run() -> None:
    story = Story(PLAIN, plan(step("find", "find_model")), seen=survey(endpoint(("v0", 100))))
    story.ended("find", {"version": "v0"})
    assert reported(story).resources.model_dump() == {"created": (), "released": (), "kept": ()}
