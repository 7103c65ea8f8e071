"""Several tables, a holdout of its own, every task, and leaks across the split: named, never learnt from."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from recipe_shop import Shop, write

from evals.data import generate
from tools.recipes import parts
from tools.recipes.faults import BadInput
from tools.recipes.probe import probe
from tools.recipes.probe_records import ProbeArgs
from tools.recipes.records import JoinOn, PrepareArgs, PrepareResult, Role, Split, Table

DAYS = [(date(2024, 1, 1) + timedelta(days=i)).isoformat() for i in range(80)]
Rows = list[dict[str, object]]


def table(folder: Path, name: str, rows: Rows, role: Role = "train") -> Table:
    return Table(name=name, source=write(folder / name, rows), format="csv", role=role)


def people() -> Rows:
    rng = random.Random(1)
    return [{"who": i, "city": rng.choice("abc"), "age": rng.randint(18, 80)} for i in range(40)]


def orders(rows: int = 300, first: int = 0) -> Rows:
    rng = random.Random(2 + first)
    return [
        {
            "order": first + i,
            "who": rng.randrange(44),
            "day": DAYS[i % 80],
            "amount": rng.random(),
            "late": rng.choice("yn"),
        }
        for i in range(rows)
    ]


def prepare(shop: Shop, *tables: Table, **more: object) -> PrepareResult:
    fields: dict[str, object] = {"task": "classification", "label": "late"}
    return shop.prepare(PrepareArgs.model_validate(fields | {"tables": tables} | more))


def refused(folder: Path, *tables: Table, **more: object) -> BadInput:
    shop = Shop(folder / "refused")
    with pytest.raises(BadInput) as caught:
        prepare(shop, *tables, **more)
    assert list(shop.data.iterdir()) == []
    return caught.value


BY_WHO = (JoinOn(left="orders.csv", right="people.csv", on=("who",)),)


def test_rows_of_two_tables_are_joined_reported_and_numbered_as_in_the_first(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    source = orders()
    made = prepare(shop, table(tmp_path, "orders.csv", source), table(tmp_path, "people.csv", people()), joins=BY_WHO)
    (joined,) = made.joins
    assert joined.rows_before == made.rows == 300
    assert joined.rows_after == made.train_rows + made.validation_rows + made.holdout_rows == 300 - joined.unmatched
    assert [c.name for c in made.columns] == ["order", "who", "day", "amount", "city", "age"]
    holdout = shop.holdout("late")
    assert holdout.features["order"].to_list() == holdout.rows.to_list()
    assert holdout.label.to_list() == [source[r]["late"] for r in holdout.rows]
    card = (shop.data / "data_card.md").read_text(encoding="utf-8")
    assert f"| 300 | {joined.rows_after} | {joined.unmatched} | 0 |" in card


def test_a_join_that_would_count_labels_twice_is_refused(tmp_path: Path) -> None:
    twice = table(tmp_path, "people.csv", [*people(), *people()[:3]])
    error = refused(tmp_path, table(tmp_path, "orders.csv", orders()), twice, joins=BY_WHO)
    assert error.cause == "data_invalid"
    assert "'who' is not unique in people.csv" in str(error)
    assert "aggregate people.csv to one row" in str(error)


def test_copies_of_one_label_stay_in_one_part(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    labels = [{"who": i, "churned": "yn"[i % 2]} for i in range(44)]
    joins = (JoinOn(left="orders.csv", right="labels.csv", on=("who",)),)
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "labels.csv", labels))
    made = prepare(shop, *tables, joins=joins, label="churned")
    assert any("stay in one part" in f for f in made.findings)
    sides = [set(shop.part(name)["who"]) for name in (parts.TRAIN, parts.VALIDATION)] + [
        set(shop.holdout("churned").features["who"])
    ]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    error = refused(tmp_path, *tables, joins=joins, label="churned", split=Split(by="time", column="day"))
    assert "have a label that training rows with the same 'who' have" in str(error)


def test_a_table_of_its_own_is_the_whole_holdout_and_takes_its_copies_out_of_training(tmp_path: Path) -> None:
    shop, rows = Shop(tmp_path / "shop"), orders()
    held = [*orders(20, first=1000), *rows[:5]]
    made = prepare(shop, table(tmp_path, "orders.csv", rows), table(tmp_path, "held.csv", held, "holdout"))
    assert (made.rows, made.holdout_rows, made.train_rows + made.validation_rows) == (325, 25, 295)
    holdout = shop.holdout("late")
    assert holdout.rows.to_list() == list(range(25))
    assert holdout.features["order"].to_list() == [row["order"] for row in held]
    assert not set(range(5)) & {*shop.part(parts.TRAIN)["order"], *shop.part(parts.VALIDATION)["order"]}
    told = next(f for f in made.findings if "a duplicate across the split" in f)
    assert "5 rows of the holdout (row 20, 21, 22, 23, 24" in told
    assert "5 were removed from training" in told


def test_the_holdout_is_joined_as_the_other_rows_are_and_loses_none(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    held = table(tmp_path, "held.csv", orders(30, first=1000), "holdout")
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "people.csv", people()), held)
    made = prepare(shop, *tables, joins=BY_WHO)
    assert made.holdout_rows == 30
    assert shop.holdout("late").features.columns == ["order", "who", "day", "amount", "city", "age"]


def test_a_holdout_of_other_columns_names_every_difference(tmp_path: Path) -> None:
    held = [{"order": 1, "whom": 2, "day": DAYS[0], "amount": "much", "late": "y"}] * 3
    error = refused(tmp_path, table(tmp_path, "orders.csv", orders()), table(tmp_path, "held.csv", held, "holdout"))
    for says in ("lacks column 'who'; did you mean 'whom'", "do not have: 'whom'", "'amount' holds String"):
        assert says in str(error)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"late": ""}, "has no row with a label"),
        ({"late": "yes"}, "has the classes 'yes', and training has 'n', 'y'"),
        ({"day": "31.12.2024"}, "'day' holds String, and Date in the other rows"),
    ],
)
def test_a_holdout_that_cannot_judge_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    held = table(tmp_path, "held.csv", [row | change for row in orders(20, first=900)], "holdout")
    assert says in str(refused(tmp_path, table(tmp_path, "orders.csv", orders()), held))


def test_a_holdout_without_rows_is_no_reason_to_make_another(tmp_path: Path) -> None:
    place = tmp_path / "held.csv"
    place.write_text("order,who,day,amount,late\n", encoding="utf-8")
    held = Table(name="held.csv", source=str(place), format="csv", role="holdout")
    assert "has no rows" in str(refused(tmp_path, table(tmp_path, "orders.csv", orders()), held))


def test_rows_that_contradict_each_other_are_counted(tmp_path: Path) -> None:
    rows: Rows = [{"id": f"r{i}", "x": i % 50, "y": "ab"[i >= 50]} for i in range(100)]
    made = prepare(Shop(tmp_path / "shop"), table(tmp_path, "c.csv", rows), label="y")
    assert any("have exactly the features of another one and a different class" in f for f in made.findings)


def test_a_holdout_alone_leaves_training_empty_with_the_same_columns(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    made = prepare(shop, table(tmp_path, "held.csv", orders(12), "holdout"))
    assert (made.train_rows, made.validation_rows, made.holdout_rows) == (0, 0, 12)
    train, holdout = parts.read_part(shop.data / parts.TRAIN, "late"), shop.holdout("late")
    assert train.features.schema == holdout.features.schema
    assert train.label.dtype == holdout.label.dtype
    assert made.classes == ("n", "y")


def test_the_same_rows_as_holdout_and_as_training_leave_nothing_to_learn_from(tmp_path: Path) -> None:
    error = refused(tmp_path, table(tmp_path, "a.csv", orders(60)), table(tmp_path, "b.csv", orders(60), "holdout"))
    assert "only 0 rows are left" in str(error)
    assert "60 were removed from training" in str(error)


def test_rows_that_stand_in_the_holdout_more_than_once_are_counted(tmp_path: Path) -> None:
    held = orders(20, first=900)
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "held.csv", [*held, *held[:3]], "holdout"))
    made = prepare(Shop(tmp_path / "shop"), *tables)
    assert made.holdout_rows == 23
    assert any(f.startswith("3 rows of the holdout stand there more than once") for f in made.findings)


def test_all_tables_that_are_not_there_are_named(tmp_path: Path) -> None:
    gone = [Table(name=n, source=str(tmp_path / n), format="csv") for n in ("a.csv", "b.csv")]
    error = refused(tmp_path, *gone)
    assert error.cause == "data_missing"
    assert len(error.found) == 2


def test_two_holdouts_and_a_table_named_twice_are_faults(tmp_path: Path) -> None:
    one = table(tmp_path, "orders.csv", orders())
    held = [table(tmp_path, n, orders(20, first=500), "holdout") for n in ("x.csv", "y.csv")]
    error = refused(tmp_path, one, *held)
    assert "x.csv, y.csv are all said to be the holdout" in str(error)
    assert "is named twice" in str(refused(tmp_path / "again", one, one))


# splits


def test_a_holdout_that_begins_before_training_ends_is_a_fault_when_the_split_is_by_time(tmp_path: Path) -> None:
    held = table(tmp_path, "held.csv", [row | {"day": DAYS[70]} for row in orders(30, first=900)], "holdout")
    tables = (table(tmp_path, "orders.csv", orders()), held)
    told = str(refused(tmp_path, *tables, split=Split(by="time", column="day")))
    assert "begins before training ends: 30 of its 30 rows" in told
    made = prepare(Shop(tmp_path / "shop"), *tables)
    assert any("begins before training ends" in f for f in made.findings)


def test_rows_from_the_holdouts_time_are_no_training_rows(tmp_path: Path) -> None:
    late = [
        row | {"day": (date(2024, 4, 1) + timedelta(days=i)).isoformat()} for i, row in enumerate(orders(30, first=900))
    ]
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "held.csv", late, "holdout"))
    told = str(refused(tmp_path, *tables, split=Split(by="time", column="day", at="2024-03-01")))
    assert "rows are not before 2024-03-01" in told


def test_groups_on_both_sides_are_a_fault_when_they_must_not_be_divided(tmp_path: Path) -> None:
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "held.csv", orders(30, first=900), "holdout"))
    told = str(refused(tmp_path, *tables, split=Split(by="group", column="who")))
    assert "belong to groups of 'who' that training has as well" in told
    made = prepare(Shop(tmp_path / "shop"), *tables, group="who")
    assert any("groups on both sides of the split" in f for f in made.findings)


def test_a_group_that_the_goal_names_is_not_divided_by_a_random_split(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    made = prepare(shop, table(tmp_path, "orders.csv", orders()), group="who")
    assert made.roles.group == "who"
    assert not set(shop.part(parts.TRAIN)["who"]) & set(shop.holdout("late").features["who"])


def test_columns_from_a_later_time_are_suspected(tmp_path: Path) -> None:
    rows = [row | {"delivered_at": str(date.fromisoformat(str(row["day"])) + timedelta(days=3))} for row in orders()]
    made = prepare(Shop(tmp_path / "a"), table(tmp_path, "o.csv", rows), split=Split(by="time", column="day"))
    assert any("'delivered_at' holds instants later than the row's own 'day'" in f for f in made.findings)
    changed = [row | {"updated_at": DAYS[79] if i == 3 else "2023-01-01"} for i, row in enumerate(people())]
    tables = (table(tmp_path, "orders.csv", orders()), table(tmp_path, "people.csv", changed))
    made = prepare(Shop(tmp_path / "b"), *tables, joins=BY_WHO, split=Split(by="time", column="day"))
    assert any("'updated_at' of people.csv holds instants" in f for f in made.findings)


def test_an_identifier_that_predicts_the_label_is_named(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows: Rows = [
        {"id": f"c{i}", "x": rng.random(), "y": "a" if i + rng.gauss(0, 60) < 200 else "b"} for i in range(400)
    ]
    made = prepare(Shop(tmp_path / "sorted"), table(tmp_path, "sorted.csv", rows), label="y")
    assert any("identifier 'id' predicts the label (area under the curve" in f for f in made.findings)
    rng.shuffle(rows)
    shuffled = [row | {"id": f"c{i}"} for i, row in enumerate(rows)]
    made = prepare(Shop(tmp_path / "shuffled"), table(tmp_path, "shuffled.csv", shuffled), label="y")
    assert not any("predicts the label" in f for f in made.findings)


def test_a_duplicate_across_the_split_is_found_once_identifiers_are_left_out(tmp_path: Path) -> None:
    rng = random.Random(4)
    once = [{"x": rng.random(), "z": rng.random(), "y": rng.choice("ab")} for _ in range(100)]
    rows: Rows = [{"id": f"n{i}"} | row for i, row in enumerate([*once, *once])]
    made = prepare(Shop(tmp_path / "shop"), table(tmp_path, "twice.csv", rows), label="y")
    assert made.duplicates_removed == 0
    assert any("a duplicate across the split" in f and "once 'id' is left out" in f for f in made.findings)


# tasks


def sales() -> Rows:
    rng = random.Random(5)
    return [{"day": day, "store": store, "sold": rng.randint(1, 99)} for day in DAYS for store in "AB"]


def test_a_forecast_is_split_by_time_and_knows_its_series(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    made = prepare(shop, table(tmp_path, "sales.csv", sales()), task="forecasting", label="sold", group="store")
    assert (made.roles.time, made.roles.group) == ("day", "store")
    assert shop.part(parts.TRAIN)["day"].max() < shop.part(parts.VALIDATION)["day"].min()  # type: ignore[operator]
    assert shop.part(parts.VALIDATION)["day"].max() < shop.holdout("sold").features["day"].min()  # type: ignore[operator]
    assert made.duplicates_removed == 0


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        (
            sales(),
            {},
            "80 instants have several rows, the first at day '2024-01-01'; say which column names the series",
        ),
        ([*sales(), sales()[0]], {"group": "store"}, "1 instants have several rows"),
        ([*sales(), {"day": "", "store": "A", "sold": 1}], {"group": "store"}, "is missing in 1 of 161 rows"),
        ([{"x": i, "sold": i} for i in range(40)], {}, "no column holds times"),
        ([row | {"sold": "many"} for row in sales()], {"group": "store"}, "no numbers"),
    ],
)
def test_series_that_cannot_be_forecast_are_refused(
    tmp_path: Path, rows: Rows, more: dict[str, object], says: str
) -> None:
    assert says in str(refused(tmp_path, table(tmp_path, "sales.csv", rows), task="forecasting", label="sold", **more))


def clicks() -> Rows:
    rng = random.Random(6)
    return [{"user_id": rng.randrange(20), "item_id": rng.randrange(15), "day": DAYS[i % 80]} for i in range(400)]


def test_interactions_need_no_label_and_are_held_out_by_time_or_within_users(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "time")
    items: Rows = [{"item_id": i, "genre": "pq"[i % 2]} for i in range(15)]
    tables = (table(tmp_path, "clicks.csv", clicks(), "interactions"), table(tmp_path, "items.csv", items, "items"))
    joins = (JoinOn(left="clicks.csv", right="items.csv", on=("item_id",)),)
    made = prepare(shop, *tables, joins=joins, task="recommendation", label=None)
    assert (made.label, made.roles.user, made.roles.item, made.roles.time) == (None, "user_id", "item_id", "day")
    train = parts.read_part(shop.data / parts.TRAIN, None)
    assert train.features.columns == ["user_id", "item_id", "day", "genre"]
    with pytest.raises(BadInput, match="has no label"):
        _ = train.label
    holdout = parts.read_sealed(shop.data / parts.HOLDOUT, None, shop.private.read_bytes())
    assert holdout.features["day"].min() > train.features["day"].max()  # type: ignore[operator]
    timeless = [{k: v for k, v in row.items() if k != "day"} | {"n": i} for i, row in enumerate(clicks())]
    other = Shop(tmp_path / "users")
    prepare(other, table(tmp_path, "timeless.csv", timeless), task="recommendation", label=None)
    held = parts.read_sealed(other.data / parts.HOLDOUT, None, other.private.read_bytes())
    assert set(held.features["user_id"]) == set(other.part(parts.TRAIN)["user_id"]) == set(range(20))


def test_a_label_given_for_clustering_is_kept_out_of_the_features(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    source = table(tmp_path, "churn.csv", generate.churn(100, seed=1))
    made = prepare(shop, source, task="clustering", label="churned")
    part = parts.read_part(shop.data / parts.TRAIN, made.label)
    assert "churned" not in part.features.columns
    assert made.classes == ()
    other = Shop(tmp_path / "other")
    assert prepare(other, source, task="clustering", label=None).label is None
    assert "churned" in parts.read_part(other.data / parts.TRAIN, None).features.columns


def test_text_needs_a_column_of_text(tmp_path: Path) -> None:
    rows: Rows = [{"said": f"{'good' if i % 2 else 'bad'} thing number {i} indeed", "y": i % 2} for i in range(60)]
    made = prepare(Shop(tmp_path / "shop"), table(tmp_path, "t.csv", rows), task="text-classification", label="y")
    assert [(c.name, c.kind) for c in made.columns] == [("said", "text")]
    assert made.classes == ("0", "1")
    assert not any("identifier" in f for f in made.findings)
    numbers: Rows = [{"x": i / 7, "y": i % 2} for i in range(60)]
    error = refused(tmp_path, table(tmp_path, "n.csv", numbers), task="text-classification", label="y")
    assert "none of the features is text" in str(error)


def test_findings_of_values_name_empty_and_outlying_columns_and_personal_data(tmp_path: Path) -> None:
    rng = random.Random(7)
    rows: Rows = [
        {
            "gone": "",
            "rare": i if i % 50 == 0 else "",
            "far": 1e9 if i in (5, 50, 150, 250, 350) else rng.gauss(0, 1),
            "code": "n/k" if i % 40 == 0 else i % 9,
            "mail": f"u{rng.randrange(99)}@x.org",
            "y": rng.choice("ab"),
        }
        for i in range(400)
    ]
    told = "\n".join(prepare(Shop(tmp_path / "shop"), table(tmp_path, "v.csv", rows), label="y").findings)
    assert "'gone' is empty" in told
    assert "'rare' is nearly empty" in told
    assert "outliers, more than 10 robust standard deviations from the median: 'far'" in told
    assert "'code' is read as text" in told
    assert "'mail' seems to hold personal data: e-mail addresses" in told
    assert "@x.org" not in told


def test_a_name_that_begins_with_a_line_feed_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "odd.parquet"
    pl.DataFrame({"\nheld": [True] * 40, "x": range(40), "late": ["a", "b"] * 20}).write_parquet(place)
    error = refused(tmp_path, Table(name="odd", source=str(place), format="parquet"))
    assert "begins with a line feed" in str(error)


# looking before planning


def test_a_probe_of_one_table_of_several_blames_it_for_nothing_that_another_may_hold(tmp_path: Path) -> None:
    source = table(tmp_path, "people.csv", people()[:5]).source
    asked = ProbeArgs(
        source=source,
        task="classification",
        label="late",
        drop_columns=("order",),
        split=Split(by="time", column="day"),
        together=True,
    )
    assert probe(asked).faults == ()
    alone = probe(asked.model_copy(update={"together": False}))
    assert len(alone.faults) == 3


@pytest.mark.parametrize(
    ("task", "more", "says"),
    [
        ("recommendation", {}, "no column is known to name the users"),
        ("forecasting", {"label": "age"}, "no column holds times"),
        ("classification", {"label": "city", "split": Split(by="time")}, "names no column"),
    ],
)
def test_a_probe_names_the_columns_that_the_task_lacks(
    tmp_path: Path, task: str, more: dict[str, object], says: str
) -> None:
    source = table(tmp_path, "people.csv", [row | {"who": str(row["who"])} for row in people()]).source
    seen = probe(ProbeArgs.model_validate({"source": source, "task": task} | more))
    assert says in "; ".join(map(str, seen.faults))


def test_a_probe_of_a_holdout_needs_few_rows(tmp_path: Path) -> None:
    source = table(tmp_path, "held.csv", orders(5)).source
    assert probe(ProbeArgs(source=source, task="classification", label="late", role="holdout")).faults == ()
    assert "at least 20" in str(probe(ProbeArgs(source=source, task="classification", label="late")).faults)
