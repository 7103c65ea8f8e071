"""Recommendation against known truth: tastes that were planted, chance, numbers computed again."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from tasted import NDCG, asked, holdout, learner, part

from tools.recipes.answers.comparing import paired
from tools.recipes.answers.intervals import measured
from tools.recipes.answers.rankings import Rankings
from tools.recipes.faults import BadInput
from tools.recipes.learners import pointwise
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.learners.recipes import recipe
from tools.recipes.learners.recommendation import LISTS, Collaborative
from tools.recipes.models.encode import matrix
from tools.recipes.models.interactions import yes_of
from tools.recipes.models.recommenders import ItemNeighbours, MatrixFactors
from tools.recipes.records import Against, Family, Measure, TrainArgs

RECALL = Measure(metric="recall_at_10")
POPULARITY = Against(to="baseline", name="popularity")
DEFAULTS: dict[str, dict[str, Any]] = {
    "item_knn": {"neighbours": 50, "shrinkage": 10.0},
    "matrix_factorization": {"factors": 8, "damping": 0.3},
}


def interactions(*, taste: float, users: int = 300, items: int = 100, each: int = 20, seed: int = 0) -> pl.DataFrame:
    """Items chosen without repetition by popularity and, with `taste`, by hidden factors of user and item."""
    rng = np.random.default_rng(seed)
    liking = taste * rng.normal(size=(users, 4)) @ rng.normal(size=(4, items))
    worth = liking + 0.7 * rng.normal(size=items) + rng.gumbel(size=(users, items))
    chosen = np.argsort(-worth, axis=1)[:, :each]
    rows = rng.permutation(users * each)
    return pl.DataFrame({"user_id": np.repeat(np.arange(users), each)[rows], "item_id": 1000 + chosen.ravel()[rows]})


def split(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    cut = frame.height * 4 // 5
    return frame[:cut], frame[cut:]


def by_hand(train: pl.DataFrame, test: pl.DataFrame, lists: dict[Any, list[Any]]) -> tuple[float, float]:
    """NDCG@10 and recall@10 by their definitions, with dictionaries alone."""
    met, wanted = defaultdict(set), defaultdict(set)
    for user, item in train.rows():
        met[user].add(item)
    for user, item in test.rows():
        if item not in met[user]:
            wanted[user].add(item)
    ndcg, recall = [], []
    for user, items in wanted.items():
        hits = [item in items for item in lists[user][:10]]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(items))))
        ndcg.append(sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits)) / ideal)
        recall.append(sum(hits) / min(10, len(items)))
    return sum(ndcg) / len(ndcg), sum(recall) / len(recall)


def served(fitted: Any, users: list[Any]) -> list[str]:
    return list(fitted.predict(np.array([[str(u)] for u in users], dtype=object)))


@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_planted_tastes_are_found_and_beat_popularity(family: Family) -> None:
    train, test = split(interactions(taste=1.0))
    on = learner(family, train, test)
    answer, popular = on.outcome(on.fit(DEFAULTS[family])), on.baseline()
    assert answer.value(NDCG) > 1.5 * popular.value(NDCG)
    found = paired(NDCG, answer, popular, against=POPULARITY, resamples=500, seed=0)
    assert found.low is not None
    assert found.low > 0.05
    assert found.p_value is not None
    assert found.p_value < 0.01


@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_where_there_is_no_taste_popularity_is_not_beaten(family: Family) -> None:
    train, test = split(interactions(taste=0.0, seed=5))
    on = learner(family, train, test)
    found = paired(NDCG, on.outcome(on.fit(DEFAULTS[family])), on.baseline(), against=POPULARITY, resamples=500, seed=0)
    assert found.bound_low is not None
    assert found.bound_low < 0
    assert found.difference is not None
    assert found.difference < 0.02


@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_the_metrics_are_those_of_the_definitions(family: Family) -> None:
    train, test = split(interactions(taste=0.7, users=60, items=40, each=12))
    test = pl.concat([test, test[:5], pl.DataFrame({"user_id": [999, 5], "item_id": [1001, 7777]})])
    on = learner(family, train, test)
    fitted = on.fit(DEFAULTS[family])
    answer = on.outcome(fitted)
    users = sorted(set(test["user_id"]))
    lists = dict(zip(users, map(json.loads, served(fitted, users)), strict=True))
    assert (answer.value(NDCG), answer.value(RECALL)) == pytest.approx(by_hand(train, test, lists))
    counts = train["item_id"].value_counts().sort(["count", "item_id"], descending=[True, False])["item_id"].to_list()
    met = {u: set(train.filter(pl.col("user_id") == u)["item_id"]) for u in users}
    popular = {u: [i for i in counts if i not in met[u]] for u in users}
    base = on.baseline()
    assert (base.value(NDCG), base.value(RECALL)) == pytest.approx(by_hand(train, test, popular))


def test_the_rows_of_the_evidence_give_the_numbers_again() -> None:
    train, test = split(interactions(taste=0.7, users=60, items=40, each=12))
    on = learner("item_knn", train, test)
    answer = on.outcome(on.fit(DEFAULTS["item_knn"]))
    rows = pl.DataFrame(answer.columns())
    each = []
    for _, mine in rows.group_by("user"):
        hits = mine.filter((pl.col("relevance") == 1) & (pl.col("rank") <= 10))
        if relevant := int(mine["relevance"].sum()):
            ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, relevant) + 1))
            each.append(sum(1 / math.log2(rank + 1) for rank in hits["rank"]) / ideal)
    assert len(each) == answer.units
    assert answer.value(NDCG) == pytest.approx(sum(each) / len(each))


def test_cosine_neighbours_are_those_of_the_formula() -> None:
    train = pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 3, 4], "item_id": ["a", "b", "a", "b", "b", "c", "b"]})
    on = learner("item_knn", train, pl.DataFrame({"user_id": [4], "item_id": ["a"]}))
    fitted = on.fit({"neighbours": 5, "shrinkage": 2.0})
    values, places, ends = fitted.similar_
    order = [str(i) for i in fitted.items_]
    a, b = order.index("a"), order.index("b")
    row = dict(zip(places[ends[a] : ends[a + 1]].tolist(), values[ends[a] : ends[a + 1]].tolist(), strict=True))
    assert row == {b: pytest.approx(2 / (math.sqrt(2 * 4) + 2))}


def test_factors_rank_as_a_full_decomposition_does() -> None:
    train, test = split(interactions(taste=1.0, users=40, items=25, each=8))
    on = learner("matrix_factorization", train, test)
    fitted = on.fit({"factors": 5, "damping": 0.4})
    users, items = fitted.users_.tolist(), fitted.items_.tolist()
    cells = np.zeros((len(users), len(items)))
    for user, item in train.rows():
        cells[users.index(str(user)), items.index(str(item))] = 1.0
    weight = cells.sum(axis=0) ** -0.4
    right = np.linalg.svd(cells * weight / np.sqrt(cells.sum(axis=1, keepdims=True)))[2][:5]
    scores = np.where(cells > 0, -np.inf, (cells * weight) @ right.T @ right)
    assert fitted.ranked(fitted.users_, 5).tolist() == np.argsort(-scores, axis=1)[:, :5].tolist()


@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_the_same_data_and_seed_give_the_same_model(family: Family) -> None:
    train, test = split(interactions(taste=0.5, users=50, items=30, each=8))
    one, two = (learner(family, train, test).fit(DEFAULTS[family]) for _ in range(2))
    for name, value in vars(one).items():
        other = getattr(two, name)
        parts = zip(value, other, strict=True) if isinstance(value, tuple) else [(value, other)]
        assert all(np.array_equal(a, b) for a, b in parts), name


def test_a_user_nobody_knows_gets_the_popular_items_and_no_one_gets_what_they_met() -> None:
    train, test = split(interactions(taste=0.5, users=50, items=30, each=8))
    fitted = learner("item_knn", train, test).fit(DEFAULTS["item_knn"])
    stranger, nobody = (json.loads(t) for t in served(fitted, ["no such user", ""]))
    counts = train["item_id"].value_counts().sort(["count", "item_id"], descending=[True, False])
    assert stranger == nobody == counts["item_id"].to_list()[:10]
    for user in range(50):
        met = set(train.filter(pl.col("user_id") == user)["item_id"])
        assert not met & set(json.loads(served(fitted, [user])[0]))


def test_ids_keep_every_digit_and_their_own_spelling() -> None:
    big = 2**53 + 1
    frame = pl.DataFrame({"user_id": [big, big, big + 1, big + 1, 3], "item_id": ["01", "1", "1", 'é,"x"', "01"]})
    on = learner("item_knn", frame, pl.DataFrame({"user_id": [big], "item_id": ['é,"x"']}))
    fitted = on.fit({"neighbours": 5, "shrinkage": 1.0})
    card = on.card({})
    assert [(i.name, i.datatype) for i in card.inputs] == [("user_id", "INT64")]
    assert card.answers == "text"
    raw = matrix({"user_id": [big, big + 1, None]}, card.inputs, lowercase=False)
    found = [json.loads(text) for text in fitted.predict(raw)]
    assert found == [['é,"x"'], ["01"], ["01", "1", 'é,"x"']]


def test_a_number_counts_as_a_yes_from_the_median_of_training_up() -> None:
    train = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abacb"), "stars": [1, 5, 4, 3, 2]})
    test = pl.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["c", "b", "a", "c"], "stars": [3, 2, 5, 1]})
    on = learner("item_knn", train, test, label="stars")
    answer = on.outcome(on.fit({"neighbours": 5, "shrinkage": 1.0}))
    assert "stars >= 3 counts as a yes" in answer.notes()
    assert answer.columns()[2].to_list() == [1, 0, 1, 0]
    assert answer.units == 2


def test_of_two_values_the_greater_is_a_yes_and_a_no_is_not_shown_again() -> None:
    train = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abab"), "clicked": [1, 0, 1, 1]})
    assert str(yes_of("clicked", None, part(train, "clicked"))) == "clicked >= 1 counts as a yes"
    on = learner("item_knn", train, train.with_columns(item_id=pl.lit("c"), clicked=pl.lit(1)), label="clicked")
    assert json.loads(served(on.fit({"neighbours": 5, "shrinkage": 1.0}), [1])[0]) == []


def test_words_say_yes_and_more_than_two_of_them_need_a_name() -> None:
    frame = pl.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 2, 3], "bought": ["yes", "no", "no"]})
    assert str(yes_of("bought", None, part(frame, "bought"))) == "bought = yes counts as a yes"
    more = part(frame.with_columns(bought=pl.Series(["view", "cart", "buy"])), "bought")
    assert yes_of("bought", "buy", more).of(more).tolist() == [False, False, True]
    with pytest.raises(BadInput, match="holds classes, of which none is named the positive one"):
        yes_of("bought", None, more)


def test_the_holdout_is_judged_on_the_lists_that_were_told() -> None:
    train, test = split(interactions(taste=0.7, users=40, items=30, each=10))
    opened = Opened(train=part(train), validation=part(test), holdout=holdout(test))
    fitted = learner("item_knn", train, test).fit(DEFAULTS["item_knn"])
    told = served(fitted, test["user_id"].to_list())
    answer = LISTS.answer(asked(), Told(prediction=told), opened)
    lists = {u: json.loads(t) for u, t in zip(test["user_id"], told, strict=True)}
    assert (answer.value(NDCG), answer.value(RECALL)) == pytest.approx(by_hand(train, test, lists))
    section: Any = answer.section()["ranking"]
    assert [row["cutoff"] for row in section["by_cutoff"]] == [1, 5, 10]
    assert section["by_cutoff"][2]["ndcg"] == pytest.approx(answer.value(NDCG))
    assert section["by_cutoff"][2]["popularity"]["ndcg"] == pytest.approx(LISTS.baseline(asked(), opened).value(NDCG))
    assert sum(row["users"] for row in section["by_activity"]) == section["users"] == answer.units


def test_precision_hit_rate_map_and_coverage_are_those_of_the_definitions() -> None:
    found = Rankings(
        hits=np.array([[True, False, True, False, False], [False, False, False, True, False]]),
        listed=np.array([[0, 1, 2, 3, 4], [0, 1, 2, 5, -1]]),
        relevant=np.array([2, 7]),
        met=np.array([3, 30]),
        catalogue=12,
    )
    section: Any = found.section()["ranking"]
    at = {row["cutoff"]: row for row in section["by_cutoff"]}
    assert at[1] | {"cutoff": 1} == {
        "cutoff": 1, "ndcg": 0.5, "recall": 0.5, "precision": 0.5, "hit_rate": 0.5, "map": 0.5, "coverage": 1 / 12
    }  # fmt: skip
    assert at[5]["precision"] == pytest.approx((2 / 5 + 1 / 5) / 2)
    assert at[5]["recall"] == pytest.approx((1 + 1 / 5) / 2)
    assert at[5]["map"] == pytest.approx(((1 + 2 / 3) / 2 + (1 / 4) / 5) / 2)
    assert at[5]["coverage"] == 6 / 12
    assert [row["interactions"] for row in section["by_activity"]] == ["1-4", "20 or more"]


def test_users_are_what_is_resampled() -> None:
    train, test = split(interactions(taste=0.7, users=80, items=40, each=12))
    on = learner("item_knn", train, test)
    answer = on.outcome(on.fit(DEFAULTS["item_knn"]))
    (found,) = measured([NDCG], answer, resamples=2000, seed=0)
    each = answer.each("ndcg_at_10")
    half = 1.96 * each.std() / len(each) ** 0.5
    assert found.low == pytest.approx(each.mean() - half, abs=0.15 * half)
    assert answer.take(np.array([3, 3])).value(NDCG) == pytest.approx(each[3])


def test_who_and_what_was_left_out_is_said() -> None:
    train = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [10, 11, 10, 12]})
    test = pl.DataFrame({"user_id": [1, 2, 3, None], "item_id": [10, 99, 11, 10]})
    notes = "\n".join(learner("item_knn", train, test).baseline().notes())
    assert "1 users without an item that they had not met in training are left out" in notes
    assert "1 users are not in the training part: they get the most popular items" in notes
    assert "1 of 2 relevant items are not in the training part: no list can hold them" in notes
    assert "1 rows without user or item are left out" in notes


def test_a_share_learns_from_fewer_interactions_and_still_shows_nothing_met() -> None:
    train, test = split(interactions(taste=1.0))
    on = learner("item_knn", train, test)
    less, whole = (on.outcome(on.fit(DEFAULTS["item_knn"], share)).value(NDCG) for share in (0.1, 1.0))
    assert less < whole
    assert on.fit(DEFAULTS["item_knn"], 0.1).seen_[1].tolist() == on.fit(DEFAULTS["item_knn"]).seen_[1].tolist()


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ({"user_id": [1] * 4, "item_id": [1, 2, 3, 4]}, {"user_id": [1], "item_id": [9]}),
        ({"user_id": [1, 2, 3], "item_id": [5, 5, 5]}, {"user_id": [4], "item_id": [5]}),
        ({"user_id": [1, 2, 3, 4], "item_id": [5, 6, 7, 8]}, {"user_id": [8, 9], "item_id": [5, 6]}),
        ({"user_id": [1, None, 3], "item_id": [5, 6, None]}, {"user_id": [8], "item_id": [5]}),
    ],
)
@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_one_user_one_item_strangers_and_gaps_are_survived(family: Family, train: Any, test: Any) -> None:
    on = learner(family, pl.DataFrame(train), pl.DataFrame(test))
    answer = on.outcome(on.fit(DEFAULTS[family]))
    assert answer.value(NDCG) is not None
    assert len(json.loads(served(on.fit(DEFAULTS[family]), ["anybody"])[0])) >= 1


def test_what_cannot_be_learnt_is_named_with_the_way_out() -> None:
    train = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6], "liked": [0, 0]})
    with pytest.raises(BadInput, match="none of its 1 users wanted an item that they had not met"):
        learner("item_knn", train, train[:1])
    with pytest.raises(BadInput, match="metric f1: is not measured on lists of items"):
        learner("item_knn", train, train, metric="f1")
    with pytest.raises(BadInput, match="no row has a user, an item and a yes"):
        learner("item_knn", train.with_columns(liked=pl.lit(None, dtype=pl.Int64)), train, label="liked")
    args = TrainArgs(task="recommendation", label=None, family="item_knn", metric="ndcg_at_10", trials=1, seconds=1)
    with pytest.raises(BadInput, match="no column says which user and item a row is of"):
        Collaborative(args, part(train), part(train))


@pytest.mark.parametrize("told", ["", "a", '{"a": 1}', '[["a"]]', "[" * 5000])
def test_an_answer_that_is_no_list_is_refused_with_its_place(told: str) -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]})
    test = pl.DataFrame({"user_id": [1], "item_id": [6]})
    opened = Opened(train=part(frame), validation=part(test), holdout=holdout(test))
    with pytest.raises(BadInput, match="1 predictions are no JSON list of item ids"):
        LISTS.answer(asked(), Told(prediction=[told]), opened)


def test_a_list_that_repeats_an_item_hits_once() -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]})
    test = pl.DataFrame({"user_id": [1], "item_id": [6]})
    opened = Opened(train=part(frame), validation=part(test), holdout=holdout(test))
    answer = LISTS.answer(asked(), Told(prediction=["[6, 6, 6, 5]"]), opened)
    assert answer.value(RECALL) == answer.value(NDCG) == 1.0


def test_a_model_of_lists_is_not_compared_with_one_of_classes() -> None:
    assert recipe("recommendation", "item_knn") is LISTS
    assert recipe("recommendation", None, ["ndcg_at_10"]) is LISTS
    assert recipe("recommendation", None, ["f1"]) is pointwise.ROWS
    assert recipe("recommendation", "gradient_boosting") is pointwise.ROWS


def test_a_program_of_the_users_sees_users_and_no_items() -> None:
    assert LISTS.shown(asked(), interactions(taste=0.0)).columns == ["user_id"]


def test_sparse_data_stay_sparse() -> None:
    rng = np.random.default_rng(0)
    users, items = 20_000, 5_000
    frame = pl.DataFrame({"user_id": rng.integers(0, users, 22_000), "item_id": rng.integers(0, items, 22_000)})
    on = learner("item_knn", frame[:20_000], frame[20_000:])
    for made in (ItemNeighbours(neighbours=20), MatrixFactors(factors=4)):
        fitted = made.fit(on._known, on._known.liked)
        held = sum(np.asarray(a).nbytes for v in vars(fitted).values() for a in (v if isinstance(v, tuple) else (v,)))
        assert held < 5_000_000
