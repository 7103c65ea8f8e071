"""Recommendation of rows that say which class they are: classified row by row, ranked user by user."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from tasted import NDCG, asked, holdout, learner, part

from tools.recipes.answers.comparing import paired
from tools.recipes.answers.labelled import Labelled
from tools.recipes.faults import BadInput
from tools.recipes.learners import pointwise
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.models.encode import matrix
from tools.recipes.parts import endpoint_columns
from tools.recipes.records import Against, Measure

RECALL = Measure(metric="recall_at_10")
POPULARITY = Against(to="baseline", name="popularity")


def clicks(seed: int, rows: int = 600) -> pl.DataFrame:
    """Whether users click depends on the price and category of the item, joined to every row."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 50, rows)
    price, kind = (item % 10) / 10, np.where(item % 3 == 0, "toy", "book")
    odds = 4 * price - 2 + np.where(kind == "toy", 1.0, -1.0)
    return pl.DataFrame(
        {
            "user_id": rng.integers(0, 30, rows),
            "item_id": item,
            "price": price + rng.normal(scale=0.05, size=rows),
            "kind": kind,
            "clicked": (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


def test_labelled_rows_are_classified_and_ranked_for_each_user() -> None:
    train, test = clicks(1), clicks(2)
    on = learner("logistic_regression", train, test, label="clicked", metric="f1")
    fitted = on.fit({"C": 1.0, "class_weight": None})
    answer, base = on.outcome(fitted), on.baseline()
    card = on.card({})
    raw = matrix(endpoint_columns(test.drop("clicked"), card.inputs), card.inputs, lowercase=False)
    score = fitted.predict_proba(raw)[:, 1]
    told, truth = score > 0.5, test["clicked"].to_numpy() == 1
    hits = int((told & truth).sum())
    assert answer.value(Measure(metric="f1")) == pytest.approx(2 * hits / (told.sum() + truth.sum()))
    each = []
    for user in set(test["user_id"]):
        mine = np.flatnonzero(test["user_id"].to_numpy() == user)
        ranked = truth[mine[np.argsort(-score[mine])]][:10]
        best = sum(1 / math.log2(r + 2) for r in range(min(10, int(truth[mine].sum()))))
        each.append(sum(hit / math.log2(r + 2) for r, hit in enumerate(ranked)) / best)
    assert answer.value(NDCG) == pytest.approx(sum(each) / len(each))
    assert answer.value(NDCG) > base.value(NDCG)
    assert answer.units == 30
    assert (card.task, card.answers, [i.name for i in card.inputs][:2]) == (
        "recommendation", "class", ["user_id", "item_id"]
    )  # fmt: skip


def test_ids_change_nothing_of_a_labelled_answer() -> None:
    train, test = clicks(1), clicks(2)
    on = learner("logistic_regression", train, test, label="clicked", metric="f1")
    fitted, card = on.fit({"C": 1.0, "class_weight": None}), on.card({})
    other = test.with_columns(user_id=pl.lit(7), item_id=pl.lit(9))
    one, two = (
        fitted.predict_proba(matrix(endpoint_columns(f.drop("clicked"), card.inputs), card.inputs, lowercase=False))
        for f in (test, other)
    )
    assert np.array_equal(one, two)


def test_rows_that_score_alike_share_their_ranks() -> None:
    train, test = clicks(1), clicks(2, rows=40)
    on = learner("logistic_regression", train, test, label="clicked", metric="f1")
    answer = on.baseline()
    assert isinstance(answer, Labelled)
    same = Labelled(rows=answer.rows, ends=np.array([40]), relevant=answer.relevant, score=np.zeros(40), members=())
    share = answer.relevant.mean()
    assert same.value(NDCG) == pytest.approx(share)
    assert same.value(RECALL) == pytest.approx(share * 10 / min(10, answer.relevant.sum()))


def test_the_holdout_of_labelled_rows_is_judged_by_user() -> None:
    train, test = clicks(1), clicks(2)
    opened = Opened(train=part(train, "clicked"), validation=part(test, "clicked"), holdout=holdout(test, "clicked"))
    args = asked("clicked", classes=("0", "1"), positive="1")
    told = Told(prediction=["1"] * 300 + ["0"] * 300, probability=[[0.2, 0.8]] * 300 + [[0.9, 0.1]] * 300)
    answer, base = pointwise.ROWS.answer(args, told, opened), pointwise.ROWS.baseline(args, opened)
    found = paired(Measure(metric="f1"), answer, base, against=POPULARITY, resamples=200, seed=0)
    truth = test["clicked"].to_numpy()
    assert found.value == pytest.approx(2 * truth[:300].sum() / (300 + truth.sum()))
    names = [column.name for column in answer.columns()]
    assert names == ["score", "user", "item", "relevance", "ranked_by"]
    assert answer.columns()[3].to_list() == truth.tolist()
    section: Any = answer.section()
    assert {"confusion", "ranking"} <= set(section)
    assert section["ranking"]["by_cutoff"][0].keys() >= {"ndcg", "recall", "popularity"}


@pytest.mark.parametrize("metric", ["f1", "roc_auc", "pr_auc", "log_loss", "ndcg_at_10", "accuracy"])
def test_resampling_users_is_taking_their_rows(metric: str) -> None:
    train, test = clicks(1), clicks(2)
    on = learner("logistic_regression", train, test, label="clicked", metric="f1")
    answer = on.outcome(on.fit({"C": 1.0, "class_weight": None}))
    measure = Measure(metric=metric)
    found = answer.resampled(measure, resamples=20, seed=8)
    units = np.random.default_rng(8).integers(0, 30, size=(20, 30))
    assert found == pytest.approx([answer.take(u).value(measure) for u in units])


def test_labelled_rows_with_nothing_but_ids_are_no_table_to_classify() -> None:
    frame = clicks(1).select("user_id", "item_id", "clicked")
    with pytest.raises(BadInput, match="use item_knn or matrix_factorization"):
        learner("logistic_regression", frame, frame, label="clicked", metric="f1")
