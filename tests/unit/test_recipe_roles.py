"""Columns with a meaning of their own: as asked for, by the joins, by well-known names in two languages."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tools.recipes.data import roles
from tools.recipes.records import PrepareArgs, Split, Table, Task

DAYS = [date(2024, 1, d) for d in (1, 2, 3)]


def args(task: Task, **more: object) -> PrepareArgs:
    table = Table(name="t", source="/t.csv", format="csv")
    return PrepareArgs.model_validate({"tables": (table,), "task": task, "label": None} | more)


def frame(*names: str, **more: object) -> pl.DataFrame:
    return pl.DataFrame({n: [1, 2, 3] for n in names} | more)


@pytest.mark.parametrize(
    ("names", "user", "item"),
    [
        (["user_id", "item_id", "rating"], "user_id", "item_id"),
        (["Customer", "SKU"], "Customer", "SKU"),
        (["用户ID", "商品编号", "评分"], "用户ID", "商品编号"),
        (["会员", "货号"], "会员", "货号"),
        (["n", "uid", "movieId"], "uid", "movieId"),
        (["customer_id", "user_id", "product_id"], "user_id", "product_id"),
    ],
)
def test_users_and_items_are_known_by_their_names(names: list[str], user: str, item: str) -> None:
    found = roles.find(frame(*names), args("recommendation"), None)
    assert found.columns.user == user
    assert found.columns.item == item


def test_the_join_with_the_items_says_which_column_names_them() -> None:
    found = roles.find(frame("who", "what"), args("recommendation", group="who"), None, [("items", "what")])
    assert (found.columns.user, found.columns.item, found.faults) == ("who", "what", ())


def test_users_and_items_that_cannot_be_found_name_the_candidates() -> None:
    found = roles.find(frame("who", "what", score=[0.1, 0.2, 0.3]), args("recommendation"), None)
    assert len(found.faults) == 2
    assert all("it may be one of: 'who', 'what'" in str(f) for f in found.faults)


@pytest.mark.parametrize(
    ("columns", "asked", "time"),
    [
        ({"when": DAYS}, {}, "when"),
        ({"joined": DAYS, "order_date": DAYS}, {}, "order_date"),
        ({"joined": DAYS, "left": DAYS}, {"time": "left"}, "left"),
        ({"joined": DAYS, "left": DAYS}, {"split": Split(by="time", column="joined")}, "joined"),
        ({"week": [1, 2, 3]}, {}, "week"),
        ({"创建时间": DAYS, "日期": DAYS}, {}, "日期"),
    ],
)
def test_the_time_of_a_row_is_the_one_asked_for_else_the_best_known(
    columns: dict[str, list[object]], asked: dict[str, object], time: str
) -> None:
    found = roles.find(frame("y", **columns), args("forecasting", label="y", **asked), "y")
    assert (found.columns.time, found.faults) == (time, ())


@pytest.mark.parametrize(
    ("columns", "asked", "says"),
    [
        ({"x": [1, 2, 3]}, {}, "no column holds times"),
        ({"a": DAYS, "b": DAYS}, {}, "may be 'a', 'b'"),
        ({"date": ["1.2.24", "2.2.24", "3.2.24"]}, {}, "'date' is named like one and holds text"),
        ({"when": DAYS}, {"time": "wen"}, "did you mean 'when'"),
        ({"when": DAYS}, {"time": "when", "drop_columns": ("when",)}, "is needed for forecasting"),
        ({"when": ["a", "b", "c"]}, {"time": "when"}, "not times"),
        ({"when": DAYS}, {"group": "shop"}, "'shop'"),
    ],
)
def test_a_forecast_without_a_time_says_what_is_missing(
    columns: dict[str, list[object]], asked: dict[str, object], says: str
) -> None:
    found = roles.find(frame("y", **columns), args("forecasting", label="y", **asked), "y")
    assert says in "; ".join(map(str, found.faults))


def test_a_split_by_time_means_the_time_of_a_row_when_it_names_no_column() -> None:
    asked = args("classification", label="y", split=Split(by="time"))
    found = roles.find(frame("y", when=DAYS), asked, "y")
    assert roles.settled(asked, found).split.column == "when"


def test_a_dropped_column_has_no_role_in_the_prepared_table() -> None:
    found = roles.find(
        frame("y", when=DAYS), args("classification", label="y", time="when", drop_columns=("when",)), "y"
    )
    assert (found.columns.time, found.time) == (None, "when")
