"""Clustering against blobs that are there, noise in which there are none, and silhouettes computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from tools.recipes.answers import comparing
from tools.recipes.answers.clusters import MOST, Clustered, clustered
from tools.recipes.faults import BadInput
from tools.recipes.learners.clustering import RECIPE, Clustering, by_chance
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.models.model import Model
from tools.recipes.parts import Holdout, Part, endpoint_columns
from tools.recipes.records import Against, EvaluateArgs, Measure, TrainArgs

SILHOUETTE = Measure(metric="silhouette")
ASKED = EvaluateArgs(task="clustering", label=None, measures=(SILHOUETTE,))


def blobs(rows: int = 300, seed: int = 0, spread: float = 1.0) -> pl.DataFrame:
    """Three of different size, in units that differ by a thousand."""
    rng = np.random.default_rng(seed)
    of = np.resize([0, 1, 0, 2, 0, 1, 0, 1, 0, 2], rows)
    middle = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])[of] + spread * rng.normal(size=(rows, 2))
    return pl.DataFrame({"of": of, "income": 30_000 + 1000 * middle[:, 0], "age": 40 + middle[:, 1]})


def opened(frame: pl.DataFrame) -> Opened:
    n = frame.height
    numbered = frame.with_columns(pl.Series("row", range(n), dtype=pl.Int64))
    return Opened(
        train=Part(frame[: int(0.6 * n)], None, "train"),
        validation=Part(frame[int(0.6 * n) : int(0.8 * n)], None, "validation"),
        holdout=Holdout(numbered[int(0.8 * n) :], None, "holdout"),
    )


def learner(at: Opened, **more: Any) -> Clustering:
    args = TrainArgs(task="clustering", label=None, family="kmeans", metric="silhouette", trials=11, seconds=9, **more)
    return Clustering(args, at.train, at.validation)


def best(on: Clustering) -> Any:
    """The number of clusters whose silhouette on validation is largest."""
    counts = on.space()["n_clusters"].grid
    return max((on.fit({"n_clusters": n}) for n in counts), key=lambda f: on.outcome(f).value(SILHOUETTE) or -1.0)


def judged(at: Opened, fitted: Any, on: Clustering) -> tuple[Clustered, list[str]]:
    model = Model(fitted, on.card({}), "digest")
    told = [str(p) for p in model.predict(endpoint_columns(at.holdout.features, model.metadata.inputs))]
    made = RECIPE.answer(ASKED, Told(prediction=told, model=model), at)
    assert isinstance(made, Clustered)
    return made, told


def by_hand(features: np.ndarray[Any, Any], names: Sequence[str]) -> list[float]:
    """The silhouette from its definition, row by row."""
    found = []
    for i, name in enumerate(names):
        away = {
            n: [np.linalg.norm(features[i] - features[j]) for j, m in enumerate(names) if m == n and j != i]
            for n in set(names)
        }
        if not away[name]:
            found.append(0.0)
            continue
        a, b = np.mean(away.pop(name)), min(np.mean(d) for d in away.values())
        found.append(float((b - a) / max(a, b)))
    return found


def test_three_blobs_are_found_and_named_by_size() -> None:
    frame = blobs()
    at = opened(frame.drop("of"))
    on = learner(at)
    fitted = best(on)
    made, told = judged(at, fitted, on)
    assert fitted[-1].n_clusters == 3
    value = made.value(SILHOUETTE)
    assert value is not None
    assert value > 0.6
    truth = frame["of"][-60:].to_list()
    assert {(t, name) for t, name in zip(truth, told, strict=True)} == {
        (0, "cluster-1"),
        (1, "cluster-2"),
        (2, "cluster-3"),
    }


def test_noise_has_a_silhouette_near_zero_and_chance_one_at_zero() -> None:
    rng = np.random.default_rng(0)
    at = opened(pl.DataFrame({f"x{i}": rng.normal(size=500) for i in range(12)}))
    on = learner(at)
    made, _ = judged(at, best(on), on)
    value, chance = made.value(SILHOUETTE), RECIPE.baseline(ASKED, at).value(SILHOUETTE)
    assert value is not None
    assert chance is not None
    assert value < 0.15
    assert abs(chance) < 0.02


def test_the_number_is_the_mean_of_silhouettes_by_definition() -> None:
    at = opened(blobs(120, spread=3.0).drop("of"))
    on = learner(at)
    made, told = judged(at, on.fit({"n_clusters": 4}), on)
    train, holdout = (p.features.to_numpy() for p in (at.train, at.holdout))
    scaled = (holdout - train.mean(axis=0)) / train.std(axis=0)
    expected = by_hand(scaled, told)
    assert made.value(SILHOUETTE) == pytest.approx(np.mean(expected))
    assert made.columns()[0].to_list() == pytest.approx(expected)
    each: Any = made.section()["clusters"]
    for row in each["each"]:
        here = [s for s, name in zip(expected, told, strict=True) if name == row["cluster"]]
        assert row["silhouette"] == pytest.approx(np.mean(here))
        assert row["rows"] == len(here)


def test_centres_are_told_in_the_units_of_the_source() -> None:
    frame = blobs().with_columns(pl.Series("shop", ["north" if i else "south" for i in blobs()["of"]]))
    at = opened(frame.drop("of"))
    on = learner(at)
    made, told = judged(at, on.fit({"n_clusters": 3}), on)
    described: Any = made.section()["clusters"]
    second = next(c for c in described["centres"] if c["cluster"] == "cluster-2")
    means = {c["column"]: c["mean"] for c in second["columns"]}
    income = at.holdout.features.filter(pl.Series([t == "cluster-2" for t in told]))["income"].mean()
    assert means["income"] == pytest.approx(income)
    assert means["shop = north"] == 1.0
    assert second["columns"][0]["column"] == "income"
    assert second["columns"][0]["spreads"] > 1


def test_resamples_are_means_of_rows_that_are_taken() -> None:
    at = opened(blobs().drop("of"))
    on = learner(at)
    made, _ = judged(at, on.fit({"n_clusters": 3}), on)
    drawn = made.resampled(SILHOUETTE, resamples=200, seed=7)
    units = np.random.default_rng(7).integers(0, 60, size=(200, 60))
    assert drawn == pytest.approx(np.array([made.take(u).value(SILHOUETTE) for u in units]))


def test_blobs_are_better_than_chance_by_a_paired_bootstrap() -> None:
    at = opened(blobs().drop("of"))
    on = learner(at)
    made, _ = judged(at, on.fit({"n_clusters": 3}), on)
    against = Against(to="baseline", name="chance")
    found = comparing.paired(SILHOUETTE, made, RECIPE.baseline(ASKED, at), against=against, resamples=200, seed=0)
    assert found.low is not None
    assert found.low > 0.5


@pytest.mark.parametrize("told", [["cluster-1"] * 60, [f"cluster-{i}" for i in range(60)]])
def test_one_cluster_or_one_for_every_row_has_no_silhouette(told: list[str]) -> None:
    at = opened(blobs().drop("of"))
    made = RECIPE.answer(ASKED, Told(prediction=told), at)
    assert made.value(SILHOUETTE) is None
    assert np.isnan(made.resampled(SILHOUETTE, resamples=5, seed=0)).all()
    assert made.take(np.array([0, 1])).value(SILHOUETTE) is None
    assert "a silhouette needs two" in made.notes()[0]
    assert made.columns()[0].null_count() == 60
    assert made.section()


def test_of_very_many_rows_some_are_drawn_with_the_seed_and_it_is_told() -> None:
    features, names = np.random.default_rng(0).normal(size=(MOST + 100, 2)), by_chance(MOST + 100, 1)
    made = clustered(features, names, seed=3, described={})
    assert made.units == MOST
    assert made.columns()[0].null_count() == 100
    assert made.notes() == ["the silhouette is that of 5000 of 5100 rows, drawn with the seed"]
    section: Any = made.section()["clusters"]
    assert sum(row["rows"] for row in section["each"]) == MOST + 100


def test_the_search_never_asks_for_more_clusters_than_distinct_rows() -> None:
    frame = pl.DataFrame({"x": [float(i % 4) for i in range(100)]})
    on = learner(opened(frame))
    assert on.space()["n_clusters"].grid == (2, 3)
    with pytest.raises(BadInput, match="there are 1 distinct rows"):
        learner(opened(pl.DataFrame({"x": [1.0] * 100})))


def test_a_column_that_names_rows_is_left_out_and_told() -> None:
    frame = blobs().drop("of")
    frame = frame.with_columns(pl.Series("name", [f"customer {i}x" for i in range(300)]))
    at = opened(frame)
    on = learner(at)
    made, _ = judged(at, on.fit({"n_clusters": 3}), on)
    section: Any = made.section()["clusters"]
    assert section["columns_left_out"] == ["name"]
    assert [i.name for i in on.card({}).inputs] == ["income", "age"]
    with pytest.raises(BadInput, match="every column names its rows"):
        learner(opened(frame.select("name")))


def test_a_rare_value_does_not_make_a_cluster_of_its_own() -> None:
    frame = blobs().with_columns(pl.Series("plan", ["gold" if i % 50 == 0 else "plain" for i in range(300)]))
    at = opened(frame.drop("of"))
    on = learner(at)
    fitted = best(on)
    _, told = judged(at, fitted, on)
    assert fitted[-1].n_clusters == 3
    assert {(t, n) for t, n in zip(frame["of"][-60:], told, strict=True)} == {
        (0, "cluster-1"),
        (1, "cluster-2"),
        (2, "cluster-3"),
    }


def test_missing_values_and_values_never_seen_are_clustered_too() -> None:
    frame = blobs().drop("of").with_columns(pl.Series("shop", ["north", "south", None] * 100))
    at = opened(frame)
    on = learner(at)
    model = Model(on.fit({"n_clusters": 3}), on.card({}), "digest")
    told = model.predict({"income": [None, 30_000.0], "age": [None, None], "shop": [None, "nowhere"]})
    assert all(str(t).startswith("cluster-") for t in told)


def test_equal_data_and_seed_give_equal_clusters_and_a_share_is_of_the_same_rows() -> None:
    at = opened(blobs().drop("of"))
    one, two = (learner(at).fit({"n_clusters": 3}, 0.5) for _ in range(2))
    assert one[-1].cluster_centers_.tolist() == two[-1].cluster_centers_.tolist()


def test_another_family_is_refused() -> None:
    at = opened(blobs().drop("of"))
    args = TrainArgs(task="clustering", label=None, family="ridge", metric="silhouette", trials=1, seconds=9)
    with pytest.raises(BadInput, match="use one of kmeans"):
        Clustering(args, at.train, at.validation)


def test_without_a_training_part_the_holdout_makes_its_own_scale() -> None:
    frame = blobs().drop("of")
    at = opened(frame)
    nothing = Part(frame.clear(), None, "")
    alone = Opened(train=nothing, validation=nothing, holdout=at.holdout)
    made = RECIPE.answer(ASKED, Told(prediction=by_chance(60, 0)), alone)
    assert isinstance(made.value(SILHOUETTE), float)
