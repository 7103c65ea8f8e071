"""Clauses as they are judged: met, not met, or unproven, and on what."""

from __future__ import annotations

import pytest
from given import clause

from agent import judge
from agent.contract import Clause
from agent.observe import Observation
from tools.recipes.records import Limits


def measured(value: float | None, *, spread: float | None = 0.02, **more: object) -> Observation:
    """A number on the holdout with its interval and bounds."""
    fields: dict[str, object] = {"part": "m", "step": "s", "stage": "holdout", "metric": "accuracy", "value": value}
    if value is not None and spread is not None:
        fields |= {"low": value - spread, "high": value + spread}
        fields |= {"bound_low": value - 0.8 * spread, "bound_high": value + 0.8 * spread}
    return Observation.model_validate(fields | more)


def counted(metric: str, count: int | None, n: int, value: float, threshold: float | None = None) -> Observation:
    return Observation(
        part="m", step="s", stage="live", metric=metric, value=value, count=count, n=n, threshold=threshold
    )


@pytest.mark.parametrize(
    ("op", "value", "verdict"),
    [
        (">=", 0.90, "MET"),
        (">", 0.90, "NOT MET"),
        ("<=", 0.90, "MET"),
        ("<", 0.90, "NOT MET"),
        ("==", 0.90, "MET"),
        (">=", 0.91, "NOT MET"),
        ("<=", 0.89, "NOT MET"),
    ],
)
def test_a_holdout_clause_is_judged_on_the_point_estimate(op: str, value: float, verdict: str) -> None:
    assert judge.holdout(clause("accuracy", op, value), measured(0.90)).verdict == verdict


def test_a_margin_within_noise_is_said_and_does_not_change_the_verdict() -> None:
    near = judge.holdout(clause("accuracy", ">=", 0.89), measured(0.90))
    far = judge.holdout(clause("accuracy", ">=", 0.80), measured(0.90))
    assert (near.verdict, near.note, far.verdict, far.note) == ("MET", "margin within noise", "MET", "")
    assert near.interval == pytest.approx((0.88, 0.92))


@pytest.mark.parametrize(("op", "wanted", "verdict"), [(">=", 0.885, "NOT MET"), (">=", 0.88, "MET")])
def test_with_confidence_it_is_judged_on_the_lower_bound(op: str, wanted: float, verdict: str) -> None:
    found = judge.holdout(clause("accuracy", op, wanted, confidence=0.9), measured(0.90))
    assert (found.verdict, found.measured) == (verdict, 0.90)
    assert found.note == "judged on the 0.9 bound 0.884"


def test_an_error_is_judged_on_its_upper_bound() -> None:
    wanted = clause("rmse", "<=", 0.91, confidence=0.9)
    assert judge.holdout(wanted, measured(0.90, metric="rmse")).verdict == "NOT MET"


def test_from_the_second_look_on_it_is_judged_on_a_bound_that_is_corrected_for_looks() -> None:
    wanted = clause("accuracy", ">=", 0.89)
    assert judge.holdout(wanted, measured(0.90), look=1).verdict == "MET"
    again = judge.holdout(wanted, measured(0.90), look=2)
    assert (again.verdict, again.note) == ("NOT MET", "judged on the 0.9833 bound 0.884")
    assert judge.confidence(wanted, 1) == 0.95
    assert judge.confidence(clause("accuracy", ">=", 0.9, confidence=0.7), 3) == pytest.approx(0.9)


def test_a_bound_that_was_not_computed_proves_nothing() -> None:
    found = judge.holdout(clause("accuracy", ">=", 0.1, confidence=0.9), measured(0.99, spread=None))
    assert (found.verdict, found.note) == ("UNPROVEN", "no bound was computed")


@pytest.mark.parametrize("seen", [None, measured(None)])
def test_what_was_not_measured_is_unproven(seen: Observation | None) -> None:
    found = judge.holdout(clause("accuracy", ">=", 0.0), seen)
    assert (found.verdict, found.measured) == ("UNPROVEN", None)
    assert found.note == ("not measured" if seen is None else "not defined on these rows")
    assert judge.live(clause("error_rate", "<=", 1.0, "live"), seen) == judge.unmeasured()


def test_a_relative_clause_without_a_reference_is_unproven() -> None:
    relative = clause("accuracy", ">=", 0.0, relative={"to": "incumbent", "delta": 0.02})
    assert judge.holdout(relative, measured(0.99)).verdict == "UNPROVEN"
    assert judge.threshold(relative, 0.9) == pytest.approx(0.92)
    ratio = clause("rmse", "<=", 0.0, relative={"delta": -0.1, "kind": "ratio"})
    assert judge.threshold(ratio, 50.0) == pytest.approx(45.0)


def beside(value: float, other: float, *, spread: float = 0.01, to: str = "incumbent", **more: object) -> Observation:
    """A model beside another on the same rows, with the interval of the difference."""
    off = value - other
    fields: dict[str, object] = {"part": "m", "step": "s", "stage": "holdout", "metric": "accuracy", "to": to}
    fields |= {"name": "m:v1", "value": value, "other": other, "difference": off, "p_value": 0.01}
    fields |= {"low": off - spread, "high": off + spread}
    fields |= {"bound_low": off - 0.8 * spread, "bound_high": off + 0.8 * spread}
    return Observation.model_validate(fields | more)


def better(op: str, delta: float, *, kind: str = "absolute", to: str = "incumbent", **more: object) -> Clause:
    return clause("accuracy", op, 0.0, relative={"to": to, "delta": delta, "kind": kind}, **more)


@pytest.mark.parametrize(
    ("op", "delta", "value", "other", "verdict"),
    [
        (">=", 0.02, 0.92, 0.90, "MET"),
        (">=", 0.02, 0.919, 0.90, "NOT MET"),
        (">", 0.0, 0.90, 0.90, "NOT MET"),
        (">=", 0.0, 0.90, 0.90, "MET"),
        (">=", -0.01, 0.895, 0.90, "MET"),
        ("<=", -0.5, 3.4, 4.0, "MET"),
        ("<=", -0.5, 3.6, 4.0, "NOT MET"),
    ],
)
def test_a_relative_clause_is_judged_on_the_paired_difference(
    op: str, delta: float, value: float, other: float, verdict: str
) -> None:
    found = judge.holdout(better(op, delta), beside(value, other))
    assert found.verdict == verdict
    assert found.measured == pytest.approx(value - other)
    assert found.interval == pytest.approx((value - other - 0.01, value - other + 0.01))
    assert f"{value:.6g} against {other:.6g} of m:v1 (the incumbent)" in found.note


@pytest.mark.parametrize(
    ("op", "delta", "value", "other", "verdict"),
    [
        ("<=", -0.1, 45.0, 50.0, "MET"),
        ("<=", -0.1, 45.1, 50.0, "NOT MET"),
        (">=", 0.1, -0.18, -0.2, "MET"),
        (">=", 0.1, -0.22, -0.2, "NOT MET"),
    ],
)
def test_a_ratio_is_a_share_of_the_others_size(op: str, delta: float, value: float, other: float, verdict: str) -> None:
    found = judge.holdout(better(op, delta, kind="ratio"), beside(value, other))
    assert found.verdict == verdict
    assert found.measured == pytest.approx((value - other) / abs(other))


def test_nothing_is_a_share_of_zero() -> None:
    found = judge.holdout(better(">=", 0.1, kind="ratio"), beside(0.5, 0.0))
    assert (found.verdict, found.measured) == ("UNPROVEN", None)
    assert judge.holdout(better(">=", 0.1), beside(0.5, 0.0)).verdict == "MET"


def test_a_relative_clause_with_confidence_is_judged_on_the_bound_of_the_difference() -> None:
    seen = beside(0.93, 0.90)
    assert judge.holdout(better(">=", 0.02, confidence=0.9), seen).verdict == "MET"
    assert judge.holdout(better(">=", 0.025, confidence=0.9), seen).verdict == "NOT MET"
    assert judge.holdout(better(">=", 0.025), seen).verdict == "MET"
    assert judge.holdout(better(">=", 0.025), seen, look=2).verdict == "NOT MET"
    assert judge.holdout(better("<=", 0.035, confidence=0.9), seen).verdict == "NOT MET"
    blind = seen.model_copy(update={"bound_low": None})
    assert judge.holdout(better(">=", 0.0, confidence=0.9), blind).verdict == "UNPROVEN"


def test_a_ratio_is_judged_on_the_bound_of_the_share_and_not_on_that_of_the_difference() -> None:
    wanted = better("<=", -0.1, kind="ratio", confidence=0.95)
    seen = beside(40.0, 50.0)  # a fifth less; the difference is known to a hundredth, the share is not
    assert judge.holdout(wanted, seen).note.endswith("no bound was computed")
    vague = seen.model_copy(update={"share": Limits(low=-0.4, high=0.0, bound_low=-0.35, bound_high=-0.05)})
    assert judge.holdout(wanted, vague).verdict == "NOT MET"
    sure = seen.model_copy(update={"share": Limits(low=-0.3, high=-0.1, bound_low=-0.25, bound_high=-0.15)})
    assert judge.holdout(wanted, sure).verdict == "MET"
    assert judge.holdout(wanted, sure).interval == (-0.3, -0.1)


def test_a_difference_within_noise_is_said() -> None:
    assert "margin within noise" in judge.holdout(better(">=", 0.02), beside(0.925, 0.90)).note
    assert "margin within noise" not in judge.holdout(better(">=", 0.02), beside(0.95, 0.90)).note


def test_a_clause_about_other_models_holds_against_each_of_them() -> None:
    seen = (beside(0.93, 0.90, to="other", name="svm"), beside(0.93, 0.94, to="other", name="mlp"))
    for order in (seen, seen[::-1]):
        found, on = judge.on_holdout(better(">=", 0.0, to="other"), order)
        assert found.verdict == "NOT MET"
        assert on is not None
        assert on.name == "mlp"


def test_a_comparison_answers_only_a_clause_about_the_same_comparand() -> None:
    alone, incumbent, baseline = measured(0.93), beside(0.93, 0.90), beside(0.93, 0.5, to="baseline")
    seen = (alone, incumbent, baseline)
    assert judge.find(clause("accuracy", ">=", 0.9), seen, "holdout") == alone
    assert judge.find(better(">=", 0.0), seen, "holdout") == incumbent
    assert judge.find(better(">=", 0.0, to="baseline"), seen, "holdout") == baseline
    assert judge.on_holdout(better(">=", 0.0, to="other"), seen)[0].note == "not compared with the other"


SLOW = clause("latency_p95_ms", "<=", 80, "live")
FAILING = clause("error_rate", "<=", 0.005, "live")


@pytest.mark.parametrize(
    ("wanted", "count", "n", "verdict", "breached"),
    [
        (FAILING, 0, 619, "MET", False),
        (FAILING, 0, 618, "UNPROVEN", False),
        (FAILING, 3, 619, "UNPROVEN", False),
        (FAILING, 30, 619, "NOT MET", True),
        (SLOW, 0, 61, "MET", False),
        (SLOW, 0, 60, "UNPROVEN", False),
        (SLOW, 40, 100, "NOT MET", True),
    ],
)
def test_a_live_clause_is_proven_breached_or_neither(
    wanted: Clause, count: int, n: int, verdict: str, breached: bool
) -> None:
    threshold = 80.0 if wanted is SLOW else None
    found = judge.live(wanted, counted(wanted.metric, count, n, 1.0, threshold))
    assert (found.verdict, found.breached) == (verdict, breached)
    assert f"{count} of {n}" in found.note


def test_an_inconclusive_clause_says_how_many_requests_would_prove_it() -> None:
    assert "about 619 requests" in judge.live(FAILING, counted("error_rate", 0, 100, 0.0)).note


def test_a_later_look_at_the_same_rollout_needs_more() -> None:
    seen = counted("error_rate", 0, 619, 0.0)
    assert [judge.live(FAILING, seen, look=look).verdict for look in (1, 2, 3, 9)] == ["MET"] + ["UNPROVEN"] * 3


def test_the_error_of_a_false_rollback_is_spent_over_the_stages() -> None:
    seen = counted("error_rate", 4, 200, 0.02)
    assert judge.live(FAILING, seen, stages=1).verdict == "NOT MET"
    assert judge.live(FAILING, seen, stages=40).verdict == "UNPROVEN"


@pytest.mark.parametrize(("count", "n", "verdict"), [(0, 5, "MET"), (1, 5000, "NOT MET")])
def test_a_zero_threshold_is_judged_on_the_count_with_n_shown(count: int, n: int, verdict: str) -> None:
    found = judge.live(clause("error_rate", "<=", 0, "live"), counted("error_rate", count, n, 0.0))
    assert (found.verdict, found.note) == (verdict, f"{count} of {n} requests")


def test_a_zero_threshold_without_a_request_is_neither_kept_nor_broken() -> None:
    found = judge.live(clause("error_rate", "<=", 0, "live"), counted("error_rate", 0, 0, 0.0))
    assert (found.verdict, found.breached) == ("UNPROVEN", False)


def test_availability_is_the_other_side_of_errors() -> None:
    wanted = clause("availability", ">=", 0.995, "live")
    assert judge.allowed_share(wanted) == pytest.approx(0.005)
    assert judge.live(wanted, counted("availability", 30, 619, 0.95)).breached


def test_throughput_is_compared_as_it_was_measured() -> None:
    wanted = clause("throughput_rps", ">=", 50, "live")
    assert judge.live(wanted, counted("throughput_rps", None, 500, 60.0)).verdict == "MET"
    short = counted("throughput_rps", None, 500, 40.0)
    assert judge.live(wanted, short.model_copy(update={"rate_rps": 60.0})).verdict == "NOT MET"
    assert judge.live(wanted, short.model_copy(update={"rate_rps": 41.0})).verdict == "UNPROVEN"
    assert judge.live(wanted, counted("throughput_rps", None, 0, 60.0)).verdict == "UNPROVEN"


def test_two_thresholds_for_one_metric_are_judged_on_their_own_counts() -> None:
    soft, hard = clause("latency_p95_ms", "<=", 50, "live"), clause("latency_p95_ms", "<=", 500, "live")
    seen = (counted("latency_p95_ms", 90, 100, 60.0, 50.0), counted("latency_p95_ms", 0, 100, 60.0, 500.0))
    for order in (seen, seen[::-1]):
        found = [judge.live(c, judge.find(c, order, "live")).verdict for c in (soft, hard)]
        assert found == ["NOT MET", "MET"]


def test_the_latest_observation_of_the_right_stage_and_class_counts() -> None:
    seen = (
        measured(0.5),
        measured(0.7),
        measured(0.1, of="yes"),
        measured(0.2, stage="validation"),
        measured(0.3, metric="f1"),
    )
    found = judge.find(clause("accuracy", ">=", 0.9), seen, "holdout")
    assert found is not None
    assert found.value == 0.7
    assert judge.find(clause("recall", ">=", 0.9), seen, "holdout") is None
