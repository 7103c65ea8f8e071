"""What simulated programs leave: seeded, plausible, and bounded by the world."""

from __future__ import annotations

import csv
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.backends.sim.evidence import holdout_rows
from tools.backends.sim.learning import by_rows, measure, search, value_of
from tools.backends.sim.results import check, finish
from tools.backends.sim.state import Job, State, digest_of
from tools.backends.sim.world import Behaviour, Duration, Learner, Table, World
from tools.errors import Invalid
from tools.metrics import METRICS
from tools.ports import JobSpec, Tags
from tools.recipes.records import EvaluateResult, Measure, PrepareResult, TrainResult
from tools.record import Json

WORLD = World(
    name="unit",
    durations={"train": Duration(median_s=10, per_trial_s=2)},
    table=Table(rows=1004, features=3, duplicates=4),
    learner=Learner(start=0.6, plateau=0.9, scale=5, noise=0.02),
    good=Behaviour(p50_ms=5),
    bad=Behaviour(p50_ms=500, error_rate=0.1),
)
TABLE: Json = {"name": "sklearn:x", "source": "sklearn:x", "format": "bundled"}
PREPARE: Json = {"tables": [TABLE], "task": "classification", "label": None}
TRAIN: Json = {
    "task": "classification",
    "label": "target",
    "family": "random_forest",
    "metric": "accuracy",
    "trials": 10,
    "seconds": 1000,
}
EVALUATE: Json = {
    "task": "classification",
    "label": "target",
    "classes": ["no", "yes"],
    "measures": [{"metric": "accuracy"}, {"metric": "f1"}],
}


def done(state: State, spec: JobSpec, id_: str = "j") -> Job:
    """The job, finished."""
    tags = Tags(run="r", call=f"r/{id_}/1", owner="o", lease_until=1e12)
    job = Job(
        id=id_, spec=spec, tags=tags, submitted=0.0, starts=0.0, ends=30.0, phase="running", random=random.Random(0)
    )
    check(state, spec)
    finish(state, job)
    return job


def prepared(state: State) -> PrepareResult:
    return PrepareResult.model_validate(
        done(state, JobSpec(program="prepare", args=PREPARE, time_limit_s=1), "p").result
    )


def trained(state: State, **changes: object) -> TrainResult:
    spec = JobSpec(program="train", args={**TRAIN, **changes}, mounts={"data": "jobs/p"}, time_limit_s=1)
    return TrainResult.model_validate(done(state, spec, "t").result)


def evaluated(state: State) -> EvaluateResult:
    mounts = {"data": "jobs/p", "model": "jobs/t/model"}
    spec = JobSpec(program="evaluate", args=EVALUATE, mounts=mounts, time_limit_s=1)
    return EvaluateResult.model_validate(done(state, spec, "e").result)


@pytest.fixture
def state() -> State:
    made = State(world=WORLD, seed=1)
    prepared(made)
    return made


def test_the_parts_of_prepared_data_add_up(state: State) -> None:
    made = prepared(state)
    assert made.train_rows + made.validation_rows + made.holdout_rows + made.duplicates_removed == made.rows
    assert made.holdout_rows == 200
    assert set(made.digests) == {"source", "train", "validation", "holdout", "split"}
    assert (made.classes, made.positive) == (("no", "yes"), "yes")


def test_the_same_search_finds_the_same_model_and_another_seed_another(state: State) -> None:
    assert trained(state) == trained(state)
    assert trained(state).digest != trained(state, seed=2).digest
    other = State(world=WORLD, seed=2)
    prepared(other)
    assert trained(other).value != trained(state).value


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_more_trials_extend_the_same_search_and_never_pass_the_plateau(seed: int, trials: int) -> None:
    short = search(WORLD.learner, trials, random.Random(seed))
    long = search(WORLD.learner, trials + 5, random.Random(seed))
    assert long[:trials] == short
    assert list(long) == sorted(long)
    assert long[-1] <= WORLD.learner.plateau


def test_a_search_stops_at_its_soft_time_limit(state: State) -> None:
    assert trained(state, trials=100, seconds=20).trials == 10
    assert trained(state, trials=100, seconds=0.1).trials == 1


def test_a_result_of_a_search_hangs_together(state: State) -> None:
    made = trained(state)
    assert made.value == made.history[-1] == max(made.history)
    assert made.curve[-1][0] == prepared(state).train_rows
    assert made.curve[-1][1] == pytest.approx(made.value)
    assert digest_of({"model.json": state.objects["jobs/t"]["model/model.json"]}) == made.digest
    (accuracy,) = made.validation
    assert accuracy.value == made.value


def test_a_learning_curve_rises_and_flattens() -> None:
    values = [v for _, v in by_rows(0.9, 1000)]
    steps = [b - a for a, b in itertools.pairwise(values)]
    assert values == sorted(values)
    assert steps[0] > 5 * steps[-1]


def test_the_holdout_number_is_near_validation_and_stays_when_it_is_measured_again(state: State) -> None:
    made = trained(state)
    first = evaluated(state)
    assert first.measured[0].value == pytest.approx(made.value, abs=0.04)
    assert evaluated(state) == first
    assert first.digests["model"] == made.digest


def test_the_rows_that_are_left_have_the_accuracy_that_is_reported(state: State) -> None:
    trained(state)
    value = evaluated(state).measured[0].value
    rows = list(csv.DictReader(state.objects["jobs/e"]["holdout_rows.csv"].decode().splitlines()))
    assert len(rows) == 200
    assert sum(r["label"] == r["prediction"] for r in rows) / len(rows) == value
    assert len({r["row"] for r in rows}) == len(rows)
    assert {r["label"] for r in rows} == {"no", "yes"}


def test_rows_of_a_regression_are_off_by_about_the_error() -> None:
    text = holdout_rows("regression", (), 0.9, rows=500, source=900, scale=10.0, rng=random.Random(0)).decode()
    rows = list(csv.DictReader(text.splitlines()))
    mean = sum(abs(float(r["label"]) - float(r["prediction"])) for r in rows) / len(rows)
    assert mean == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if m.where == "holdout"])
@given(st.floats(0, 1), st.floats(0, 1))
def test_every_metric_stays_within_its_bounds_and_a_better_model_has_a_better_one(
    name: str, one: float, other: float
) -> None:
    metric = METRICS[name]
    worse, better = (value_of(name, q, label_scale=10.0) for q in sorted((one, other)))
    assert better >= worse if metric.better == "max" else better <= worse
    for value in (worse, better):
        assert metric.low is None or value >= metric.low
        assert metric.high is None or value <= metric.high


@pytest.mark.parametrize("name", ["accuracy", "f1", "rmse", "log_loss", "mcc"])
def test_intervals_hold_the_value_and_narrow_with_more_rows(name: str) -> None:
    widths = []
    for rows in (100, 10_000):
        (made,) = measure([Measure(metric=name)], 0.85, rows=rows, label_scale=10.0, rng=random.Random(0))
        assert made.value is not None
        assert None not in (made.low, made.high, made.bound_low, made.bound_high)
        assert made.low <= made.bound_low <= made.value <= made.bound_high <= made.high  # type: ignore[operator]
        widths.append(made.high - made.low)  # type: ignore[operator]
    assert widths[1] < widths[0] / 5


def test_a_search_without_data_and_an_evaluation_without_a_model_fail_for_that_cause(state: State) -> None:
    without_data = done(state, JobSpec(program="train", args=TRAIN, time_limit_s=1), "t")
    mounts = {"data": "jobs/p"}
    without_model = done(state, JobSpec(program="evaluate", args=EVALUATE, mounts=mounts, time_limit_s=1), "e")
    for job in (without_data, without_model):
        assert job.result is None
        assert job.failure is not None
        assert job.failure.cause == "data_missing"


def test_a_search_measures_its_objective_beside_what_else_is_asked(state: State) -> None:
    made = trained(state, measures=[{"metric": "f1"}])
    assert [m.metric for m in made.validation] == ["f1", "accuracy"]
    assert made.validation[1].value == made.value


def test_a_job_whose_arguments_are_wrong_names_every_fault(state: State) -> None:
    spec = JobSpec(program="train", args={"family": "guess", "trials": 0}, mounts={"data": "jobs/none"}, time_limit_s=1)
    with pytest.raises(Invalid) as caught:
        check(state, spec)
    places = " ".join(caught.value.faults)
    assert all(word in places for word in ("train.family", "train.trials", "train.metric", "mounts.data"))


TASKS: dict[str, Json] = {
    "classification": {"family": "random_forest", "metric": "f1"},
    "regression": {"family": "ridge", "metric": "rmse"},
    "text-classification": {"family": "naive_bayes", "metric": "f1_macro"},
    "image-classification": {"family": "mlp", "metric": "accuracy"},
    "recommendation": {"family": "item_knn", "metric": "ndcg_at_10"},
    "clustering": {"family": "kmeans", "metric": "silhouette"},
    "forecasting": {"family": "exponential_smoothing", "metric": "smape", "horizon": 7},
}


@pytest.mark.parametrize("task", list(TASKS))
def test_every_task_is_prepared_trained_measured_and_compared(task: str) -> None:
    state = State(world=WORLD, seed=1)
    label = None if task in ("clustering", "recommendation") else "target"
    data = PrepareResult.model_validate(
        done(state, JobSpec(program="prepare", args={**PREPARE, "task": task}, time_limit_s=1), "p").result
    )
    assert data.label == label
    asked = {"task": task, "label": data.label, "roles": data.roles.model_dump(), "classes": list(data.classes)}
    train = asked | TASKS[task] | {"trials": 5, "seconds": 100}
    mounts = {"data": "jobs/p"}
    done(state, JobSpec(program="train", args=train, mounts=mounts, time_limit_s=1), "t")
    done(state, JobSpec(program="train", args=train | {"seed": 9, "trials": 1}, mounts=mounts, time_limit_s=1), "o")
    against = [{"to": "baseline", "name": "constant"}, {"to": "incumbent", "name": "v1"}, {"to": "other", "name": "b"}]
    metric = TASKS[task]["metric"]
    more = {k: v for k, v in TASKS[task].items() if k == "horizon"}
    spec = JobSpec(
        program="evaluate",
        args=asked | {"measures": [{"metric": metric}], "against": against} | more,
        mounts=mounts | {"model": "jobs/t/model", "v1": "jobs/o/model", "b": "jobs/o/model"},
        time_limit_s=1,
    )
    made = EvaluateResult.model_validate(done(state, spec, "e").result)
    (measured,) = made.measured
    assert (measured.metric, measured.value is not None) == (metric, True)
    assert [(c.to, c.name, c.metric) for c in made.compared] == [(a["to"], a["name"], metric) for a in against]
    for each in made.compared:
        assert each.value == pytest.approx(measured.value, abs=0.2)
        assert each.difference == pytest.approx(each.value - each.other)  # type: ignore[operator]
        assert each.low <= each.difference <= each.high  # type: ignore[operator]
    lines = state.objects["jobs/e"]["holdout_rows.csv"].decode().splitlines()
    assert len(lines) == made.rows + 1
    assert lines[0].startswith("row,label,prediction")


def test_a_comparison_with_a_model_that_is_not_mounted_fails_for_that_cause(state: State) -> None:
    trained(state)
    args = {**EVALUATE, "against": [{"to": "incumbent", "name": "v1"}]}
    mounts = {"data": "jobs/p", "model": "jobs/t/model"}
    job = done(state, JobSpec(program="evaluate", args=args, mounts=mounts, time_limit_s=1), "e")
    assert job.failure is not None
    assert job.failure.cause == "data_missing"
    assert "v1" in job.failure.message


@pytest.mark.parametrize(
    ("task", "given", "roles"),
    [
        ("forecasting", {}, {"time": "date"}),
        ("forecasting", {"time": "day", "group": "shop"}, {"time": "day", "group": "shop"}),
        ("recommendation", {}, {"user": "user_id", "item": "item_id"}),
        ("classification", {"split": {"by": "group", "column": "patient"}}, {"group": "patient"}),
        ("classification", {}, {}),
    ],
)
def test_columns_with_a_meaning_of_their_own_are_told(task: str, given: Json, roles: dict[str, str]) -> None:
    spec = JobSpec(program="prepare", args={**PREPARE, **given, "task": task}, time_limit_s=1)
    made = PrepareResult.model_validate(done(State(world=WORLD, seed=1), spec).result)
    assert {k: v for k, v in made.roles.model_dump().items() if v is not None} == roles


def test_joined_tables_say_what_joining_did_to_the_rows(state: State) -> None:
    tables = [TABLE, {**TABLE, "name": "users.csv", "source": "/users.csv", "format": "csv", "role": "users"}]
    joins = [{"left": "sklearn:x", "right": "users.csv", "on": ["user"], "how": "left"}]
    spec = JobSpec(program="prepare", args={**PREPARE, "tables": tables, "joins": joins}, time_limit_s=1)
    (joined,) = PrepareResult.model_validate(done(state, spec).result).joins
    assert (joined.left, joined.right, joined.on, joined.unmatched) == ("sklearn:x", "users.csv", ("user",), 0)
    assert joined.rows_before == joined.rows_after > 0
