"""Preparing data: parted before anything is looked at, the holdout sealed, every fault of a source named."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import polars as pl
import pytest
from nacl.public import PrivateKey
from recipe_shop import Shop, one, read, write

from evals.data import generate
from tools.recipes import parts
from tools.recipes.faults import BadInput
from tools.recipes.records import Format, PrepareArgs, Split, Table


def customers(folder: Path, rows: int = 200, **changes: object) -> PrepareArgs:
    source = write(folder / "churn.csv", generate.churn(rows, seed=1))
    if "source" in changes or "format" in changes:
        changes["tables"] = one(str(changes.pop("source", source)), changes.pop("format", "csv"))  # type: ignore[arg-type]
    given = {"tables": one(source), "task": "classification", "label": "churned"}
    return PrepareArgs.model_validate(given | changes)


def again(args: PrepareArgs, source: str) -> tuple[Table, ...]:
    """The same table, read from another file."""
    return (args.tables[0].model_copy(update={"source": source}),)


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.suffix != ".sealed"}


def refused(folder: Path, args: PrepareArgs) -> BadInput:
    shop = Shop(folder / "shop")
    with pytest.raises(BadInput) as caught:
        shop.prepare(args)
    assert list(shop.data.iterdir()) == []
    return caught.value


def test_every_row_of_the_source_is_in_one_part_as_it_was(tmp_path: Path) -> None:
    shop, args = Shop(tmp_path / "shop"), customers(tmp_path)
    made = shop.prepare(args)
    holdout, rows = shop.holdout("churned"), shop.rows()
    assert sorted([*rows["train"], *rows["validation"], *holdout.rows]) == list(range(200))
    assert (made.train_rows, made.validation_rows, made.holdout_rows) == (128, 32, 40)
    source = read(args.tables[0].source)
    assert holdout.label.to_list() == [source[r]["churned"] for r in holdout.rows]
    assert holdout.features["tenure"].to_list() == [int(source[r]["tenure"]) for r in holdout.rows]
    train = shop.part(parts.TRAIN)
    assert train.columns == [*holdout.features.columns, "churned"]
    assert train["contract"].to_list() == [source[r]["contract"] for r in rows["train"]]


def test_columns_classes_and_digests_are_reported(tmp_path: Path) -> None:
    shop, args = Shop(tmp_path / "shop"), customers(tmp_path)
    made = shop.prepare(args)
    assert {c.name: c.kind for c in made.columns} == {
        "tenure": "integer",
        "calls": "integer",
        "spend": "number",
        "contract": "category",
        "paperless": "boolean",
        "joined": "time",
    }
    blank = sum(not row["spend"] for row in read(args.tables[0].source))
    assert next(c.missing for c in made.columns if c.name == "spend") == blank > 0
    assert made.classes == ("no", "yes")
    assert made.positive == "yes"
    assert set(made.digests) == {"source", "train", "validation", "holdout", "split"}
    assert made.digests["train"] == hashlib.sha256((shop.data / parts.TRAIN).read_bytes()).hexdigest()
    assert made.digests["source"] == hashlib.sha256(Path(args.tables[0].source).read_bytes()).hexdigest()


def test_what_the_holdout_holds_changes_nothing_that_others_get(tmp_path: Path) -> None:
    """The split comes before every statistic: wild values in the holdout leave no trace outside it."""
    clean = ("drop_missing", "impute", "clip_outliers", "scale", "one_hot", "lowercase")
    plain, args = Shop(tmp_path / "plain"), customers(tmp_path, clean=clean)
    plain.prepare(args)
    held = set(plain.holdout("churned").rows)
    wild = [
        row | ({"tenure": str(10**9 + i), "spend": "", "contract": f"new {i}"} if i in held else {})
        for i, row in enumerate(read(args.tables[0].source))
    ]
    other = Shop(tmp_path / "wild")
    made = other.prepare(args.model_copy(update={"tables": again(args, write(tmp_path / "wild.csv", wild))}))
    assert contents(other.data) == contents(plain.data)
    assert set(other.holdout("churned").rows) == held
    assert made.holdout_rows == len(held)


def test_the_holdout_opens_with_the_private_key_alone(tmp_path: Path) -> None:
    shop, args = Shop(tmp_path / "shop"), customers(tmp_path)
    made = shop.prepare(args)
    sealed = (shop.data / parts.HOLDOUT).read_bytes()
    assert b"PAR1" not in sealed
    assert b"contract" not in sealed
    for key in (bytes(PrivateKey.generate()), shop.public.read_bytes()):
        with pytest.raises(BadInput, match="does not open"):
            parts.read_sealed(shop.data / parts.HOLDOUT, "churned", key)
    (shop.data / parts.HOLDOUT).write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(BadInput, match="does not open"):
        shop.holdout("churned")
    (shop.data / parts.HOLDOUT).write_bytes(sealed)
    assert shop.holdout("churned").digest == made.digests["holdout"]


def test_the_same_source_and_seed_give_the_same_parts(tmp_path: Path) -> None:
    args = customers(tmp_path)
    first, again, other = (Shop(tmp_path / name) for name in ("first", "again", "other"))
    made = [first.prepare(args), again.prepare(args), other.prepare(args.model_copy(update={"seed": 1}))]
    assert made[0] == made[1]
    assert contents(first.data) == contents(again.data)
    assert made[0].digests["split"] != made[2].digests["split"]


def test_missing_values_drop_training_rows_and_no_others(tmp_path: Path) -> None:
    args = customers(tmp_path, rows=400, clean=("drop_missing",))
    shop, kept = Shop(tmp_path / "shop"), Shop(tmp_path / "kept")
    made = shop.prepare(args)
    whole = kept.prepare(args.model_copy(update={"clean": ()}))
    assert made.missing_removed == whole.train_rows - made.train_rows > 0
    assert shop.part(parts.TRAIN)["spend"].null_count() == 0
    assert shop.part(parts.VALIDATION).equals(kept.part(parts.VALIDATION))
    assert shop.holdout("churned").features.equals(kept.holdout("churned").features)
    assert shop.holdout("churned").features["spend"].null_count() > 0


def test_exact_duplicates_are_removed_before_the_split(tmp_path: Path) -> None:
    rows = generate.churn(100, seed=1)
    source = write(tmp_path / "twice.csv", [*rows, *rows[:40]])
    shop = Shop(tmp_path / "shop")
    made = shop.prepare(customers(tmp_path, source=source))
    assert made.duplicates_removed == 40
    assert made.rows == 140
    assert made.train_rows + made.validation_rows + made.holdout_rows == 100
    assert max(shop.holdout("churned").rows) < 100


def test_repetitions_that_are_the_data_stay_together(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [{"a": rng.randrange(8), "b": rng.randrange(8), "y": rng.choice("pq")} for _ in range(1000)]
    shop = Shop(tmp_path / "shop")
    made = shop.prepare(customers(tmp_path, source=write(tmp_path / "discrete.csv", rows), label="y"))
    assert made.duplicates_removed == 0
    assert any("repetitions" in f for f in made.findings)
    train, holdout = shop.part(parts.TRAIN), shop.holdout("y")
    together = holdout.features.with_columns(holdout.label)
    assert together.join(train, on=["a", "b", "y"], how="semi").height == 0


def test_rows_without_a_label_are_removed_and_counted(tmp_path: Path) -> None:
    rows = generate.churn(100, seed=1)
    for row in rows[10:15]:
        row["churned"] = "" if row["calls"] else "NA"
    shop = Shop(tmp_path / "shop")
    made = shop.prepare(customers(tmp_path, source=write(tmp_path / "gaps.csv", rows)))
    assert made.unlabelled_removed == 5
    assert made.classes == ("no", "yes")
    assert not set(range(10, 15)) & {*shop.holdout("churned").rows, *shop.rows()["train"]}


def test_a_column_named_like_ours_is_an_ordinary_column(tmp_path: Path) -> None:
    rows = [row | {"__row__": i * 7 % 50} for i, row in enumerate(generate.churn(60, seed=1))]
    shop = Shop(tmp_path / "shop")
    shop.prepare(customers(tmp_path, source=write(tmp_path / "odd.csv", rows)))
    holdout = shop.holdout("churned")
    assert holdout.features["__row__"].to_list() == [r * 7 % 50 for r in holdout.rows]


def test_chinese_names_values_and_labels_pass_unchanged(tmp_path: Path) -> None:
    source = write(tmp_path / "贷款.csv", generate.loans(120, seed=2))
    shop = Shop(tmp_path / "shop")
    made = shop.prepare(customers(tmp_path, source=source, label="违约"))
    assert [c.name for c in made.columns] == ["收入", "城市", "年龄"]
    assert made.classes == ("否", "是")
    rows = read(source)
    assert shop.holdout("违约").features["城市"].to_list() == [rows[r]["城市"] for r in shop.holdout("违约").rows]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_the_format_of_the_source_changes_nothing(tmp_path: Path, kind: Format) -> None:
    args = customers(tmp_path)
    frame = pl.read_csv(args.tables[0].source, try_parse_dates=kind == "parquet")
    target = tmp_path / f"churn.{kind}"
    if kind == "parquet":
        frame.write_parquet(target)
    else:
        frame.write_ndjson(target)
    first, second = Shop(tmp_path / "first"), Shop(tmp_path / "second")
    made = first.prepare(args)
    other = second.prepare(args.model_copy(update={"tables": one(target, kind)}))
    assert first.part(parts.TRAIN).equals(second.part(parts.TRAIN))
    assert made.model_copy(update={"digests": {}}) == other.model_copy(update={"digests": {}})
    assert (first.data / "train.csv").exists()
    assert not (second.data / "train.csv").exists()


def test_groups_are_never_divided_and_time_runs_forward(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "groups")
    shop.prepare(customers(tmp_path, split=Split(by="group", column="tenure")))
    assert not set(shop.holdout("churned").features["tenure"]) & set(shop.part(parts.TRAIN)["tenure"])
    timed = Shop(tmp_path / "time")
    timed.prepare(customers(tmp_path, split=Split(by="time", column="joined", at="2020-06-01")))
    assert timed.holdout("churned").features["joined"].dt.strftime("%F").min() == "2020-06-01"
    assert timed.part(parts.VALIDATION)["joined"].min() > timed.part(parts.TRAIN)["joined"].max()  # type: ignore[operator]


def test_a_column_that_is_dropped_may_still_part_the_rows(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    made = shop.prepare(
        customers(tmp_path, split=Split(by="group", column="tenure"), drop_columns=("tenure", "joined"))
    )
    assert [c.name for c in made.columns] == ["calls", "spend", "contract", "paperless"]


def test_findings_name_leaks_constants_identifiers_and_rare_classes(tmp_path: Path) -> None:
    rows = [
        row
        | {
            "id": f"c{i}",
            "leak": row["churned"] == "yes",
            "site": "A",
            "churned": "rare" if i % 40 == 0 else row["churned"],
        }
        for i, row in enumerate(generate.churn(400, seed=1))
    ]
    for row in rows:
        row["leak"] = f"code {row['churned']}"
    made = Shop(tmp_path / "shop").prepare(customers(tmp_path, source=write(tmp_path / "bad.csv", rows)))
    told = "\n".join(made.findings)
    assert "'leak' gives the label away" in told
    assert "'site' is constant" in told
    assert "'id' looks like an identifier" in told
    assert "class 'rare' is rare" in told
    assert made.positive is None


def test_a_bundled_set_has_its_class_names(tmp_path: Path) -> None:
    args = PrepareArgs(tables=one("sklearn:breast_cancer", "bundled"), task="classification", label=None)
    made = Shop(tmp_path / "shop").prepare(args)
    assert made.label == "target"
    assert (made.rows, made.holdout_rows) == (569, 114)
    assert made.classes == ("benign", "malignant")
    assert made.positive == "malignant"


@pytest.mark.parametrize(
    ("changes", "cause", "says"),
    [
        ({"source": "/nowhere/churn.csv"}, "data_missing", "does not exist"),
        ({"source": "/dev/null"}, "data_missing", "is not a file"),
        ({"source": "sklearn:irish", "format": "bundled"}, "data_missing", "did you mean 'iris'"),
        ({"format": "parquet"}, "data_invalid", "cannot be read as Parquet"),
        ({"label": "churn"}, "data_invalid", "did you mean 'churned'"),
        ({"label": None}, "data_invalid", "is not named"),
        ({"label": "joined"}, "data_invalid", "distinct values"),
        ({"task": "regression"}, "data_invalid", "no numbers"),
        ({"drop_columns": ("tenur",)}, "data_invalid", "did you mean 'tenure'"),
        ({"split": Split(by="group", column="contract")}, "data_invalid", "at least 3"),
        ({"split": Split(by="time", column="contract")}, "data_invalid", "not times"),
        ({"split": Split(by="time", column="joined", at="2999-01-01")}, "data_invalid", "only 0 rows"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(
    tmp_path: Path, changes: dict[str, object], cause: str, says: str
) -> None:
    error = refused(tmp_path, customers(tmp_path, **changes))  # type: ignore[arg-type]
    assert error.cause == cause
    assert says in str(error)


def test_too_few_rows_name_the_number_that_is_needed(tmp_path: Path) -> None:
    assert "at least 20" in str(refused(tmp_path, customers(tmp_path, rows=12)))
    same = [generate.churn(1, seed=0)[0] | {"churned": "no" if i % 2 else "yes"} for i in range(60)]
    args = customers(tmp_path, source=write(tmp_path / "same.csv", same))
    assert "2 distinct rows" in str(refused(tmp_path / "again", args))


def test_all_faults_of_a_source_are_named_at_once(tmp_path: Path) -> None:
    place = tmp_path / "bad.csv"
    place.write_text("a,a,b,y\n" + "1,2,x,same\n" * 10)
    args = customers(
        tmp_path,
        source=str(place),
        label="y",
        drop_columns=("z",),
        split=Split(by="group", column="who"),
    )
    faults = refused(tmp_path, args).faults
    assert len(faults) == 5
    for says in ("'a' is on columns 1, 2", "'z'", "'same' in every row", "10 labelled rows", "'who'"):
        assert any(says in fault for fault in faults)
