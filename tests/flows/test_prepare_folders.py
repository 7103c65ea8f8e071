"""Folders as data: images and texts with one sub-folder per class, tables put together, and all that lies in them."""

from __future__ import annotations

import random
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from PIL import Image
from recipe_shop import Shop, write

from evals.data import generate
from tools.recipes import parts
from tools.recipes.faults import BadInput
from tools.recipes.probe import probe
from tools.recipes.probe_records import ProbeArgs
from tools.recipes.records import PrepareArgs, PrepareResult, Role, Table, Task

FORMATS = ("png", "jpeg", "bmp", "gif", "webp")


def draw(path: Path, rng: random.Random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (6, 5), (rng.randrange(256), rng.randrange(256), rng.randrange(256)))
    image.save(path)


def scans(root: Path, rows: int = 15) -> Path:
    rng = random.Random(0)
    for name in ("ill", "well"):
        for i in range(rows):
            draw(root / name / f"{i:02}.{FORMATS[i % 5]}", rng)
    return root


def png(width: int, height: int) -> bytes:
    """A file that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def folder(root: Path, kind: Literal["images", "folder"], role: Role = "train") -> Table:
    return Table(name=root.name, source=str(root), format=kind, role=role)


def prepare(shop: Shop, *tables: Table, task: Task = "image-classification", label: str | None = None) -> PrepareResult:
    return shop.prepare(PrepareArgs(tables=tables, task=task, label=label))


def refused(root: Path, kind: Literal["images", "folder"], task: Task = "image-classification") -> str:
    with pytest.raises(BadInput) as caught:
        prepare(Shop(Path(tempfile.mkdtemp(dir=root.parent))), folder(root, kind), task=task)
    return str(caught.value)


def test_images_are_their_bytes_and_the_class_is_the_folder(tmp_path: Path) -> None:
    root, shop = scans(tmp_path / "scans"), Shop(tmp_path / "shop")
    (root / "ill" / "notes.txt").write_text("x")
    (root / ".DS_Store").write_text("x")
    made = prepare(shop, folder(root, "images"))
    assert (made.label, made.classes, made.rows) == ("label", ("ill", "well"), 30)
    assert [(c.name, c.kind) for c in made.columns] == [("image", "image")]
    holdout = shop.holdout("label")
    files = sorted(p for p in root.rglob("*.*") if p.suffix[1:] in FORMATS)
    assert [files[r].read_bytes() for r in holdout.rows] == holdout.features["image"].to_list()
    assert [files[r].parent.name for r in holdout.rows] == holdout.label.to_list()
    assert shop.part(parts.TRAIN).schema == {"image": pl.Binary, "label": pl.String}
    assert any("files that are no images were left out (1): 'ill/notes.txt'" in f for f in made.findings)


def test_every_image_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    root = scans(tmp_path / "bad")
    whole = (root / "ill" / "00.png").read_bytes()
    bad = {
        "cut.png": (whole[:-20], "damaged"),
        "empty.png": (b"", "is empty"),
        "text.jpg": (b"hello", "is no image"),
        "bomb.png": (png(60_000, 60_000), "too many pixels"),
        "large.png": (png(9_000, 9_000), "9000 × 9000 pixels"),
    }
    for name, (content, _) in bad.items():
        (root / "well" / name).write_bytes(content)
    (root / "nobody").mkdir()
    told = refused(root, "images")
    for name, (_, says) in bad.items():
        assert says in told.partition(f"well/{name}: ")[2].partition("; replace")[0], name
    assert "bad/nobody: the class holds no image" in told


def test_the_same_image_twice_is_there_once(tmp_path: Path) -> None:
    root = scans(tmp_path / "scans")
    (root / "ill" / "again.png").write_bytes((root / "ill" / "00.png").read_bytes())
    made = prepare(Shop(tmp_path / "shop"), folder(root, "images"))
    assert made.duplicates_removed == 1


def test_parts_of_a_split_in_one_folder_are_told_apart_by_a_person(tmp_path: Path) -> None:
    train, test = scans(tmp_path / "all" / "train", 12), scans(tmp_path / "all" / "test", 3)
    assert "they look like parts of a split" in refused(tmp_path / "all", "images")
    made = prepare(Shop(tmp_path / "shop"), folder(train, "images"), folder(test, "images", "holdout"))
    assert made.holdout_rows == 6


@pytest.mark.parametrize("kind", ["images", "folder"])
def test_a_folder_without_data_says_what_belongs_into_it(tmp_path: Path, kind: Literal["images", "folder"]) -> None:
    (tmp_path / "nothing").mkdir()
    assert "holds no" in refused(tmp_path / "nothing", kind)
    assert "does not exist" in refused(tmp_path / "nowhere", kind)
    (tmp_path / "file").write_text("x")
    assert "is not a folder" in refused(tmp_path / "file", kind)


def test_images_beside_each_other_have_no_class(tmp_path: Path) -> None:
    draw(tmp_path / "flat" / "a.png", random.Random(0))
    assert "1 images lie beside each other" in refused(tmp_path / "flat", "images")


def test_images_are_no_columns_of_numbers(tmp_path: Path) -> None:
    assert "ask for image-classification" in refused(scans(tmp_path / "scans"), "images", "classification")


def test_files_of_one_schema_are_one_table(tmp_path: Path) -> None:
    rows = generate.churn(90, seed=1)
    (tmp_path / "months").mkdir()
    for i in range(3):
        write(tmp_path / "months" / f"m{i}.csv", rows[30 * i : 30 * i + 30])
    shop, whole = Shop(tmp_path / "shop"), Shop(tmp_path / "whole")
    made = prepare(shop, folder(tmp_path / "months", "folder"), task="classification", label="churned")
    one = Table(name="all", source=write(tmp_path / "all.csv", rows), format="csv")
    other = prepare(whole, one, task="classification", label="churned")
    assert made.model_copy(update={"digests": {}}) == other.model_copy(update={"digests": {}})
    assert shop.part(parts.TRAIN).equals(whole.part(parts.TRAIN))
    assert (shop.data / "train.csv").exists()


def test_files_that_do_not_fit_the_others_are_all_named(tmp_path: Path) -> None:
    rows = generate.churn(60, seed=1)
    (tmp_path / "odd").mkdir()
    write(tmp_path / "odd" / "a.csv", rows)
    write(tmp_path / "odd" / "b.csv", [{"tenure": 1, "more": 2}])
    (tmp_path / "odd" / "c.csv").write_text("")
    told = refused(tmp_path / "odd", "folder", "classification")
    assert "b.csv: has not the columns of a.csv" in told
    assert "'more' besides" in told
    assert "c.csv: is empty" in told
    pl.DataFrame(rows).write_parquet(tmp_path / "odd" / "d.parquet")
    assert "files of 2 formats" in refused(tmp_path / "odd", "folder", "classification")


def test_numbers_in_one_file_and_text_in_another_are_text(tmp_path: Path) -> None:
    (tmp_path / "mixed").mkdir()
    write(tmp_path / "mixed" / "a.csv", [{"code": i, "n": i, "y": "pq"[i % 2]} for i in range(30)])
    write(tmp_path / "mixed" / "b.csv", [{"code": f"c{i}", "n": i + 0.5, "y": "pq"[i % 2]} for i in range(30)])
    shop = Shop(tmp_path / "shop")
    made = prepare(shop, folder(tmp_path / "mixed", "folder"), task="classification", label="y")
    assert {c.name: c.kind for c in made.columns} == {"code": "category", "n": "number"}


def texts(root: Path) -> Path:
    for name in ("正面", "负面"):
        (root / name).mkdir(parents=True)
        for i in range(15):
            (root / name / f"{i}.txt").write_text(f"第 {i} 条评论, {name}", encoding="utf-8")
    return root


def test_texts_by_class_are_a_column_of_text(tmp_path: Path) -> None:
    root, shop = texts(tmp_path / "reviews"), Shop(tmp_path / "shop")
    made = prepare(shop, folder(root, "folder"), task="text-classification")
    assert (made.label, made.classes, made.rows) == ("label", ("正面", "负面"), 30)
    assert shop.holdout("label").features.columns == ["text"]
    (root / "正面" / "bad.txt").write_bytes(b"\xff\xfe")
    assert "正面/bad.txt: is not UTF-8" in refused(root, "folder", "text-classification")


def test_a_probe_of_a_folder_counts_and_samples(tmp_path: Path) -> None:
    root = scans(tmp_path / "scans")
    seen = probe(ProbeArgs(source=str(root)))
    assert (seen.format, seen.rows, seen.sampled, seen.faults) == ("images", 30, 30, ())
    assert seen.label is not None
    assert (seen.label.classes, seen.label.suggested_task) == (("ill", "well"), "image-classification")
    (root / "ill" / "00.png").write_bytes(b"")
    assert "ill/00.png: is empty" in str(probe(ProbeArgs(source=str(root), task="image-classification")).faults[0])
    said = probe(ProbeArgs(source=str(texts(tmp_path / "reviews"))))
    assert said.label is not None
    assert (said.format, said.rows, said.label.suggested_task) == ("folder", 30, "text-classification")
    (tmp_path / "nothing").mkdir()
    assert probe(ProbeArgs(source=str(tmp_path / "nothing"))).cause == "data_invalid"
    assert probe(ProbeArgs(source=str(tmp_path / "nowhere"), format="images")).cause == "data_missing"


def test_a_probe_of_many_tables_reads_one_and_asks_the_others_for_their_columns(tmp_path: Path) -> None:
    (tmp_path / "months").mkdir()
    for i in range(3):
        write(tmp_path / "months" / f"m{i}.csv", generate.churn(40, seed=i))
    asked = ProbeArgs(source=str(tmp_path / "months"), label="churned")
    seen = probe(asked)
    assert (seen.format, seen.sampled, seen.complete, seen.faults) == ("folder", 40, False, ())
    assert abs(seen.rows - 120) < 5
    write(tmp_path / "months" / "z.csv", [{"a": 1}])
    assert "z.csv: has not the columns of m0.csv" in str(probe(asked).faults[0])
