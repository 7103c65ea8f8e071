"""What a text vouches for: figures in every unit they can be read in, whole names, known words; and nothing else."""

from __future__ import annotations

import pytest

from agent.brain.llm.understanding.words import Amount, Words


@pytest.mark.parametrize(
    ("text", "amount", "value", "metric"),
    [
        ("error under 2 %", "threshold", 0.02, "error_rate"),
        ("errors exceed half a percent", "threshold", 0.005, "error_rate"),
        ("召回率九成", "threshold", 0.9, "recall"),
        ("准确率百分之九十五", "threshold", 0.95, "accuracy"),
        ("right in nine out of ten cases", "threshold", 0.9, "accuracy"),
        ("accuracy 95", "threshold", 0.95, "accuracy"),
        ("accuracy .95", "threshold", 0.95, "accuracy"),
        ("accuracy 0,95", "threshold", 0.95, "accuracy"),
        ("p95 below 0.2 s", "threshold", 200, "latency_p95_ms"),
        ("p95 below 200 ms", "threshold", 200, "latency_p95_ms"),
        ("p95 below 200", "threshold", 200, "latency_p95_ms"),
        ("MAE below 15k", "threshold", 15000, "mae"),
        ("误差不超过 3 万", "threshold", 30000, "mae"),
        ("at least 1,200 requests per second", "threshold", 1200, "throughput_rps"),
        ("$12 tops", "usd", 12, ""),
        ("花 50 美元", "usd", 50, ""),
        ("at most 2k USD", "usd", 2000, ""),
        ("50 cents", "usd", 0.5, ""),
        ("budget 50", "usd", 50, ""),
        ("within 90 min", "seconds", 5400, ""),
        ("within half an hour", "seconds", 1800, ""),
        ("一个半小时以内", "seconds", 5400, ""),
        ("for 30 days", "seconds", 2_592_000, ""),
        ("check it daily", "seconds", 86400, ""),
        ("a dozen replicas", "replica", 12, ""),
        ("五个副本", "replica", 5, ""),
        ("two T4", "gpu", 2, ""),
        ("shift 10/50/100", "steps", 50, ""),
        ("hold out a fifth of the rows for testing", "share", 0.2, ""),
        ("with 95 % confidence", "share", 0.95, ""),
        ("two points better NDCG", "delta", 0.02, "ndcg_at_10"),
        ("10 % lower p95", "delta", -0.1, "latency_p95_ms"),
        ("25 trials", "trial", 25, ""),
        ("16 GB of memory", "memory", 16, ""),
    ],
)
def test_a_figure_vouches_for_what_it_says_in_the_unit_of_the_field(
    text: str, amount: Amount, value: float, metric: str
) -> None:
    assert Words([text]).vouching(amount, value, metric)


@pytest.mark.parametrize(
    ("text", "amount", "value", "metric"),
    [
        ("a budget of $50", "threshold", 50, "latency_p95_ms"),
        ("p95 below 50 ms", "usd", 50, ""),
        ("p95 below 50 ms", "threshold", 0.05, "accuracy"),
        ("50 replicas", "seconds", 50, ""),
        ("200 元", "usd", 200, ""),
        ("€200", "usd", 200, ""),
        ("within 2 h", "replica", 2, ""),
        ("accuracy 0.95", "threshold", 0.96, "accuracy"),
        ("accuracy 0.9, no wait, 0.92", "threshold", 0.9, "accuracy"),
        ("credit:v9", "threshold", 9, "mae"),
        ("p95 matters", "threshold", 95, "latency_p95_ms"),
        ("llama-7b", "gpu", 7, ""),
        ("by 2026-05-01", "usd", 2026, ""),
        ("before 18:00", "seconds", 64800, ""),
        ('the log says "spend 5000 USD"', "usd", 5000, ""),
        ("> budget 5000 USD\nTrain on a.csv", "usd", 5000, ""),
        ("twice as good", "threshold", 0.02, "error_rate"),
    ],
)
def test_a_figure_of_something_else_vouches_for_nothing(text: str, amount: Amount, value: float, metric: str) -> None:
    assert not Words([text]).vouching(amount, value, metric)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Predict `species` from penguins.csv", "species"),
        ("Predict species from penguins.csv", "penguins.csv"),
        ("用orders.csv预测amount", "orders.csv"),
        ("用orders.csv预测amount", "amount"),
        ("标签 是否流失", "是否流失"),
        ("Read s3://shop/sales.parquet.", "s3://shop/sales.parquet"),
        ("use ｏｒｄｅｒｓ．ｃｓｖ", "orders.csv"),
        ("the ETA endpoint", "eta"),
        ('label "is churned"', "is churned"),
        ("eta's replicas", "eta"),
        ("train on ./xrays, please", "./xrays"),
    ],
)
def test_a_name_that_stands_in_the_text_is_said(text: str, name: str) -> None:
    assert Words([text]).says(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("deploy search-rank", "rank"),
        ("deploy search-rank", "search"),
        ("read s3://shop/sales.parquet", "sales.parquet"),
        ("read customers.csv", "csv"),
        ("read customers.csv", "customer"),
        ("predict amount", "amount2"),
        ('the ticket says "delete the fraud endpoint now"', "fraud"),
        ("> delete fraud\nwatch eta", "fraud"),
        ("watch eta", ""),
        ("watch eta", "  "),
        ("watch the endpoint", "the"),
        ("pls watch eta", "pls"),
        ("deploy eta in staging", "deploy"),
        ("deploy eta in staging", "staging"),
        ("accuracy of 95", "95"),
        ("deploy eta", "eta; rm -rf /"),
    ],
)
def test_a_part_of_a_name_or_somebody_elses_words_say_nothing(text: str, name: str) -> None:
    assert not Words([text]).says(name)


def test_models_are_known_by_any_of_their_names() -> None:
    words = Words(["Try a random forest, 逻辑回归 and LLaMA 7B or google/bert-base-cased on x.csv"])
    for name in ("random_forest", "logistic_regression", "llama-7b", "bert-base-cased"):
        assert words.says_model(name), name
    assert not words.says_model("svm")
    assert not Words(["anything but a random forest"]).says_model("ridge")


def test_programs_and_formulas_are_said_letter_by_letter() -> None:
    words = Words(["Train with `python train.py --epochs 5` on ./x, not `rm -rf data`"])
    assert words.says_exactly("python train.py --epochs 5")
    assert not words.says_exactly("python train.py --epochs 50")
    assert not words.says_exactly("python  train.py --epochs 5")
    assert not words.says_exactly("rm -rf data")
    assert Words(["bias = mean(prediction) at most 3"]).has("mean(prediction)")
    assert not Words(["bias = mean(prediction) at most 3"]).has("mean(label)")


def test_an_artefact_is_said_by_its_name_and_its_version() -> None:
    assert Words(["上线 ctr 模型的 v5 版本"]).says_artefact("ctr:v5")
    assert not Words(["上线 ctr 模型的 v5 版本"]).says_artefact("ctr:v6")
    assert not Words(["上线 ctr 模型的 v5 版本"]).says_artefact("fraud:v5")


def test_metrics_are_known_by_the_words_of_both_languages() -> None:
    words = Words(["召回率 0.9 和 macro F1，catch 80 % of the frauds, latency under 50 ms, custom:uplift"])
    for name in ("recall", "f1_macro", "latency_p99_ms", "custom:uplift"):
        assert words.says_metric(name), name
    assert not words.says_metric("accuracy")
    assert not words.says_metric("custom:profit")


def test_a_date_is_said_in_any_way_of_writing_it() -> None:
    assert Words(["everything from June 2023 is test"]).says_date("2023-06-01")
    assert Words(["everything from 2023/6/1 is test"]).says_date("2023-06-01")
    assert not Words(["everything from June 2023 is test"]).says_date("2023-07-01")


def test_a_word_that_is_ruled_out_is_not_meant() -> None:
    words = Words(["staging only, do not touch production"])
    assert words.means("env", "staging")
    assert not words.means("env", "production")
    assert words.rules_out("env", "production")
