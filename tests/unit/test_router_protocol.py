"""Open Inference Protocol v2: every fault of a request is named, and nothing wrong gets to the model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.recipes.card import Card, Input
from tools.recipes.serve_protocol import (
    ROWS_MOST,
    BadRequestError,
    columns,
    metadata,
    output_names,
    parse,
    response,
    wanted,
)

INPUTS = (
    Input(name="age", datatype="FP64", kind="number"),
    Input(name="visits", datatype="INT64", kind="integer"),
    Input(name="城市", datatype="BYTES", kind="category"),
)
CARD = Card(
    task="classification",
    label="churn",
    answers="class",
    inputs=INPUTS,
    classes=("no", "yes"),
    positive="yes",
    family="logistic_regression",
    params={},
    data_digest="0" * 64,
)


def tensor(name: str, datatype: str, data: list[Any], **changed: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data} | changed


def good() -> list[dict[str, Any]]:
    return [
        tensor("age", "FP64", [1.5, None]),
        tensor("visits", "INT64", [3, -1]),
        tensor("城市", "BYTES", ["上海", None]),
    ]


def faults(inputs: list[dict[str, Any]]) -> tuple[str, ...]:
    with pytest.raises(BadRequestError) as caught:
        columns({"inputs": inputs}, INPUTS)
    return caught.value.faults


def test_rows_come_out_by_column_with_missing_values_kept() -> None:
    assert columns({"inputs": good()[::-1]}, INPUTS) == {
        "age": [1.5, None],
        "visits": [3, -1],
        "城市": ["上海", None],
    }


def test_whole_numbers_may_be_sent_for_either_kind_of_number() -> None:
    sent = [tensor("age", "INT64", [2]), tensor("visits", "FP64", [4.0]), tensor("城市", "BYTES", ["x"])]
    assert columns({"inputs": sent}, INPUTS) == {"age": [2.0], "visits": [4], "城市": ["x"]}


def test_every_fault_of_a_request_is_named_at_once() -> None:
    sent = [
        tensor("age", "BYTES", ["old"]),
        tensor("visits", "INT64", [1.5], shape=[2]),
        tensor("height", "FP64", [1.0]),
        tensor("age", "FP64", [1.0]),
    ]
    assert faults(sent) == (
        "inputs[2]: the model has no column 'height'",
        "inputs[3]: column 'age' is there twice",
        "column 'age': datatype 'BYTES'; it is FP64",
        "column 'age', row 0: 'old' is not a number",
        "column 'visits': shape [2] with 1 values; it is [1]",
        "column 'visits', row 0: 1.5 is not a 64-bit integer",
        "inputs: column '城市' is missing",
    )


def test_columns_of_different_length_are_refused() -> None:
    sent = [tensor("age", "FP64", [1.0]), tensor("visits", "INT64", [1, 2]), tensor("城市", "BYTES", ["x"])]
    assert faults(sent) == ("inputs: the columns differ in length: 'age' 1, 'visits' 2, '城市' 1",)


@pytest.mark.parametrize("rows", [0, ROWS_MOST + 1])
def test_no_row_and_too_many_rows_are_refused(rows: int) -> None:
    sent = [
        tensor("age", "FP64", [1] * rows),
        tensor("visits", "INT64", [1] * rows),
        tensor("城市", "BYTES", ["x"] * rows),
    ]
    assert faults(sent) == (f"inputs: {rows} rows; send 1 to {ROWS_MOST}",)


@pytest.mark.parametrize(
    ("name", "datatype", "value"),
    [
        ("age", "FP64", True),
        ("age", "FP64", "1"),
        ("age", "FP64", [1.0]),
        ("age", "FP64", 10**400),
        ("visits", "INT64", 2**63),
        ("visits", "INT64", False),
        ("visits", "INT64", 1e300),
        ("城市", "BYTES", 5),
        ("城市", "BYTES", "\ud800"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_row(name: str, datatype: str, value: object) -> None:
    sent = [t | {"data": [t["data"][0], value]} if t["name"] == name else t for t in good()]
    assert [t["datatype"] for t in sent if t["name"] == name] == [datatype]
    (fault,) = faults(sent)
    assert fault.startswith(f"column '{name}', row 1: ")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"inputs": [{"data": [NaN]}]}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"", "not JSON"),
        (b"[1]", "JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        parse(body)


def test_an_overflowing_literal_is_not_taken_for_a_number() -> None:
    sent = parse(b'{"inputs": [{"name": "age", "datatype": "FP64", "shape": [1], "data": [1e999]}]}')
    with pytest.raises(BadRequestError, match="not finite"):
        columns(sent, INPUTS[:1])


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["inputs", "name", "shape", "data", "datatype", "age"]), inner, max_size=4
            )
        ),
    )
)
def test_whatever_is_sent_is_refused_and_never_crashes(sent: object) -> None:
    with pytest.raises(BadRequestError):
        columns(parse(json.dumps({"inputs": sent, "outputs": []}).encode("utf-8")), INPUTS)


def test_the_answer_is_flat_in_the_order_of_the_classes() -> None:
    (prediction, probability) = response(CARD, ["yes", "no"], [[0.2, 0.8], [0.9, 0.1]], frozenset(output_names(CARD)))
    assert prediction == {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]}
    assert probability["shape"] == [2, 2]
    assert probability["data"] == [0.2, 0.8, 0.9, 0.1]


def test_a_regression_answers_with_numbers_and_without_probabilities() -> None:
    card = CARD.model_copy(update={"task": "regression", "answers": "number", "classes": (), "positive": None})
    assert output_names(card) == ("prediction",)
    assert response(card, [1.5, -2.0], None, frozenset(output_names(card))) == [
        {"name": "prediction", "datatype": "FP64", "shape": [2], "data": [1.5, -2.0]}
    ]


def test_a_number_that_is_not_finite_never_leaves_the_server() -> None:
    with pytest.raises(ValueError, match="not finite"):
        response(CARD, ["yes"], [[float("nan"), 1.0]], frozenset(output_names(CARD)))


def test_a_request_may_name_the_outputs_it_wants() -> None:
    assert wanted({"outputs": [{"name": "probability"}]}, output_names(CARD)) == {"probability"}
    with pytest.raises(BadRequestError, match="no output 'shap'"):
        wanted({"outputs": [{"name": "shap"}]}, output_names(CARD))


def test_the_metadata_names_inputs_outputs_classes_and_digest() -> None:
    described = metadata(CARD, name="churn", version="v1", digest="abc")
    assert [(i["name"], i["datatype"]) for i in described["inputs"]] == [
        ("age", "FP64"),
        ("visits", "INT64"),
        ("城市", "BYTES"),
    ]
    assert [(o["name"], o["datatype"], o["shape"]) for o in described["outputs"]] == [
        ("prediction", "BYTES", [-1]),
        ("probability", "FP64", [-1, 2]),
    ]
    assert (described["parameters"]["classes"], described["parameters"]["digest"]) == (["no", "yes"], "abc")
