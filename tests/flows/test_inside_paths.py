"""Paths stay inside what was named, links resolved; and what stays inside is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from agent.contract import Contract, Data, Part
from agent.prospect import _outside
from tools.backends.local.backend import LocalBackend
from tools.dispatch import Dispatcher
from tools.errors import Invalid
from tools.recipes.data.folders import contents, read_folder
from tools.recipes.data.images_in import listed
from tools.recipes.data.reading import parquet
from tools.recipes.faults import BadInput
from tools.recipes.probe import probe
from tools.recipes.probe_records import ProbeArgs

TEXT = "a,b\n1,2\n"


def texts(root: Path) -> Path:
    for name in ("ham", "spam"):
        (root / name).mkdir(parents=True)
        for n in range(3):
            (root / name / f"{n}.txt").write_text(f"{name} {n}")
    return root


def tables(root: Path) -> Path:
    root.mkdir()
    (root / "one.csv").write_text(TEXT)
    return root


def images(root: Path) -> Path:
    for name in ("ill", "well"):
        (root / name).mkdir(parents=True)
        Image.new("RGB", (2, 2)).save(root / name / "0.png")
    return root


KINDS: tuple[tuple[Callable[[Path], Path], str, Callable[[Path], object]], ...] = (
    (texts, "ham/x.txt", contents),
    (tables, "x.csv", contents),
    (images, "ill/x.png", listed),
)


@pytest.mark.parametrize(("make", "name", "look"), KINDS)
def test_a_link_out_of_a_folder_of_data_is_named_and_not_followed(
    make: Callable[[Path], Path], name: str, look: Callable[[Path], object], tmp_path: Path
) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text(TEXT)
    root = make(tmp_path / "data")
    look(root)
    (root / name).symlink_to(secret)
    with pytest.raises(BadInput, match="is a link that leads out of the folder") as told:
        look(root)
    assert told.value.found[0].place == name
    (root / name).unlink()
    (root / name).symlink_to("../" * (name.count("/") + 1) + "id_rsa")
    with pytest.raises(BadInput, match="leads out of the folder"):
        look(root)


@pytest.mark.parametrize(("make", "name", "look"), KINDS)
def test_a_link_within_the_folder_is_a_file_like_others(
    make: Callable[[Path], Path], name: str, look: Callable[[Path], object], tmp_path: Path
) -> None:
    root = make(tmp_path / "data")
    first = next(p for p in sorted(root.rglob("*")) if p.is_file())
    (root / name).symlink_to(first)
    look(root)
    (tmp_path / "also").symlink_to(root)  # the folder itself may be named by a link
    look(tmp_path / "also")


def test_a_class_folder_that_is_a_link_elsewhere_is_named(tmp_path: Path) -> None:
    images(tmp_path / "private")
    root = images(tmp_path / "data")
    (root / "more").symlink_to(tmp_path / "private" / "ill")
    with pytest.raises(BadInput, match="more: is a link that leads out of the folder"):
        listed(root)


def test_what_a_link_leads_to_never_becomes_a_row(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "0.txt").write_text("hidden")
    root = texts(tmp_path / "data")
    (root / "more").symlink_to(tmp_path / "private")
    try:
        rows = read_folder(root, label=None).frame["text"].to_list()
    except BadInput:
        rows = []
    assert "hidden" not in rows


def contract(uri: str, *models: str) -> Contract:
    return Contract(parts=(Part(name="m", task="evaluate", data=(Data(uri=uri),), source_models=models),))


@pytest.mark.parametrize("place", ["/etc/passwd", "../x.csv", "data/../../x.csv", "~/x.csv", "link.csv", "up/x.csv"])
def test_a_goal_file_names_neither_data_nor_models_outside_its_project(place: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "x.csv").write_text(TEXT)
    (project / "link.csv").symlink_to(tmp_path / "x.csv")
    (project / "up").symlink_to(tmp_path)
    assert [f.place for f in _outside(contract(place), project)] == [place]
    if "/" in place:
        assert [f.place for f in _outside(contract("sklearn:iris", place), project)] == [place]


def test_what_lies_inside_may_be_named_and_so_may_a_model_of_the_registry(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text(TEXT)
    (tmp_path / "link.csv").symlink_to("data/x.csv")
    for place in ("data/x.csv", "./data/../link.csv", "link.csv", str(tmp_path / "data" / "x.csv")):
        assert not list(_outside(contract(place, "./models/credit", "credit:v9", "credit"), tmp_path))


@pytest.mark.parametrize("name", ["a[1].parquet", "*.parquet", "?1.parquet"])
def test_a_file_is_the_one_of_that_name_also_where_the_name_looks_like_a_pattern(name: str, tmp_path: Path) -> None:
    pl.DataFrame({"a": [9, 9, 9], "y": [0, 1, 0]}).write_parquet(tmp_path / "a1.parquet")
    with (tmp_path / name).open("wb") as file:
        pl.DataFrame({"a": [1], "y": [1]}).write_parquet(file)
    assert parquet(tmp_path / name).frame["a"].to_list() == [1]
    assert probe(ProbeArgs(source=str(tmp_path / name), label="y")).rows == 1


@pytest.mark.parametrize(
    "key", ["..", "jobs/../..", "/etc", "jobs//x", ".keys", "jobs/x/../../../secret", "a\\b", "\0"]
)
def test_an_object_key_leads_nowhere_else(key: str, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text('{"secret": 1}')
    backend = LocalBackend(home=tmp_path / "home", runtime=tmp_path / "runtime")
    dispatcher = Dispatcher(backend, approved=lambda _: None, now=lambda: 0.0)
    with pytest.raises(Invalid):
        dispatcher.read("read_evaluation", {"key": key})
    (tmp_path / "home" / "objects" / "jobs" / "x").mkdir(parents=True)
    (tmp_path / "home" / "objects" / "jobs" / "x" / "evaluation.json").write_text('{"n": 1}')
    assert dispatcher.read("read_evaluation", {"key": "jobs/x"})["document"] == {"n": 1}
