"""Formulas of `custom:` metrics: what they are worth by hand, and what is said of those that are none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tools.recipes.answers.comparing import paired
from tools.recipes.answers.formulated import Computed, Formulated, formulated
from tools.recipes.answers.intervals import measured
from tools.recipes.answers.numbers import Predicted
from tools.recipes.faults import BadInput
from tools.recipes.formulas.formula import parse
from tools.recipes.formulas.values import bind, value
from tools.recipes.records import Against, Measure

COLUMNS = {
    "prediction": pl.Series(["1", "0", "1", None]),
    "label": pl.Series(["1", "1", "0", "0"]),
    "score": pl.Series([0.9, 0.2, 0.6, 0.4]),
    "x": pl.Series([1.0, None, 0.0, 4.0]),
    "flag": pl.Series([True, False, None, True]),
    "day": pl.Series(["2024-01-01", "2024-02-01", None, "2024-03-01"]).str.to_date(),
    "客户 等级": pl.Series(["金", "银", "金", "金"]),
}


def worth(text: str) -> float | None:
    return value(parse(text), COLUMNS)


def faults(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        worth(text)
    return [str(f) for f in caught.value.found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mean(prediction == 1)", 2 / 3),
        ("share(prediction == label)", 1 / 3),
        ("count()", 4),
        ("count(x)", 3),
        ("count(x > 0)", 2),
        ("count(flag and x > 0)", 2),
        ("count(flag or x == 0)", 3),
        ("sum(x) / count(x) - mean(x)", 0),
        ("mean(abs(x - mean(x)))", (abs(1 - 5 / 3) + 5 / 3 + abs(4 - 5 / 3)) / 3),
        ("min(x) + 10 * max(x)", 40),
        ("median(x) + quantile(x, 0.25)", 1.5),
        ("std(x)", np.std([1, 0, 4], ddof=1)),
        ("-sum(score) / -2", 1.05),
        ("2 + 3 * 4 - (1 + 1) / 2", 13),
        ("sqrt(max(x)) + log(exp(2))", 4),
        ("mean(not prediction == 1)", 1 / 3),
        ("count(day > '2024-01-15')", 2),
        ("share(`客户 等级` == '金')", 0.75),
        ("mean(prediction == true)", 2 / 3),
        ("mean(label)", 0.5),
        ("mean(score * (label == 1)) / mean(label == 1)", (0.9 + 0.2) / 4 / 0.5),
        ("share(prediction == 'maybe')", 0),
        ("count(prediction != 2)", 3),
        ("1e3", 1000),
    ],
)
def test_a_formula_is_worth_what_the_columns_give(text: str, expected: float) -> None:
    assert worth(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "mean(1 / x)",
        "mean(x) / sum(x - x)",
        "log(min(x))",
        "sqrt(min(x) - 1)",
        "exp(1000)",
        "std(x / 4) / mean(x > 9)",
        "mean(1 / x > 0)",
    ],
)
def test_what_is_not_defined_has_no_value(text: str) -> None:
    assert worth(text) is None


def test_rows_without_known_values_have_no_mean_and_a_count_of_zero() -> None:
    empty = {"x": pl.Series([None, None], dtype=pl.Float64)}
    assert value(parse("mean(x)"), empty) is None
    assert value(parse("count(x) + sum(x)"), empty) == 0
    assert value(parse("std(x)"), {"x": pl.Series([1.0])}) is None
    assert value(parse("count()"), {"x": pl.Series([], dtype=pl.Float64)}) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "formula: is empty"),
        ("prediction", "character 1: has a value for every row; put it into mean"),
        ("mean(x) > 0.5", "character 1: is no number; leave the comparison to the clause"),
        ("mean(prediction = 1)", "character 17: '=' means nothing here; write == to compare"),
        ("mean(x", "character 7: a parenthesis is not closed"),
        ("mean(x))", "character 8: ')' is not expected here"),
        ("mean(1)", "character 1: mean summarises rows"),
        ("mean(mean(x))", "character 1: mean summarises rows"),
        ("mean('a' + 1)", "character 6: + cannot count with a text"),
        ("mean(0 < x < 1)", "character 12: a second comparison in a row; write `a < b and b < c`"),
        ("mean(x ** 2)", "character 8: '*' means nothing here; powers are not known"),
        ("quantile(x, 2)", "no number from 0 to 1"),
        ("mean(x, 1)", "mean has 2 arguments; give 1"),
        ("share(x + 1)", "share wants yes or no"),
        ("mean(x and 3)", "and wants yes or no"),
        ("sum(x) * 1e999", "1e999 is no finite number"),
        ("mean(x == 'open)", "close the text with the same quote"),
        ("(" * 60 + "1" + ")" * 60, "nested too deeply"),
        ("-" * 100 + "1", "nested too deeply"),
        ("1" + "+1" * 300, "has 602 words; use at most 200"),
        ("1" * 1001, "has 1001 characters; use at most 1000"),
        ("mean(prediktion == 1)", "there is no column 'prediktion'; did you mean 'prediction'?"),
        ("mean(`客户 等级`)", "column '客户 等级' holds texts; compare it with == or !="),
        ("count(x and flag)", "column 'x' is no yes or no"),
        ("__import__('os')", "there is no function '__import__'"),
    ],
)
def test_what_is_no_formula_is_named_with_its_place_and_the_way_out(text: str, expected: str) -> None:
    assert expected in "\n".join(faults(text))


def test_all_faults_are_named_at_once() -> None:
    found = faults("men(prediction) + quantile(x, 7) + sum('a' * 2)")
    assert len(found) >= 3
    assert "did you mean 'mean'" in found[0]
    assert len(faults("mean(a) + mean(b)")) == 2


def test_a_resample_is_worth_what_the_formula_is_on_those_rows() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"p": rng.choice(["a", "b"], 40), "x": rng.normal(size=40)})
    formula = parse("mean(p == 'a' and x > 0) / share(p == 'a') + std(x)")
    columns = {name: table[name] for name in table.columns}
    rows = rng.integers(0, 40, size=40)
    taken = value(formula, {name: table[name][rows.tolist()] for name in table.columns})
    assert bind(formula, columns).take(rows).value() == pytest.approx(taken)


def answered(seed: int, shift: float = 0.0) -> Formulated:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).normal(size=60)
    predicted = truth + rng.normal(size=60) + shift
    found = formulated(
        Predicted(labels=truth, predicted=predicted),
        {"bias": "mean(prediction - label)", "paid": "sum(price * (prediction > 0))"},
        [Measure(metric="custom:bias"), Measure(metric="custom:paid"), Measure(metric="mae")],
        features=pl.DataFrame({"price": np.arange(60.0)}),
        label=pl.Series("y", truth),
        prediction=pl.Series(predicted),
    )
    assert isinstance(found, Formulated)
    return found


def test_a_custom_metric_is_measured_with_an_interval_beside_the_others() -> None:
    answer = answered(1)
    bias, mae = measured([Measure(metric="custom:bias"), Measure(metric="mae")], answer, resamples=500, seed=0)
    inner = answer.answer
    assert isinstance(inner, Predicted)
    error = inner.predicted - inner.labels
    assert bias.value == pytest.approx(error.mean())
    assert bias.low == pytest.approx(error.mean() - 1.96 * error.std() / 60**0.5, abs=0.06)
    assert mae.value == pytest.approx(np.abs(error).mean())


def test_a_custom_metric_is_compared_between_two_models() -> None:
    against = Against(to="other", name="b")
    measure = Measure(metric="custom:bias")
    found = paired(measure, answered(1, shift=1.0), answered(2), against=against, resamples=300, seed=0)
    assert found.p_value is not None
    assert found.p_value < 0.01
    assert found.difference == pytest.approx(1.0, abs=0.5)


def test_units_of_several_rows_are_taken_whole() -> None:
    bound = bind(parse("sum(price)"), {"price": pl.Series([1.0, 2.0, 4.0])})
    answer = Computed(bound=bound, members=(np.array([0, 2]), np.array([1])))
    paid = Measure(metric="custom:paid")
    assert (answer.units, answer.value(paid)) == (2, 7)
    assert answer.take(np.array([0, 0])).take(np.array([1, 1])).value(paid) == 10


def test_every_fault_of_every_formula_is_named_with_its_metric() -> None:
    with pytest.raises(BadInput) as caught:
        formulated(
            Predicted(labels=np.zeros(1), predicted=np.zeros(1)),
            {"a": "mean(nope)", "b": "1 +"},
            [Measure(metric=f"custom:{name}") for name in ("a", "b", "c")],
            features=pl.DataFrame({"price": [1.0]}),
            label=None,
            prediction=pl.Series([0.0]),
        )
    places = [f.place for f in caught.value.found]
    assert places == ["metric custom:a, formula", "metric custom:b, formula, character 4", "metric custom:c"]
