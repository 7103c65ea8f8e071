"""Single fields of a goal file: what is accepted, and that a refusal shows an accepted form."""

from __future__ import annotations

import pytest

from agent.brain.rules.grammar.fields import parse_clause, parse_duration, parse_flag, parse_money, parse_number


@pytest.mark.parametrize(
    ("text", "metric", "op", "value"),
    [
        ("f1 >= 0.85", "f1", ">=", 0.85),
        ("f1>0.85", "f1", ">", 0.85),
        ("p95 <= 80 ms", "latency_p95_ms", "<=", 80.0),
        ("latency_p99_ms <= 0.2 s", "latency_p99_ms", "<=", 200.0),
        ("accuracy at least 90%", "accuracy", ">=", 0.9),
        ("准确率不低于九成", "accuracy", ">=", 0.9),
        ("error_rate <= 0.5%", "error_rate", "<=", 0.005),
        ("rmse < 25,000", "rmse", "<", 25000.0),
        ("r2 >= -0.1", "r2", ">=", -0.1),
        ("accuracy >= 1.4", "accuracy", ">=", 1.4),
        ("cost_usd <= $3", "cost_usd", "<=", 3.0),
        ("duration_s <= 90 min", "duration_s", "<=", 5400.0),
        ("custom:approval_rate >= 60 %", "custom:approval_rate", ">=", 0.6),
        ("serving_version == v12", "serving_version", "==", "v12"),
    ],
)
def test_a_clause_is_read_from_one_string(text: str, metric: str, op: str, value: float | str) -> None:
    clause = parse_clause(text)
    assert (clause.metric, clause.op, clause.value) == (metric, op, value)


def test_the_class_of_a_metric_stands_in_brackets() -> None:
    assert parse_clause("recall[fraud] >= 0.9").class_ == "fraud"
    numbered = parse_clause("recall[1] >= .8")
    assert (numbered.class_, numbered.value) == ("1", 0.8)


def test_a_clause_may_be_relative_or_ask_for_confidence() -> None:
    relative = parse_clause("accuracy at least 2 points better than the baseline")
    assert relative.value is None
    assert relative.relative is not None
    assert (relative.relative.to, relative.relative.delta, relative.relative.kind) == ("baseline", 0.02, "absolute")
    assert parse_clause("roc_auc >= .9 with 95% confidence").confidence == 0.95


@pytest.mark.parametrize(
    "text",
    ["", "f1", "foo >= 3", "f1 >= nan", "accuracy == inf", "mae <= -3", "f1 >= 0.8 and recall >= 0.9", "f1 >= 1e999"],
)
def test_what_is_not_exactly_one_clause_is_refused_with_a_form_that_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"f1 >= 0\.85"):
        parse_clause(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 min", 5400),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1 hour 30 minutes", 5400),
        ("an hour and a half", 5400),
        ("half an hour", 1800),
        ("半小时", 1800),
        ("一个半小时", 5400),
        ("600", 600),
        ("3 days", 259200),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "usd"),
    [("$12", 12), ("12 USD", 12), ("12", 12), ("ten dollars", 10), ("$1.5k", 1500), ("1,000", 1000), ("50 美元", 50)],
)
def test_money_is_in_dollars(text: str, usd: float) -> None:
    assert parse_money(text) == usd


def test_another_currency_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="EUR"):
        parse_money("€30")


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("0.85", 0.85), (".5", 0.5), ("97 %", 0.97), ("1e3", 1000), ("2k", 2000), ("九成", 0.9)],
)
def test_numbers_may_be_percentages_or_words(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "-1", "1e999", "abc", "0x10", "1 2", "12 apples"])
def test_broken_figures_are_refused_everywhere(text: str) -> None:
    for parse in (parse_number, parse_money, parse_duration):
        with pytest.raises(ValueError, match="write it like"):
            parse(text)


def test_flags_are_words_of_both_languages() -> None:
    assert [parse_flag(t) for t in ("true", "Yes", "是", "1")] == [True] * 4
    assert [parse_flag(t) for t in ("false", "no", "否", "0")] == [False] * 4
    with pytest.raises(ValueError, match="`true` or `false`"):
        parse_flag("maybe")
