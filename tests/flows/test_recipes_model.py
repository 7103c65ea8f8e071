"""The model file: only what a model of its family holds is ever opened."""

from __future__ import annotations

import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tools.digest import digest
from tools.errors import Invalid, NotFound, Refused
from tools.recipes.card import CARD_FILE, MODEL_FILE, Card, Input
from tools.recipes.models import artefact
from tools.recipes.models.allowed import ALLOWED
from tools.recipes.models.encode import RawColumns, matrix
from tools.recipes.models.estimators import settled
from tools.recipes.models.families import SUITED, Size, pipeline
from tools.recipes.models.model import load, save
from tools.recipes.records import Family, Task

INPUTS = (
    Input(name="x", datatype="FP64", kind="number"),
    Input(name="城市", datatype="BYTES", kind="category"),
)
ROWS: dict[str, list[float] | list[str]] = {"x": [0.0, 1.0, 2.0, 3.0] * 10, "城市": ["北京", "上海"] * 20}


def card() -> Card:
    return Card(
        task="classification",
        label="y",
        answers="class",
        inputs=INPUTS,
        classes=("a", "b"),
        family="logistic_regression",
        params={},
        data_digest="0",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = pipeline("logistic_regression", "classification", {"C": 1.0}, front=RawColumns(text=[1]), seed=0)
    made.fit(matrix(ROWS, INPUTS, lowercase=False), np.array([0, 0, 1, 1] * 10))
    save(made, card(), tmp_path / "model")
    return tmp_path / "model"


def planted(target: Path, call: Callable[..., Any]) -> None:
    """A model file whose first step calls a foreign function."""
    steps = [("raw", FunctionTransformer(call)), ("model", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))]
    skops.io.dump(Pipeline(steps), target)


@pytest.mark.parametrize("call", [os.system, shutil.rmtree, eval, np.load, skops.io.load])
def test_a_file_with_a_foreign_callable_is_refused_before_anything_runs(folder: Path, call: Callable[..., Any]) -> None:
    planted(folder / MODEL_FILE, call)
    with pytest.raises(Refused, match=r"is not opened: it holds .*FunctionTransformer"):
        load(folder)


def test_a_callable_hidden_in_an_attribute_is_refused(folder: Path) -> None:
    hidden = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    hidden.coef_ = os.system
    skops.io.dump(Pipeline([("model", hidden)]), folder / MODEL_FILE)
    with pytest.raises(Refused, match=r"posix\.system|FunctionNode"):
        load(folder)


def test_a_type_swapped_in_the_file_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / MODEL_FILE) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    text = files["schema.json"].decode().replace("StandardScaler", "RobustScaler")
    with zipfile.ZipFile(folder / MODEL_FILE, "w") as archive:
        for name, content in (files | {"schema.json": text.encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(Refused, match="RobustScaler"):
        load(folder)


def test_a_model_of_another_family_is_not_what_the_card_says(folder: Path) -> None:
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    (folder / CARD_FILE).write_text(text.replace("logistic_regression", "gradient_boosting"), encoding="utf-8")
    with pytest.raises(Refused, match="which no gradient_boosting model holds"):
        load(folder)


def test_the_lists_name_no_function_and_no_wildcard() -> None:
    for names in ALLOWED.values():
        assert all(name.split(".")[0] in ("builtins", "numpy", "scipy", "sklearn", "tools") for name in names)
        assert not names & {
            "functools.partial",
            "builtins.eval",
            "builtins.getattr",
            "sklearn.preprocessing.FunctionTransformer",
        }


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"no archive at all"])
def test_a_damaged_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / MODEL_FILE).write_bytes(content)
    with pytest.raises(Refused, match="damaged"):
        load(folder)


def test_a_card_with_unknown_fields_is_refused(folder: Path) -> None:
    known = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    (folder / CARD_FILE).write_text(json.dumps(known | {"trusted": ["os.system"]}), encoding="utf-8")
    with pytest.raises(Refused, match="trusted"):
        load(folder)


def test_a_folder_without_a_model_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"model\.skops and model\.json"):
        load(tmp_path)


def test_the_folder_of_the_job_stands_for_its_model(folder: Path) -> None:
    assert load(folder.parent).digest == load(folder).digest == digest(folder)


def test_rows_that_do_not_fit_the_inputs_are_refused_with_every_fault(folder: Path) -> None:
    model = load(folder)
    with pytest.raises(Invalid) as refused:
        model.predict({"x": ["many"], "town": ["York"]})
    assert [f.split("'")[1] for f in refused.value.faults] == ["城市"]
    names, probability = model.predict_rows({"x": [0.0, 3.0], "城市": ["北京", "广州"], "more": [1, 2]})
    assert names == ["a", "b"]
    assert probability is not None


def test_a_digest_follows_names_and_bytes_and_nothing_else(tmp_path: Path) -> None:
    def folder_of(name: str, files: dict[str, bytes]) -> Path:
        for file, content in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(content)
        return tmp_path / name

    one = folder_of("one", {"a": b"1", "deep/b": b"2"})
    same = folder_of("same", {"deep/b": b"2", "a": b"1"})
    os.utime(same / "a", (0, 0))
    assert digest(one) == digest(same)
    others = [{"a": b"12", "deep/b": b""}, {"a": b"1", "b": b"2"}, {"a": b"1"}, {"a": b"1", "deep/b": b"2", "c": b""}]
    found = [digest(folder_of(f"other {i}", files)) for i, files in enumerate(others)]
    assert len({digest(one), *found}) == 5


def test_a_saved_file_holds_no_address_and_no_time(folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO((folder / MODEL_FILE).read_bytes())) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(len(name.split(".")[0]) < 4 or name == "schema.json" for name in archive.namelist())


def features(task: Task, sparse: bool) -> Any:
    """Rows with a gap, or frequencies, as a front leaves them."""
    rng = np.random.default_rng(0)
    rows = np.abs(rng.normal(size=(60, 5)))
    if sparse:
        return csr_matrix(np.where(rows > 1.0, rows, 0.0))
    rows[::7, 2] = np.nan
    return rows


@pytest.mark.parametrize(
    ("task", "family", "rows"),
    [(t, f, 60) for t, families in SUITED.items() if t != "image-classification" for f in families]
    + [(t, "svm", 60_000) for t, families in SUITED.items() if "svm" in families],
)
def test_every_family_comes_back_bit_identically(task: Task, family: Family, rows: int, tmp_path: Path) -> None:
    """Whatever it was told of the number of rows, which decides between kernels and none."""
    sparse = task == "text-classification"
    given = features(task, sparse)
    labels = np.arange(60) % 3 if task != "regression" else np.arange(60) * 7.5
    made = pipeline(family, task, {}, front=RawColumns(), size=Size(rows=rows, sparse=sparse), seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made[1:].fit(given, labels)
    settled(made[-1])
    artefact.save(made[1:], tmp_path / MODEL_FILE)
    back = artefact.load(tmp_path / MODEL_FILE, family)
    ask = "predict" if task == "regression" else "predict_proba"
    np.testing.assert_array_equal(getattr(back, ask)(given), getattr(made[1:], ask)(given))
    artefact.save(made[1:], tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / MODEL_FILE).read_bytes()


def test_a_damaged_array_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / MODEL_FILE) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder / MODEL_FILE, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if name == "schema.json" else content[:20])
    with pytest.raises(Refused, match="damaged"):
        load(folder)
