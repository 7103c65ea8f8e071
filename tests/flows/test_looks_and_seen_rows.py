"""What makes a number on the holdout worth less: rows the model was trained on, and looks that others have had."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from recipe_shop import Shop, one, write
from simulated import ACCURACY, Stage, classify, clause

from evals.data import generate
from tools.backends.local.objects import LocalObjects
from tools.recipes.data import seen
from tools.recipes.faults import BadInput
from tools.recipes.records import SEEN, SEEN_ROWS, EvaluateArgs, EvaluateResult, Measure, PrepareArgs, Table, TrainArgs


def test_a_row_is_known_again_in_another_order_spelling_and_file(tmp_path: Path) -> None:
    kept = pl.DataFrame({"n": [1, 2, None], "t": ["a", "2.50", None], "f": [True, False, None]})
    seen.write([kept], tmp_path, salt="one")
    again = pl.DataFrame({"f": [1, 0, 1], "more": [0, 0, 0], "t": ["a", "2.5", "a"], "n": [1.0, 2.0, 9.0]})
    assert seen.count(again, tmp_path / SEEN_ROWS) == 2
    assert seen.count(kept, tmp_path / SEEN_ROWS) == 3
    assert seen.count(again.drop("t"), tmp_path / SEEN_ROWS) is None
    first = (tmp_path / SEEN_ROWS).read_text()
    seen.write([kept], tmp_path, salt="two")
    assert not set(first.splitlines()) & set((tmp_path / SEEN_ROWS).read_text().splitlines()), (
        "salted with what is the preparation's own"
    )
    assert "2.5" not in first.split("\n", 1)[1]


@pytest.mark.parametrize("content", ["", "{}", "[]\nabc", "not json\n", '{"salt": "s", "columns": 3}'])
def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / SEEN_ROWS).write_text(content)
    with pytest.raises(BadInput, match="register the model again"):
        seen.count(pl.DataFrame({"a": [1]}), tmp_path / SEEN_ROWS)


@pytest.fixture
def trained(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "first")
    source = write(tmp_path / "churn.csv", generate.churn(300, seed=1))
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
    shop.train(
        TrainArgs(
            task="classification", label="churned", family="decision_tree", metric="accuracy", trials=1, seconds=60
        )
    )
    return shop


def existing(shop: Shop, source: str, *, kept: bool = True) -> EvaluateResult:
    """The model of the shop on the whole of a table of its own."""
    own = Shop(shop.folder.parent / Path(source).stem)
    held = (Table(name=source, source=source, format="csv", role="holdout"),)
    own.prepare(PrepareArgs(tables=held, task="classification", label="churned"))
    own.trained = shop.trained
    args = EvaluateArgs(
        task="classification", label="churned", measures=(Measure(metric="accuracy"),), existing=("model",)
    )
    return own.evaluate(args, **({"model" + SEEN: shop.data / SEEN_ROWS} if kept else {}))


def test_a_model_that_exists_is_counted_the_rows_it_was_trained_on(trained: Shop, tmp_path: Path) -> None:
    again = existing(trained, str(tmp_path / "churn.csv"))
    opened = sum(trained.part(name).height for name in ("train.parquet", "validation.parquet"))
    assert opened <= again.seen_rows["model"] <= again.rows
    assert f"the model: it was trained on {again.seen_rows['model']} of these {again.rows} rows" in again.findings
    fresh = existing(trained, write(tmp_path / "fresh.csv", generate.churn(200, seed=2)))
    assert fresh.seen_rows == {"model": 0}
    assert not [told for told in fresh.findings if "trained on" in told]


def test_of_a_model_nobody_knows_that_is_said(trained: Shop, tmp_path: Path) -> None:
    brought = existing(trained, str(tmp_path / "churn.csv"), kept=False)
    assert brought.seen_rows == {}
    assert "the model: it is not known whether the model has seen these rows" in brought.findings


def test_its_own_split_is_no_finding(trained: Shop) -> None:
    made = trained.evaluate(
        EvaluateArgs(task="classification", label="churned", measures=(Measure(metric="accuracy"),))
    )
    assert (made.seen_rows, made.confined) == ({}, True)
    assert not [told for told in made.findings if "seen" in told]


def test_the_same_goal_again_in_one_home_is_judged_on_the_stricter_bound(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(clause("accuracy", ">=", 0.8)))
    first, second, third = (stage.ended() for _ in range(3))
    assert [d.run.holdout_looks for d in (first, second, third)] == [1, 2, 3]
    notes = [d.run.clauses[0].note for d in (first, second, third)]
    assert "bound" not in notes[0]
    assert "judged on the 0.9833 bound" in notes[1]
    assert "other goals or parts opened the same rows 1 times before" in notes[1]
    assert "opened the same rows 2 times before" in notes[2]


def test_looks_in_another_home_are_not_known(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert Stage(tmp_path / name, classify(ACCURACY)).ended().run.holdout_looks == 1


def test_registering_keeps_the_hashes_of_the_first_time(tmp_path: Path) -> None:
    from tools.backends.local.backend import LocalBackend
    from tools.ports import Tags
    from tools.register import RegisterModel, register_model, seen_of
    from tools.tool import Done, Site

    backend = LocalBackend(home=tmp_path / "home", runtime=tmp_path / "runtime")
    objects: LocalObjects = backend.objects
    for key, names in {"jobs/train": ("model.json",), "jobs/data": ("validation.parquet", SEEN_ROWS)}.items():
        place = tmp_path / key
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_text("{}")
        objects.put(key, place)
    tags = Tags(run="r", call="r/register/1", owner="ada", lease_until=1e12)
    site = Site(backend=backend, tags=tags, limit_s=60.0, now=0.0)
    args = RegisterModel(name="churn", model="jobs/train", data="jobs/data", label="churned")
    made = register_model.start(args, site)
    assert isinstance(made, Done)
    kept = objects.fetch(seen_of(str(made.result["key"])))
    assert kept.read_text() == "{}"
    (objects.fetch("jobs/data") / SEEN_ROWS).write_text("other")
    register_model.start(args, site)
    assert objects.fetch(seen_of(str(made.result["key"]))).read_text() == "{}"
