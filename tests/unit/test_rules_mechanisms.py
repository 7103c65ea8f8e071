"""The second round of mechanisms: several things in one order, changes told as changes, talk, logs, names and roles."""

from __future__ import annotations

import pytest
from understood import contract as _contract
from understood import part as _part


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Stop `alpha` and `beta`.", [("cleanup", "alpha"), ("cleanup", "beta")]),
        ("Roll back search and rank to the previous version.", [("rollback", "search"), ("rollback", "rank")]),
        ("Scale `a`, `b` and `c` to 3 replicas each.", [("scale", "a"), ("scale", "b"), ("scale", "c")]),
        ("Deploy fraud:v3 and credit:v4 to staging.", [("deploy", "fraud"), ("deploy", "credit")]),
        ("Why are `search` and `rank` so slow?", [("diagnose", "search"), ("diagnose", "rank")]),
        ("Watch the eta and ctr endpoints for a day.", [("watch", "eta"), ("watch", "ctr")]),
        ("Roll back `a` to v3 and scale `b` to 4 replicas.", [("rollback", "a"), ("scale", "b")]),
        ("把 `search` 和 `rank` 都缩到 2 个副本。", [("scale", "search"), ("scale", "rank")]),
        ("把 search 和 rank 都缩到 2 个副本。", [("scale", "search"), ("scale", "rank")]),
        ("关掉 demo-a、demo-b。", [("cleanup", "demo-a"), ("cleanup", "demo-b")]),
        ("search、rank 两个服务都回滚到上一版", [("rollback", "search"), ("rollback", "rank")]),
        (
            "把 `cart` 和 `pay` 都回滚到上一个版本，`search` 扩到 5 个副本",
            [("rollback", "cart"), ("rollback", "pay"), ("scale", "search")],
        ),
    ],
)
def test_each_thing_of_one_order_is_a_part(text: str, wanted: list[tuple[str, str]]) -> None:
    assert [(p.task, p.target) for p in _contract(text).parts] == wanted


def test_what_is_said_of_all_things_holds_for_each() -> None:
    parts = _contract("把 `search` 和 `rank` 都缩到 2 个副本，p95 不超过 80ms。").parts
    assert [p.rollout.replicas for p in parts] == [2, 2]
    assert [[c.value for c in p.clauses] for p in parts] == [[80.0], [80.0]]


@pytest.mark.parametrize(
    "text",
    [
        "Compare churn:v1 and churn:v2 on eval.csv by F1, label left.",
        "Train on a.csv, label y, accuracy 0.9, drop `id` and `name`.",
        "Stop `alpha` in namespace blue.",
        "Scale `search` to between 2 and 6 replicas.",
    ],
)
def test_a_list_that_is_no_list_of_things_stays_one_part(text: str) -> None:
    assert len(_contract(text).parts) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Add two replicas to `search`.",
        "`search` needs two more replicas.",
        "Scale `search` up by two replicas.",
        "Give `search` 3 extra replicas.",
        "Remove 2 replicas from `search`.",
        "Double the replicas of `search`.",
        "给 `search` 加两个副本。",
        "`search` 再加 3 个副本",
        "`search` 减少 2 个副本",
        "把 `search` 的副本减到一半",
        "给 `search` 的副本翻倍",
    ],
)
def test_a_change_of_the_replicas_is_a_question_not_a_number(text: str) -> None:
    contract = _contract(text)
    assert contract.parts[0].rollout.replicas is None
    assert [q.field for q in contract.questions] == ["parts.0.rollout.replicas"]


@pytest.mark.parametrize(
    ("text", "replicas"),
    [
        ("Scale the `rank` endpoint to nine replicas? No wait, seven will do.", 7),
        ("Take `rank` from 4 to 6 replicas.", 6),
        ("Cut `rank` down to a single replica.", 1),
        ("`rank` 扩到 5 个副本", 5),
        ("`rank` 现在 10 个副本太多了，减到 4 个", 4),
        ("Scale `rank` to 4.", 4),
        ("Scale `rank` to zero", 0),
        ("请 deploy `rank:v6` 到 staging，replicas 给 3 个", 3),
    ],
)
def test_a_number_of_replicas_is_what_it_becomes(text: str, replicas: int) -> None:
    assert _part(text).rollout.replicas == replicas


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("用 a.csv 训练分类模型，标签 refunded，更正：是 cancelled，准确率 0.9", "cancelled"),
        ("用 a.csv 训练分类模型，标签列 left，说错了，应该是 gone，准确率 0.9", "gone"),
        ("Train on a.csv, label churned, sorry, I meant left_early, accuracy 0.9", "left_early"),
        ("Train on a.csv, the label is churned. No wait, it's `left`. Accuracy 0.9", "left"),
        ("Predict it from a.csv; the column is called returned. Accuracy 0.9", "returned"),
        ("a.csv, accuracy 0.9\n- predict: tonnes (a number)", "tonnes"),
        ("a.csv has the category in `queue`, which is the label. Classifier, F1 0.8", "queue"),
        ("The file is a.csv, what we want to know is in `refunded`. Train a model, ROC AUC 0.85+", "refunded"),
        ("Fine-tune bert-base-cased，数据 a.jsonl，label 列是 intent，macro F1 0.84", "intent"),
        ("训练分类模型，数据 a.csv，标签字段为 bought，F1 0.8", "bought"),
    ],
)
def test_the_label_is_what_was_last_said_to_be_it(text: str, label: str) -> None:
    assert _part(text).data[0].label == label


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("hey, can u do a quick regression on k.csv, target `mm`, RMSE 3", None),
        ("Hello, please train a classifier on k.csv, label y, F1 0.8", None),
        ("用 k.csv 训练分类模型，标签 y，然后部署，服务名 gate-guard", "gate-guard"),
        ("用 k.csv 训练分类模型，标签 y，然后部署，端点名叫 gate-guard", "gate-guard"),
        ("训练回归模型 salt，数据 k.csv，标签 y，R2 0.9", "salt"),
        ("Text classifier for app reviews (reviews.csv, label stars), F1 0.8", None),
        ("Train a classifier on k.csv, label y, F1 0.8, deploy it, endpoint name gate-guard", "gate-guard"),
    ],
)
def test_a_greeting_is_no_name_and_a_name_is_found(text: str, target: str | None) -> None:
    assert _part(text).target == target


@pytest.mark.parametrize(
    ("text", "usd", "seconds"),
    [
        ("Train on a.csv, label y, F1 0.8. Our last attempt cost us $300; this one shall cost $20 at most.", 20, None),
        ("用 a.csv 训练，标签 y，F1 0.8，上次花了 300 美元，这次最多 20 美元", 20, None),
        ("Train on a.csv, label y, F1 0.8, budget: a grand", 1000, None),
        ("Train on a.csv, label y, F1 0.8, two grand at most", 2000, None),
        ("Train on a.csv, label y, F1 0.8; the last run took 5 hours, this one must be done in 2 hours", None, 7200),
        ("哦三小时内，用 a.csv 训练分类模型，标签 y，准确率 0.9", None, 10800),
        ("What would it cost to fine-tune a 7B model on 4 A100 80GB for ten hours?", None, None),
    ],
)
def test_what_was_spent_is_no_limit(text: str, usd: float | None, seconds: float | None) -> None:
    contract = _contract(text)
    assert (contract.budget_usd, contract.deadline_s, contract.questions) == (usd, seconds, ())


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("sklearn:wine, log loss 0.12; stratified split, a fifth held out", 0.2),
        ("Train on a.csv, label y, F1 0.8, hold out a quarter of the rows", 0.25),
        ("Train on a.csv, label y, F1 0.8, one tenth as the test set", 0.1),
        ("用 a.csv 训练，标签 y，F1 0.8，一半数据做测试", 0.5),
        ("用 a.csv 训练，标签 y，F1 0.8，五分之一留作测试", 0.2),
    ],
)
def test_a_share_in_words_is_held_out(text: str, share: float) -> None:
    split = _part(text).split
    assert split is not None
    assert split.holdout == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("`ads` must keep p95 under a quarter of a second", 250.0),
        ("`ads` must keep p95 under half a second", 500.0),
        ("`ads` must keep p95 under three quarters of a second", 750.0),
    ],
)
def test_a_part_of_a_second_is_milliseconds(text: str, value: float) -> None:
    assert [c.value for c in _part(text).clauses] == [value]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Recommender: plays.parquet are the interactions, join them with shows.parquet (the items) on id. NDCG@10 0.3",
         ["interactions", "items"]),
        ("Recommender, recall@10 0.2. Interactions: cooked.csv; users: cooks.csv; join the two on cook_id.",
         ["interactions", "users"]),
        ("短剧推荐：watch.parquet 是交互数据，和物品表 dramas.parquet 按 drama_id 关联，NDCG@10 不低于 0.28",
         ["interactions", "items"]),
        ("Use y25.parquet for training and y26.parquet for evaluation. Predict yield_t, MAE at most 0.5",
         ["train", "holdout"]),
    ],
)  # fmt: skip
def test_a_table_has_the_role_it_is_said_to_have(text: str, roles: list[str]) -> None:
    assert [d.role for d in _part(text).data] == roles


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Left join a.csv with b.csv on farm_id and year, then train a classifier for the label `wet`. F1 0.8",
         [("a.csv", "b.csv", ("farm_id", "year"))]),
        ("用 a.csv 和 b.csv 按 customer_id 和 month 左连接，训练分类模型，标签 y，F1 0.8",
         [("a.csv", "b.csv", ("customer_id", "month"))]),
        ("Tables: a.csv and b.csv. Merge them on k, then predict `y`, F1 0.8", [("a.csv", "b.csv", ("k",))]),
        ("Use a.csv, b.csv and c.csv, joined on x_id and z_id respectively, to train a classifier, label y, F1 0.8",
         [("a.csv", "b.csv", ("x_id",)), ("a.csv", "c.csv", ("z_id",))]),
    ],
)  # fmt: skip
def test_tables_are_joined_on_every_key_that_is_named(text: str, keys: list[tuple[str, str, tuple[str, ...]]]) -> None:
    prepare = _part(text).prepare
    assert prepare is not None
    assert [(j.left, j.right, j.on) for j in prepare.join] == keys


def test_numbered_sections_of_one_job_are_one_part() -> None:
    text = "一、数据：a.parquet，标签列 y，任务为二分类；\n二、指标：召回率不低于九成；\n三、预算：不超过 40 美元。"
    contract = _contract(text)
    assert [p.task for p in contract.parts] == ["classification"]
    assert [c.metric for c in contract.parts[0].clauses] == ["recall"]
    assert contract.budget_usd == 40


def test_one_table_may_feed_two_jobs() -> None:
    rent, vacant = _contract(
        "Two models from flats.csv: a regressor for `rent`, MAE under 80, and a classifier for `vacant`, F1 0.7."
    ).parts
    assert [(p.task, p.data[0].uri, p.data[0].label) for p in (rent, vacant)] == [
        ("regression", "flats.csv", "rent"),
        ("classification", "flats.csv", "vacant"),
    ]


def test_a_log_in_a_block_orders_nothing() -> None:
    part = _part(
        "Why is `tariff` slow? Its log:\n```\nINFO scale tariff to 0 replicas and delete it\n```\nThat is all."
    )
    assert (part.task, part.target, part.rollout.replicas) == ("diagnose", "tariff", None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Extend the lease of `demo` to three days.", 259_200.0),
        ("Keep `demo` alive for two more days.", 172_800.0),
        ("Keep the demo endpoint up for another 3 days.", 259_200.0),
        ("把 `demo` 再保留两天", 172_800.0),
        ("`demo` 的租期延长到三天", 259_200.0),
    ],
)
def test_a_lease_that_is_extended_changes_nothing_else(text: str, seconds: float) -> None:
    part = _part(text)
    assert (part.task, part.target, part.rollout.strategy, part.rollout.lease_s) == ("deploy", "demo", "none", seconds)


@pytest.mark.parametrize(
    "text",
    [
        "Train a classifier on a.csv (label y), error at most 5 %",
        "Train on a.csv, label y; has to beat the baseline.",
        "Train on a.csv, label y. Precision at most 80 % is fine.",
    ],
)
def test_a_demand_without_a_metric_or_for_the_worse_is_a_question(text: str) -> None:
    assert [q.field for q in _contract(text).questions] == ["parts.0.clauses"]


@pytest.mark.parametrize(
    "text", ["Train on a.csv, label y, F1 has to beat the baseline.", "a.csv，标签 y，F1 要优于基线"]
)
def test_beating_the_baseline_is_relative_to_it(text: str) -> None:
    (clause,) = _part(text).clauses
    assert (clause.metric, clause.value) == ("f1", None)
    assert clause.relative is not None
    assert (clause.relative.to, clause.relative.delta) == ("baseline", 0.0)


@pytest.mark.parametrize(
    ("text", "causes"),
    [
        ("Check `x` every twelve hours and retrain when PSI goes over 0.2.", ["drift"]),
        ("每天检查一次 `x`，PSI 超过 0.2 就重新训练", ["drift"]),
        ("Retrain `x` every week.", ["schedule"]),
    ],
)
def test_a_rhythm_of_checks_is_no_schedule_of_training(text: str, causes: list[str]) -> None:
    upkeep = _part(text).upkeep
    assert upkeep is not None
    assert list(upkeep.retrain_on) == causes


@pytest.mark.parametrize("text", ["Watch `fraud`.", "监控 fraud 服务"])
def test_watching_without_a_rhythm_has_none(text: str) -> None:
    upkeep = _part(text).upkeep
    assert upkeep is not None
    assert (upkeep.watch, upkeep.every_s, upkeep.for_s, list(upkeep.retrain_on)) == (True, None, None, [])


def test_each_step_may_tell_its_own_hold() -> None:
    rollout = _part("把 `ocr` 的 v12 灰度上线到生产，5% 半小时，20% 半小时，然后全量").rollout
    assert (rollout.steps, rollout.hold_s) == ((5.0, 20.0, 100.0), 1800.0)


def test_the_models_of_an_estimate_are_kept() -> None:
    assert _part("What would we pay to fine-tune bert-large-uncased on notes.jsonl with two A10G?").models == (
        "bert-large-uncased",
    )


def test_one_gpu_may_be_told_by_its_measure_word() -> None:
    assert _contract("对 a.jsonl 做命名实体识别，标签列 tags，F1 0.88，单张 L4。").placement.gpu_count == 1


@pytest.mark.parametrize(
    ("text", "delta", "kind"),
    [
        ("Retrain `eta` on may.parquet, label minutes; only deploy if MAE improves by at least 3%.", -0.03, "ratio"),
        ("`s` 的 p95 比现在降低一半，只动副本", -0.5, "ratio"),
        ("Put `b:v3` on staging; promote only if CTR is not lower.", 0.0, "absolute"),
        ("上线 `n:v3` 到预发，错误率不比现在高就行", 0.0, "absolute"),
    ],
)
def test_a_change_is_relative_to_what_runs(text: str, delta: float, kind: str) -> None:
    (clause,) = _part(text).clauses
    assert clause.relative is not None
    assert (clause.relative.to, clause.relative.delta, clause.relative.kind) == ("incumbent", delta, kind)


def test_training_now_is_no_upkeep() -> None:
    assert (
        _part("Retrain `eta` with the new data in s3://x/may.parquet, label minutes, MAE 3, and deploy it.").upkeep
        is None
    )


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("上线后每 30 分钟检查一次 p95，超过 200ms 回滚，`kv:v2`，生产环境，滚动发布", 1800.0),
        ("Deploy `kv:v2` to dev and check every hour that p95 is below 200 ms.", 3600.0),
    ],
)
def test_what_is_checked_after_a_rollout_is_watched(text: str, every: float) -> None:
    part = _part(text)
    assert [c.value for c in part.clauses] == [200.0]
    assert part.upkeep is not None
    assert part.upkeep.every_s == every
