"""Tables put together by equal values: what joins, what multiplies, and every join that cannot be made."""

from __future__ import annotations

from typing import Literal

import polars as pl
import pytest

from tools.recipes.data.joining import Named, Together, join_all
from tools.recipes.faults import BadInput
from tools.recipes.records import JoinOn, Role

ORDERS = pl.DataFrame({"order": range(6), "who": [1, 1, 2, 3, None, 9], "late": list("ynynyn"), "size": range(6)})
PEOPLE = pl.DataFrame({"who": [1, 2, 3, 4], "size": [7, 8, 9, 10], "city": list("abca")})


def table(name: str, frame: pl.DataFrame, role: Role = "train") -> Named:
    return Named(name=name, role=role, frame=frame)


def on(
    *columns: str, left: str = "orders.csv", right: str = "people.csv", how: Literal["inner", "left"] = "inner"
) -> JoinOn:
    return JoinOn(left=left, right=right, on=columns, how=how)


def joined(*joins: JoinOn, label: str | None = "late", people: pl.DataFrame = PEOPLE, role: Role = "train") -> Together:
    return join_all([table("orders.csv", ORDERS), table("people.csv", people, role)], joins, label=label)


def refused(*joins: JoinOn, label: str | None = "late", people: pl.DataFrame = PEOPLE, role: Role = "train") -> str:
    with pytest.raises(BadInput) as caught:
        joined(*joins, label=label, people=people, role=role)
    assert caught.value.cause == "data_invalid"
    return str(caught.value)


def test_an_inner_join_keeps_rows_with_a_partner_in_their_order_and_counts_the_others() -> None:
    made = joined(on("who"))
    assert made.frame.columns == ["order", "who", "late", "size", "size_people", "city"]
    assert made.frame["order"].to_list() == [0, 1, 2, 3]
    assert made.frame["size_people"].to_list() == [7, 7, 8, 9]
    (told,) = made.joined
    assert (told.rows_before, told.rows_after, told.unmatched, told.repeated) == (6, 4, 2, 0)
    assert any("2 of 6 rows (33.3%)" in f and "are left out" in f for f in made.findings)
    assert made.origins["size_people"] == made.origins["city"] == "people.csv"


def test_a_left_join_keeps_every_row() -> None:
    made = joined(on("who", how="left"))
    assert made.frame["city"].to_list() == ["a", "a", "b", "c", None, None]
    assert made.joined[0].rows_after == 6
    assert any("keep empty fields" in f for f in made.findings)


def test_a_missing_key_meets_no_missing_key() -> None:
    made = joined(
        on("who", how="left"), people=pl.concat([PEOPLE, PEOPLE[:1].with_columns(who=None)], how="vertical_relaxed")
    )
    assert made.frame["city"].to_list()[4] is None
    assert made.joined[0].repeated == 0


def test_the_rows_come_from_the_first_table_however_the_join_is_written() -> None:
    made = joined(on("who", left="people.csv", right="orders.csv"))
    assert made.frame["order"].to_list() == [0, 1, 2, 3]
    assert "the other way round" in refused(on("who", left="people.csv", right="orders.csv", how="left"))


def test_a_join_that_fans_out_is_named_with_counts_and_an_example() -> None:
    twice = pl.concat([PEOPLE, PEOPLE[:1].with_columns(city=pl.lit("z"))])
    told = refused(on("who"), people=twice)
    for says in (
        "'who' is not unique in people.csv",
        "2 rows of orders.csv",
        "'1' is there 2 times",
        "aggregate people.csv",
    ):
        assert says in told
    made = joined(on("who"), people=twice, label=None)
    assert made.joined[0].repeated == 2
    assert any("stand more than once (6 rows become 6" in f for f in made.findings)
    assert "is not unique" in refused(on("who"), people=twice, label=None, role="items")


def test_one_label_for_several_rows_keeps_them_in_one_part() -> None:
    made = joined(on("who"), label="city")
    assert made.copies == ("who",)
    assert any("stay in one part" in f for f in made.findings)
    assert joined(on("who"), label="late").copies == ()


def test_labels_of_the_right_table_may_repeat_the_left_rows_but_not_each_other() -> None:
    people = table("people.csv", PEOPLE)
    orders = table("orders.csv", ORDERS)
    made = join_all([people, orders], [on("who", left="people.csv", right="orders.csv")], label="late")
    assert made.frame.height == 4
    assert made.copies == ("who",)
    with pytest.raises(BadInput, match="not unique"):
        join_all(
            [table("people.csv", pl.concat([PEOPLE, PEOPLE])), orders],
            [on("who", left="people.csv", right="orders.csv")],
            label="late",
        )


@pytest.mark.parametrize(
    ("keys", "matched"),
    [
        (["1", " 2 ", "3"], 4),
        (["01", "2", "3"], 2),
        ([1.0, 2.0, 3.0], 4),
        ([1.5, 2.0, 3.0], 2),
    ],
)
def test_keys_of_different_kinds_are_reconciled_and_said(keys: list[object], matched: int) -> None:
    made = joined(on("who"), people=pl.DataFrame({"who": keys, "city": list("abc")}))
    assert made.frame.height == matched
    assert any("compared as" in f for f in made.findings)


def test_days_meet_instants() -> None:
    days = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"]}).with_columns(pl.col("day").str.to_date())
    instants = pl.DataFrame({"day": ["2024-01-02 00:00", "2024-01-03 00:00"], "v": [1, 2]}).with_columns(
        pl.col("day").str.to_datetime()
    )
    made = join_all([table("a", days), table("b", instants)], [on("day", left="a", right="b")], label=None)
    assert made.frame["v"].to_list() == [1]


def test_several_columns_and_a_chain_of_tables_join() -> None:
    plan = pl.DataFrame({"who": [1, 1, 2], "size": [0, 1, 2], "plan": list("xyz")})
    towns = pl.DataFrame({"city": list("abc"), "country": list("pqr")})
    tables = [
        table("orders.csv", ORDERS),
        table("people.csv", PEOPLE),
        table("plan.csv", plan),
        table("towns.csv", towns),
    ]
    joins = [
        on("city", left="people.csv", right="towns.csv"),
        on("who", "size", right="plan.csv"),
        on("who"),
    ]
    made = join_all(tables, joins, label="late")
    assert made.frame.select("order", "plan", "country").rows() == [(0, "x", "p"), (1, "y", "p"), (2, "z", "q")]
    assert len(made.joined) == 3


def test_every_join_that_cannot_be_made_is_named_at_once() -> None:
    tables = [table("orders.csv", ORDERS), table("people.csv", PEOPLE), table("alone.csv", PEOPLE.select("who"))]
    with pytest.raises(BadInput) as caught:
        join_all(tables, [on("whom"), on("who", right="peple.csv")], label="late")
    faults = [str(f) for f in caught.value.found]
    assert len(faults) == 4
    assert sum("'whom' is no column of" in f and "did you mean 'who'?" in f for f in faults) == 2
    assert any("'peple.csv' is no table" in f and "did you mean 'people.csv'" in f for f in faults)
    assert any("alone.csv" in f and "never joined" in f and "both have 'who'" in f for f in faults)


def test_keys_that_cannot_meet_are_a_fault() -> None:
    assert "no row of orders.csv has a partner" in refused(
        on("who"), people=pl.DataFrame({"who": ["c1", "c2"], "city": ["a", "b"]})
    )
    lists = pl.DataFrame({"who": [[1], [2]], "city": ["a", "b"]})
    assert "in the same way in both" in refused(on("who"), people=lists)


def test_the_label_of_the_left_table_counts_when_both_have_it() -> None:
    made = joined(on("who"), people=PEOPLE.with_columns(late=pl.lit("?")))
    assert made.frame["late"].to_list() == list("ynyn")
    assert any("the label is the one of orders.csv" in f for f in made.findings)
