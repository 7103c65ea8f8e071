"""The fields a goal file may hold are exactly the contract's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.contract import (
    Clause,
    Contract,
    Data,
    Join,
    Part,
    Placement,
    Prepare,
    Rollout,
    Search,
    Split,
    Train,
    Upkeep,
)
from agent.doors.goal_fields import (
    CLAUSE,
    DATA,
    JOIN,
    PART,
    PLACEMENT,
    PREPARE,
    ROLLOUT,
    SEARCH,
    SPLIT,
    TRAIN,
    UPKEEP,
    WHOLE,
)
from agent.doors.sheet import Fields, Sheet, Spot
from agent.stated import Stated, StatedPart
from tools.yaml_tree import MAX_DEPTH, Items, Place, Scalar, parse

TABLES: list[tuple[Fields, type[BaseModel], set[str]]] = [
    (CLAUSE, Clause, set()),
    (DATA, Data, set()),
    (JOIN, Join, set()),
    (PREPARE, Prepare, set()),
    (SPLIT, Split, set()),
    (TRAIN, Train, set()),
    (SEARCH, Search, set()),
    (ROLLOUT, Rollout, set()),
    (UPKEEP, Upkeep, set()),
    (PLACEMENT, Placement, set()),
    (PART, Part, set()),
    (PART, StatedPart, set()),
    (WHOLE, Contract, {"parts"}),
    (WHOLE, Stated, {"parts", "name", "places"}),
]


@pytest.mark.parametrize(("table", "record", "beside"), TABLES)
def test_every_field_of_the_contract_can_be_written_and_no_other(
    table: Fields, record: type[BaseModel], beside: set[str]
) -> None:
    names = {field.alias or name for name, field in record.model_fields.items()}
    assert set(table) == names - beside


def read(table: Fields, field: str, text: str) -> tuple[object, int]:
    """(value, number of faults)."""
    sheet = Sheet(file="g.yaml", folder=Path("/project"), project=Path("/project"))
    value = table[field](sheet, Scalar(at=Place(line=1, column=1), text=text), Spot().key(field))
    return value, len(sheet.faults())


@pytest.mark.parametrize(
    ("table", "field", "text", "value"),
    [
        (WHOLE, "budget_usd", "$20", 20),
        (WHOLE, "budget_usd", "2.5", 2.5),
        (WHOLE, "budget_usd", "20 USD", 20),
        (WHOLE, "deadline_s", "2 h", 7200),
        (WHOLE, "deadline_s", "90", 90),
        (WHOLE, "constraints", "no_gpu", ("no_gpu",)),
        (PLACEMENT, "memory_gb", "24 GB", 24),
        (PLACEMENT, "memory_gb", "1.5", 1.5),
        (PLACEMENT, "gpu_count", "2", 2),
        (PLACEMENT, "spot", "NO", False),
        (PLACEMENT, "spot", "yes", True),
        (SPLIT, "holdout", "20 %", 0.2),
        (SPLIT, "holdout", "0.2", 0.2),
        (SPLIT, "at", "2023-06-01", "2023-06-01"),
        (ROLLOUT, "steps", "10/50/100", (10, 50, 100)),
        (ROLLOUT, "steps", "5 %", (5,)),
        (ROLLOUT, "hold_s", "15 min", 900),
        (SEARCH, "trials", "1e2", 100),
        (CLAUSE, "confidence", "95 %", 0.95),
        (DATA, "label", "NO", "NO"),
        (DATA, "label", "12:30:45", "12:30:45"),
        (PART, "models", "ridge", ("ridge",)),
    ],
)
def test_each_text_is_turned_into_a_value_once_by_its_own_parser(
    table: Fields, field: str, text: str, value: object
) -> None:
    assert read(table, field, text) == (value, 0)


@pytest.mark.parametrize(
    ("table", "field", "text"),
    [
        (WHOLE, "budget_usd", ".nan"),
        (WHOLE, "budget_usd", "nan"),
        (WHOLE, "budget_usd", "-.inf"),
        (WHOLE, "budget_usd", "inf"),
        (WHOLE, "budget_usd", "-5"),
        (WHOLE, "budget_usd", "1e999"),
        (WHOLE, "budget_usd", "20 EUR"),
        (WHOLE, "budget_usd", "soon"),
        (WHOLE, "deadline_s", "0"),
        (WHOLE, "deadline_s", "-2 h"),
        (WHOLE, "deadline_s", "12:30:45"),
        (WHOLE, "environment", "prod"),
        (PLACEMENT, "gpu_count", "1.5"),
        (PLACEMENT, "gpu_count", "-1"),
        (PLACEMENT, "spot", "maybe"),
        (SEARCH, "trials", "nan"),
        (PART, "task", "classificaton"),
        (CLAUSE, "metric", "acuracy"),
        (DATA, "uri", "/etc/passwd"),
        (DATA, "uri", "../secrets.csv"),
        (DATA, "uri", "file:///etc/passwd"),
        (DATA, "uri", "http://evil.example/x.csv"),
        (DATA, "uri", "~/x.csv"),
        (DATA, "label", "a\x1b[31mb"),
    ],
)
def test_a_text_that_is_no_such_value_is_one_fault(table: Fields, field: str, text: str) -> None:
    assert read(table, field, text) == (None, 1) or read(table, field, text) == ((), 1)


@pytest.mark.parametrize(
    "uri", ["a.csv", "data/../a.csv", "/project/a.csv", "s3://b/k", "sklearn:iris", "hf:x", "eta:v41"]
)
def test_sources_inside_the_project_and_remote_ones_are_taken_as_written(uri: str) -> None:
    assert read(DATA, "uri", uri) == (uri, 0)


@pytest.mark.parametrize("text", ["[" * 3000, "{a: " * 3000, "- " * 3000, "[" * 200_000])
def test_deep_nesting_is_one_flaw_and_never_a_recursion(text: str) -> None:
    tree, flaws = parse(text)
    assert tree is None
    assert [flaw.what for flaw in flaws] == [f"is nested deeper than {MAX_DEPTH} levels"]


def test_yaml_is_a_tree_of_texts() -> None:
    tree, flaws = parse("[NO, 12:30:45, .inf, 0x10, null, '', 2001-01-01, ~, 'null']")
    assert flaws == ()
    assert isinstance(tree, Items)
    texts = [item.text if isinstance(item, Scalar) else item for item in tree.items]
    assert texts == ["NO", "12:30:45", ".inf", "0x10", None, "", "2001-01-01", None, "null"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "second time"),
        ("a: &x 1", "anchor"),
        ("a: *x", "alias"),
        ("a: !!python/object/apply:os.system [x]", "tag"),
        ("!x\na: 1", "tag"),
        ("a: 1\n---\nb: 2", "second document"),
        ("? [a]\n: 1", "key must be a word"),
        ("a: [1", "is not YAML"),
        ("a: \x00", "character"),
        ("<<: {a: 1}\n<<: {b: 2}", "second time"),
    ],
)
def test_what_makes_yaml_dangerous_is_a_flaw_with_its_place(text: str, words: str) -> None:
    flaws = parse(text)[1]
    assert words in flaws[0].what
    assert flaws[0].at.line >= 1
