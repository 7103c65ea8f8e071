"""Metrics against computations by hand, from the definitions and without any library."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest

from tools.metrics import METRICS
from tools.recipes.answers import counts
from tools.recipes.answers.answer import Answer
from tools.recipes.answers.classes import Classified
from tools.recipes.answers.intervals import measured
from tools.recipes.answers.measures import faults_of
from tools.recipes.answers.numbers import Predicted
from tools.recipes.records import Measure

LABELS = [1, 1, 1, 0, 0, 0, 0, 1, 0, 1]
SCORES = [0.9, 0.8, 0.3, 0.4, 0.2, 0.6, 0.1, 0.6, 0.05, 0.7]


def two_classes(labels: list[int] = LABELS, scores: list[float] = SCORES, positive: str = "yes") -> Classified:
    score = np.array(scores)
    return Classified(
        labels=np.array(labels),
        predicted=(score > 0.5).astype(np.int64),
        probability=np.column_stack([1 - score, score]),
        classes=("no", "yes"),
        positive=positive,
    )


def many_classes(seed: int = 0, k: int = 3, n: int = 60) -> Classified:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.dirichlet(np.ones(k), size=n), 2) + 0.01
    probability /= probability.sum(axis=1, keepdims=True)
    return Classified(
        labels=rng.integers(0, k, size=n),
        predicted=probability.argmax(axis=1),
        probability=probability,
        classes=tuple(f"class {i}" for i in range(k)),
        positive=None,
    )


def value(metric: str, rows: Answer, of: str | None = None) -> float:
    found = rows.value(Measure(metric=metric, of=of))
    assert found is not None
    return found


def f1(labels: list[int], predicted: list[int], target: int) -> float:
    pairs = list(zip(labels, predicted, strict=True))
    tp = sum(y == target and p == target for y, p in pairs)
    return 2 * tp / (sum(y == target for y, _ in pairs) + sum(p == target for _, p in pairs))


def area(labels: list[int], scores: list[float], target: int = 1) -> float:
    """The share of (positive, negative) pairs in the right order, half for ties."""
    up = [s for y, s in zip(labels, scores, strict=True) if y == target]
    down = [s for y, s in zip(labels, scores, strict=True) if y != target]
    return sum((a > b) + 0.5 * (a == b) for a, b in product(up, down)) / (len(up) * len(down))


def average_precision(labels: list[int], scores: list[float], target: int = 1) -> float:
    """Sum of precision times gain in recall over the distinct thresholds."""
    total, before, area_ = sum(y == target for y in labels), 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        named = [y for y, s in zip(labels, scores, strict=True) if s >= threshold]
        hits = sum(y == target for y in named)
        area_ += (hits / total - before) * hits / len(named)
        before = hits / total
    return area_


def test_binary_metrics_count_the_positive_class() -> None:
    rows = two_classes()
    predicted = [int(s > 0.5) for s in SCORES]
    assert value("accuracy", rows) == pytest.approx(8 / 10)
    assert value("precision", rows) == pytest.approx(4 / 5)
    assert value("recall", rows) == pytest.approx(4 / 5)
    assert value("f1", rows) == pytest.approx(f1(LABELS, predicted, 1))
    assert value("balanced_accuracy", rows) == pytest.approx((4 / 5 + 4 / 5) / 2)
    assert value("mcc", rows) == pytest.approx((4 * 4 - 1 * 1) / math.sqrt(5 * 5 * 5 * 5))


def test_the_asked_class_takes_the_place_of_the_positive_one() -> None:
    labels, scores = [1, 0, 0, 0, 1, 0], [0.9, 0.8, 0.1, 0.2, 0.3, 0.7]
    predicted = [int(s > 0.5) for s in scores]
    assert value("f1", two_classes(labels, scores), of="no") == pytest.approx(f1(labels, predicted, 0))
    assert value("f1", two_classes(labels, scores, positive="no")) == pytest.approx(f1(labels, predicted, 0))
    assert value("f1", two_classes(labels, scores)) != pytest.approx(f1(labels, predicted, 0))


def test_scores_are_ranked_with_ties_as_one_step() -> None:
    rows = two_classes()
    assert value("roc_auc", rows) == pytest.approx(area(LABELS, SCORES))
    assert value("pr_auc", rows) == pytest.approx(average_precision(LABELS, SCORES))
    losses = [-math.log(s if y else 1 - s) for y, s in zip(LABELS, SCORES, strict=True)]
    assert value("log_loss", rows) == pytest.approx(sum(losses) / len(losses))


def test_more_than_two_classes_are_averaged() -> None:
    rows = many_classes()
    labels, predicted = list(map(int, rows.labels)), list(map(int, rows.predicted))
    each = [f1(labels, predicted, c) for c in range(3)]
    assert rows.probability is not None
    columns = [rows.probability[:, c].tolist() for c in range(3)]
    assert value("f1", rows) == pytest.approx(sum(each) / 3)
    assert value("f1_macro", rows) == pytest.approx(sum(each) / 3)
    assert value("f1_weighted", rows) == pytest.approx(sum(e * labels.count(c) for c, e in enumerate(each)) / 60)
    assert value("f1_micro", rows) == value("accuracy", rows)
    assert value("f1", rows, of="class 2") == pytest.approx(each[2])
    assert value("roc_auc", rows) == pytest.approx(sum(area(labels, columns[c], c) for c in range(3)) / 3)
    assert value("pr_auc", rows) == pytest.approx(sum(average_precision(labels, columns[c], c) for c in range(3)) / 3)


def test_errors_of_numbers_follow_their_formulas() -> None:
    labels, predicted = [3.0, -1.0, 0.0, 4.0], [2.5, -1.5, 0.0, 6.0]
    rows = Predicted(labels=np.array(labels), predicted=np.array(predicted))
    pairs = list(zip(labels, predicted, strict=True))
    mean = sum(labels) / 4
    squares = sum((y - p) ** 2 for y, p in pairs)
    assert value("mse", rows) == pytest.approx(squares / 4)
    assert value("rmse", rows) == pytest.approx(math.sqrt(squares / 4))
    assert value("mae", rows) == pytest.approx(sum(abs(y - p) for y, p in pairs) / 4)
    assert value("r2", rows) == pytest.approx(1 - squares / sum((y - mean) ** 2 for y in labels))
    terms = [2 * abs(y - p) / (abs(y) + abs(p)) if abs(y) + abs(p) else 0.0 for y, p in pairs]
    assert value("smape", rows) == pytest.approx(sum(terms) / 4)
    positive = Predicted(labels=np.array([2.0, 4.0]), predicted=np.array([1.0, 5.0]))
    assert value("mape", positive) == pytest.approx((1 / 2 + 1 / 4) / 2)


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc", "log_loss"])
def test_without_probabilities_there_is_no_score(metric: str) -> None:
    rows = two_classes()
    bare = Classified(
        labels=rows.labels, predicted=rows.predicted, probability=None, classes=rows.classes, positive="yes"
    )
    assert bare.value(Measure(metric=metric)) is None
    assert measured([Measure(metric=metric)], bare, resamples=100, seed=0)[0].low is None


def test_an_area_of_one_class_is_not_defined() -> None:
    assert two_classes([1, 1], [0.4, 0.6]).value(Measure(metric="roc_auc")) is None


def test_a_prediction_that_is_no_class_is_wrong_for_every_class() -> None:
    rows = Classified(
        labels=np.array([0, 1, 1]), predicted=np.array([2, 1, 2]), probability=None, classes=("a", "b"), positive="b"
    )
    assert value("accuracy", rows) == pytest.approx(1 / 3)
    assert value("recall", rows) == pytest.approx(1 / 2)
    assert value("precision", rows) == 1.0


@pytest.mark.parametrize("metric", [m.name for m in METRICS.values() if "classification" in m.tasks])
@pytest.mark.parametrize("rows", [two_classes(), many_classes(), many_classes(seed=5, k=6, n=40)], ids=["2", "3", "6"])
def test_resampling_uses_the_definition_of_the_point_estimate(metric: str, rows: Classified) -> None:
    measure = Measure(metric=metric)
    drawn = rows.resampled(measure, resamples=400, seed=1)
    point = value(metric, rows)
    assert np.nanmin(drawn) <= point <= np.nanmax(drawn)
    if metric not in ("roc_auc", "pr_auc", "log_loss"):
        table = counts.confusion(rows.labels, rows.predicted, len(rows.classes) + 1)
        assert counts.values(metric, table[None], rows.target(None))[0] == pytest.approx(point)


@pytest.mark.parametrize("metric", ["f1", "roc_auc", "pr_auc", "log_loss", "mcc"])
def test_the_bootstrap_is_that_of_drawing_rows_again_and_again(metric: str) -> None:
    rng = random.Random(0)
    labels = [rng.randrange(2) for _ in range(80)]
    scores = [min(0.99, max(0.01, rng.gauss(0.35 + 0.3 * y, 0.2))) for y in labels]
    by_hand = []
    for _ in range(150):
        chosen = [rng.randrange(80) for _ in range(80)]
        by_hand.append(value(metric, two_classes([labels[i] for i in chosen], [scores[i] for i in chosen])))
    ours = two_classes(labels, scores).resampled(Measure(metric=metric), resamples=2000, seed=0)
    assert np.mean(ours) == pytest.approx(np.mean(by_hand), abs=0.02)
    assert np.std(ours) == pytest.approx(np.std(by_hand), rel=0.25)


@pytest.mark.parametrize("metric", ["rmse", "mse", "mae", "mape", "smape", "r2"])
def test_intervals_of_numbers_hold_the_point_and_follow_the_seed(metric: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(50, 5, size=200)
    rows = Predicted(labels=labels, predicted=labels + rng.normal(0, 2, size=200))
    first, again, other = (measured([Measure(metric=metric)], rows, resamples=300, seed=s)[0] for s in (1, 1, 2))
    assert first == again != other
    assert first.low is not None
    assert first.high is not None
    assert first.value is not None
    assert first.low < first.value < first.high


def test_shares_have_exact_limits_that_stay_honest_at_the_ends() -> None:
    labels = [1] * 10 + [0] * 10
    right = two_classes(labels, [0.9] * 10 + [0.1] * 10)
    perfect = measured([Measure(metric="accuracy")], right, resamples=100, seed=0)[0]
    assert perfect.high == 1.0
    assert perfect.low == pytest.approx(0.025 ** (1 / 20))
    assert perfect.bound_low == pytest.approx(0.05 ** (1 / 20))
    recall = measured([Measure(metric="recall", confidence=0.99)], right, resamples=100, seed=0)[0]
    assert recall.bound_low == pytest.approx(0.01 ** (1 / 10))


def test_a_higher_confidence_moves_the_bounds_outwards() -> None:
    rows = many_classes(n=200)
    loose, strict = (
        measured([Measure(metric="f1_macro", confidence=c)], rows, resamples=500, seed=0)[0] for c in (0.8, 0.99)
    )
    assert loose.bound_low is not None
    assert strict.bound_low is not None
    assert strict.bound_low < loose.bound_low
    assert (loose.low, loose.high) == (strict.low, strict.high)


@pytest.mark.parametrize("rows", [two_classes(), many_classes()], ids=["2", "3"])
def test_taking_units_is_measuring_those_rows(rows: Classified) -> None:
    units = np.array([3, 3, 0, 7, 5, 1, 2])
    taken = rows.take(units)
    assert (taken.units, taken.labels.tolist()) == (7, rows.labels[units].tolist())
    assert value("accuracy", taken) == float(np.mean(rows.labels[units] == rows.predicted[units]))
    numbers = Predicted(labels=np.arange(9.0), predicted=np.arange(9.0) + 1)
    assert value("mae", numbers.take(units)) == 1.0
    assert numbers.take(np.array([], dtype=np.int64)).value(Measure(metric="mae")) is None


def test_a_well_calibrated_model_has_no_calibration_error() -> None:
    labels, scores = [1] * 3 + [0] * 1 + [0] * 9 + [1] * 1, [0.75] * 4 + [0.1] * 10
    section = two_classes(labels, scores).section()["calibration"]
    assert isinstance(section, dict)
    assert section["expected_error"] == pytest.approx(0.0)
    assert [(b["rows"], b["share_right"]) for b in section["bins"]] == [(4, 0.75), (10, 0.9)]


def test_residuals_are_counted_in_bins_that_hold_every_row() -> None:
    rows = Predicted(labels=np.zeros(50), predicted=np.linspace(-1, 1, 50))
    section = rows.section()["residuals"]
    assert isinstance(section, dict)
    assert sum(section["histogram"]["rows"]) == 50
    assert len(section["histogram"]["edges"]) == len(section["histogram"]["rows"]) + 1
    assert section["mean"] == pytest.approx(0.0)


def test_every_wrong_measure_is_named_with_a_way_out() -> None:
    measures = [
        Measure(metric="rmse"),
        Measure(metric="accuracy", of="yes"),
        Measure(metric="recall", of="Yes"),
        Measure(metric="f1", of="yes"),
        Measure(metric="custom:rate", of="yes"),
        Measure(metric="custom:rat"),
        Measure(metric="custom:rate"),
    ]
    faults = [str(f) for f in faults_of(measures, "classification", ("no", "yes"), ["rate"])]
    assert len(faults) == 5
    assert "name it in the formula" in faults[3]
    assert "did you mean 'rate'" in faults[4]
    alone = str(faults_of([Measure(metric="custom:rate")], "classification", ())[0])
    assert "give it under `metrics:`" in alone
    assert "rmse" in faults[0]
    assert "leave the class out" in faults[1]
    assert "did you mean 'yes'" in faults[2]


def test_numbers_that_are_predicted_exactly_are_suspected() -> None:
    exact, near = Predicted(labels=np.array([1.0, 2.0, 3.5]), predicted=np.array([1.0, 2.0, 3.5])), [1.0, 2.0, 3.0]
    assert exact.notes() == ["every prediction is exactly the label: suspected leakage"]
    assert Predicted(labels=exact.labels, predicted=np.array(near)).notes() == []
    assert Predicted(labels=np.ones(3), predicted=np.ones(3)).notes() == [], "of one value nothing is told"
