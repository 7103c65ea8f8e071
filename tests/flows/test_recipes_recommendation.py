"""A recommendation from two tables to an answering model: every number computed again from the files it leaves."""

from __future__ import annotations

import csv
import json
import math
import shlex
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recipe_shop import Shop, write

from tools.recipes.faults import BadInput
from tools.recipes.models import model
from tools.recipes.records import (
    Against,
    Cleaning,
    EvaluateArgs,
    Family,
    JoinOn,
    Measure,
    PrepareArgs,
    PrepareResult,
    Split,
    Table,
    TrainArgs,
    TrainResult,
)
from tools.recipes.serve_protocol import probe

BASELINE = Against(to="baseline", name="popularity")


def clicks(folder: Path, *, labelled: bool = False) -> tuple[Table, ...]:
    """Clicks of 200 users on 60 items by hidden factors, and a table of the items without the last two."""
    rng = np.random.default_rng(4)
    taste, item = rng.normal(size=(200, 3)), rng.normal(size=(60, 3))
    liking = taste @ item.T + 0.5 * rng.normal(size=60)
    chosen = np.argsort(-(liking + rng.gumbel(size=liking.shape)), axis=1)[:, :15]
    pairs = [(u, int(i)) for u in range(200) for i in chosen[u]]
    rng.shuffle(pairs)
    rows = []
    for n, (user, what) in enumerate(pairs):
        row: dict[str, object] = {
            "user_id": f"u{user}",
            "item_id": what,
            "day": f"2024-{n // 250 + 1:02d}-{n % 28 + 1:02d}",
        }
        rows.append(row | ({"clicked": int(rng.random() < 0.15 + 0.7 * (what % 10) / 10)} if labelled else {}))
    items = [{"item_id": i, "price": (i % 10) / 10, "kind": "ab"[i % 2]} for i in range(58)]
    return (
        Table(name="clicks.csv", source=write(folder / "clicks.csv", rows), format="csv", role="interactions"),
        Table(name="items.csv", source=write(folder / "items.csv", items), format="csv", role="items"),
    )


def prepared(shop: Shop, *, label: str | None = None, clean: tuple[Cleaning, ...] = ()) -> PrepareResult:
    tables = clicks(shop.folder, labelled=label is not None)
    join = JoinOn(left="clicks.csv", right="items.csv", on=("item_id",), how="left")
    return shop.prepare(
        PrepareArgs(
            tables=tables,
            joins=(join,),
            task="recommendation",
            label=label,
            clean=clean,
            split=Split(by="time", column="day"),
        )
    )


def trained(
    shop: Shop, ready: PrepareResult, family: Family, metric: str = "ndcg_at_10", trials: int = 3
) -> TrainResult:
    return shop.train(
        TrainArgs(
            task="recommendation", label=ready.label, roles=ready.roles, classes=ready.classes, positive=ready.positive,
            family=family, metric=metric, trials=trials, seconds=30,
        )
    )  # fmt: skip


def asked(ready: PrepareResult, *metrics: str, **more: Any) -> EvaluateArgs:
    measures = tuple(Measure(metric=m) for m in metrics or ("ndcg_at_10", "recall_at_10"))
    return EvaluateArgs(task="recommendation", label=ready.label, roles=ready.roles, measures=measures, **more)


def from_evidence(rows: list[dict[str, str]]) -> tuple[float, float]:
    """NDCG@10 and recall@10 from `holdout_rows.csv` alone."""
    hits: dict[str, list[int]] = defaultdict(list)
    relevant: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["relevance"] == "1":
            relevant[row["user"]] += 1
            if row["rank"] and int(row["rank"]) <= 10:
                hits[row["user"]].append(int(row["rank"]))
    ndcg, recall = [], []
    for user, count in relevant.items():
        best = sum(1 / math.log2(r + 1) for r in range(1, min(10, count) + 1))
        ndcg.append(sum(1 / math.log2(r + 1) for r in hits[user]) / best)
        recall.append(len(hits[user]) / min(10, count))
    return sum(ndcg) / len(ndcg), sum(recall) / len(recall)


@pytest.mark.parametrize("family", ["item_knn", "matrix_factorization"])
def test_two_tables_become_a_model_that_beats_popularity(tmp_path: Path, family: Family) -> None:
    shop = Shop(tmp_path)
    ready = prepared(shop)
    assert (ready.roles.user, ready.roles.item) == ("user_id", "item_id")
    result = trained(shop, ready, family)
    assert result.value is not None
    assert result.baseline is not None
    assert result.value > result.baseline
    judged = shop.evaluate(asked(ready, against=(BASELINE,)))
    ndcg, recall = (m.value for m in judged.measured)
    assert (ndcg, recall) == pytest.approx(from_evidence(shop.evidence()))
    found = judged.compared[0]
    assert found.difference == pytest.approx(found.value - found.other)  # type: ignore[operator]
    assert found.low is not None
    assert found.low > 0
    report = json.loads((shop.judged / "evaluation.json").read_text())
    assert [row["cutoff"] for row in report["ranking"]["by_cutoff"]] == [1, 5, 10, 20]
    assert report["ranking"]["by_cutoff"][2]["ndcg"] == pytest.approx(ndcg)
    assert report["ranking"]["by_cutoff"][2]["popularity"]["ndcg"] == pytest.approx(found.other)


def test_the_model_answers_a_user_with_ten_new_items_and_a_stranger_with_the_popular_ones(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trained(shop, prepared(shop), "item_knn")
    loaded = model.load(shop.trained)
    assert [(i.name, i.datatype) for i in loaded.metadata.inputs] == [("user_id", "BYTES")]
    known, stranger = (json.loads(str(t)) for t in loaded.predict({"user_id": ["u3", "nobody"]}))
    assert len(set(known)) == len(set(stranger)) == 10
    assert all(isinstance(i, int) for i in known)
    met = {row["item_id"] for row in shop.part("train.parquet").iter_rows(named=True) if row["user_id"] == "u3"}
    assert not met & set(known)
    assert json.loads(str(loaded.predict(probe(loaded.metadata.inputs))[0])) == stranger


def test_training_again_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        shop = Shop(tmp_path / name)
        digests.append(trained(shop, prepared(shop), "matrix_factorization").digest)
    assert digests[0] == digests[1]


def test_two_recommenders_are_compared_on_the_same_users(tmp_path: Path) -> None:
    shop, other = Shop(tmp_path / "one"), Shop(tmp_path / "two")
    ready = prepared(shop)
    trained(shop, ready, "item_knn")
    trained(other, prepared(other), "matrix_factorization")
    judged = shop.evaluate(asked(ready, against=(Against(to="other", name="rival"),)), rival=other.trained)
    ours, theirs = judged.compared[0], other.evaluate(asked(ready)).measured[0]
    assert ours.other == pytest.approx(theirs.value)
    assert ours.p_value is not None


@pytest.mark.parametrize("family", ["logistic_regression", "gradient_boosting"])
def test_labelled_clicks_are_judged_by_class_and_by_user(tmp_path: Path, family: Family) -> None:
    shop = Shop(tmp_path)
    ready = prepared(shop, label="clicked")
    trained(shop, ready, family, metric="f1", trials=2)
    shown = {"shown": "share(prediction == 1)"}
    metrics = ("f1", "roc_auc", "ndcg_at_10", "custom:shown")
    judged = shop.evaluate(asked(ready, *metrics, against=(BASELINE,), formulas=shown))
    rows = shop.evidence()
    tp = sum(r["label"] == r["prediction"] == "1" for r in rows)
    named = sum(r["label"] == "1" for r in rows) + sum(r["prediction"] == "1" for r in rows)
    values = {m.metric: m.value for m in judged.measured}
    assert values["f1"] == pytest.approx(2 * tp / named)
    assert values["custom:shown"] == pytest.approx(sum(r["prediction"] == "1" for r in rows) / len(rows))
    compared = {c.metric: c for c in judged.compared}
    assert compared["roc_auc"].low is not None
    assert compared["roc_auc"].low > 0
    assert {"user", "item", "relevance", "ranked_by", "score"} <= set(rows[0])
    loaded = model.load(shop.trained)
    assert [i.name for i in loaded.metadata.inputs][:2] == ["user_id", "item_id"]
    assert loaded.metadata.answers == "class"


def test_the_users_own_program_is_judged_on_its_lists_and_sees_no_items(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    ready = prepared(shop)
    program = tmp_path / "predict.py"
    program.write_text(
        "import csv, sys\n"
        "rows = list(csv.DictReader(open(sys.argv[1])))\n"
        "assert list(rows[0]) == ['user_id'], list(rows[0])\n"
        "out = csv.writer(open(sys.argv[2], 'w', newline=''))\n"
        "out.writerow(['prediction'])\n"
        "out.writerows([['[1, 2, 3]'] for _ in rows])\n"
    )
    predict = f"{shlex.quote(sys.executable)} predict.py"
    judged = shop.evaluate(asked(ready, predict=predict, folder=str(tmp_path), against=(BASELINE,)))
    assert tuple(m.value for m in judged.measured) == pytest.approx(from_evidence(shop.evidence()))
    with (shop.judged / "holdout_rows.csv").open(newline="") as stream:
        assert {row["prediction"] for row in csv.DictReader(stream)} == {"[1, 2, 3]"}


def test_a_model_of_lists_and_one_of_classes_are_not_compared(tmp_path: Path) -> None:
    shop, other = Shop(tmp_path / "one"), Shop(tmp_path / "two")
    ready = prepared(shop, label="clicked")
    trained(shop, ready, "item_knn")
    trained(other, prepared(other, label="clicked"), "logistic_regression", metric="f1", trials=1)
    with pytest.raises(BadInput, match="compare models of the same kind"):
        shop.evaluate(asked(ready, against=(Against(to="other", name="rival"),)), rival=other.trained)
