"""The recipes as the processes a job starts: files in, files out, exit codes, and what `plan` learns from a sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from recipe_shop import Shop, one, write
from sklearn import datasets

from evals.data import generate
from tools.errors import NotFound, Refused
from tools.ports import Failure, Progress
from tools.recipes import program
from tools.recipes.data import bundled
from tools.recipes.probe import SAMPLE_BYTES, probe
from tools.recipes.probe_records import Probe, ProbeArgs
from tools.recipes.records import EvaluateResult, Inputs, PrepareResult, Split, TrainResult
from tools.record import Json, Record


def start(name: str, folder: Path, inputs: Inputs) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    (folder / "inputs.json").write_text(inputs.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-I", "-m", f"tools.recipes.{name}", str(folder)]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)


def test_three_processes_take_a_source_to_a_number(tmp_path: Path) -> None:
    keys, jobs = Shop(tmp_path / "keys"), {name: tmp_path / name for name in ("prepare", "train", "evaluate")}
    outs = {name: str(folder / "out") for name, folder in jobs.items()}
    args: Json = {"task": "classification", "label": "target"}
    ran = start(
        "prepare",
        jobs["prepare"],
        Inputs(
            args=args | {"tables": [t.model_dump() for t in one("sklearn:breast_cancer", "bundled")]},
            secrets={"holdout.public": str(keys.public)},
            out=outs["prepare"],
        ),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    prepared = PrepareResult.model_validate_json((jobs["prepare"] / "result.json").read_bytes())
    ran = start(
        "train",
        jobs["train"],
        Inputs(
            args=args | {"family": "logistic_regression", "metric": "accuracy", "trials": 10, "seconds": 60},
            mounts={"data": outs["prepare"]},
            out=outs["train"],
        ),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    trained = TrainResult.model_validate_json((jobs["train"] / "result.json").read_bytes())
    ran = start(
        "evaluate",
        jobs["evaluate"],
        Inputs(
            args=args | {"measures": [{"metric": "accuracy"}], "classes": prepared.classes},
            mounts={"data": outs["prepare"], "model": outs["train"]},
            secrets={"holdout.private": str(keys.private)},
            out=outs["evaluate"],
        ),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    judged = EvaluateResult.model_validate_json((jobs["evaluate"] / "result.json").read_bytes())
    assert judged.measured[0].value is not None
    assert judged.measured[0].value >= 0.9
    assert judged.digests["model"] == trained.digest
    assert judged.digests["holdout"] == prepared.digests["holdout"]
    said = (jobs["train"] / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [Progress.model_validate_json(line) for line in said]
    assert [s.message for s in steps][:10] == [f"trial {i} of 10" for i in range(1, 11)]
    assert {"best", "last"} <= set(steps[0].metrics)


def test_a_bad_source_ends_with_one_typed_failure(tmp_path: Path) -> None:
    keys = Shop(tmp_path / "keys")
    source = tmp_path / "bad.csv"
    source.write_bytes("a,标签\n1,中\n".encode("gb18030"))
    tables = [t.model_dump() for t in one(source)]
    args: Json = {"tables": tables, "task": "classification", "label": "标签"}
    inputs = Inputs(args=args, secrets={"holdout.public": str(keys.public)}, out=str(tmp_path / "job" / "out"))
    ran = start("prepare", tmp_path / "job", inputs)
    assert ran.returncode == 1
    failure = Failure.model_validate_json((tmp_path / "job" / "failure.json").read_bytes())
    assert failure.cause == "data_invalid"
    assert "is not UTF-8" in failure.faults[0]
    assert not (tmp_path / "job" / "result.json").exists()


class Nothing(Record):
    """A result without a field."""


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MemoryError(), "out_of_memory_host"),
        (OSError(28, "No space left on device"), "disk_full"),
        (ModuleNotFoundError("no polars"), "missing_dependency"),
        (PermissionError("no"), "permission"),
        (NotFound("no model"), "data_missing"),
        (Refused("a foreign callable"), "data_invalid"),
        (ZeroDivisionError("oops"), "unknown"),
    ],
)
def test_whatever_goes_wrong_has_a_typed_cause(tmp_path: Path, error: Exception, cause: str) -> None:
    def work(inputs: Inputs, say: program.Say) -> Nothing:
        raise error

    (tmp_path / "inputs.json").write_text(Inputs(args={}, out=str(tmp_path / "out")).model_dump_json())
    assert program.run([str(tmp_path)], work) == 1
    failure = Failure.model_validate_json((tmp_path / "failure.json").read_bytes())
    assert failure.cause == cause
    assert failure.evidence


def test_arguments_that_are_no_record_are_named_field_by_field(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "keys")
    inputs = Inputs(
        args={"tables": 3, "split": {"by": "moon"}}, secrets={"holdout.public": str(shop.public)}, out=str(tmp_path)
    )
    ran = start("prepare", tmp_path / "job", inputs)
    failure = Failure.model_validate_json((tmp_path / "job" / "failure.json").read_bytes())
    assert ran.returncode == 1
    assert {f.split(":")[0] for f in failure.faults} == {"tables", "split.by", "task", "label"}


def test_the_table_of_bundled_sets_is_what_is_installed() -> None:
    for name, known in bundled.table().items():
        bunch = getattr(datasets, f"load_{name}")()
        assert known.rows == len(bunch.target)
        assert known.columns == tuple(map(str, bunch.feature_names))
        if known.task == "classification":
            assert known.classes == tuple(map(str, bunch.target_names))
            rare = min(range(len(known.classes)), key=lambda c: int((bunch.target == c).sum()))
            assert known.positive == (known.classes[rare] if len(known.classes) == 2 else None)


def test_the_probe_answers_without_the_learning_libraries(tmp_path: Path) -> None:
    source = write(tmp_path / "churn.csv", generate.churn(50, seed=1))
    ask = ProbeArgs(source=source, label="churned").model_dump_json()
    watch = "import sys, runpy\ntry: runpy.run_module('tools.recipes.probe', run_name='__main__')\n"
    watch += "except SystemExit: pass\nprint([m for m in ('sklearn', 'scipy', 'optuna', 'skops') if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", watch], input=ask, capture_output=True, text=True, timeout=60, check=True
    )
    document, modules = ran.stdout.splitlines()
    assert Probe.model_validate_json(document).label is not None
    assert modules == "[]"


def test_a_probe_shows_what_a_plan_needs(tmp_path: Path) -> None:
    source = write(tmp_path / "churn.csv", generate.churn(200, seed=1))
    seen = probe(ProbeArgs(source=source, label="churned"))
    assert (seen.rows, seen.sampled, seen.complete, seen.faults) == (200, 200, True, ())
    assert {c.name: c.kind for c in seen.columns}["joined"] == "time"
    assert seen.label is not None
    assert seen.label.classes == ("no", "yes")
    assert seen.label.positive == "yes"
    assert seen.label.suggested_task == "classification"
    assert len(seen.sample) == 5
    assert seen.bytes == os.path.getsize(source)


def test_a_probe_suggests_regression_and_a_likely_label(tmp_path: Path) -> None:
    source = write(tmp_path / "houses.csv", generate.houses(100, seed=1))
    seen = probe(ProbeArgs(source=source, label="price"))
    assert seen.label is not None
    assert seen.label.suggested_task == "regression"
    assert seen.label.classes == ()
    named = write(tmp_path / "named.csv", [{"a": i, "Target": i % 2} for i in range(30)])
    assert probe(ProbeArgs(source=named)).likely_label == "Target"


def test_a_probe_reads_no_more_than_its_sample(tmp_path: Path) -> None:
    place = tmp_path / "big.csv"
    with place.open("w", encoding="utf-8") as stream:
        stream.write("x,text,y\n")
        for i in range(60_000):
            stream.write(f'{i},"line one\nline two {"中" * 40}",{i % 2}\n')
    assert place.stat().st_size > 2 * SAMPLE_BYTES - 1
    with place.open("ab") as stream:
        stream.write(b"\xff not UTF-8, and far behind\n")
    seen = probe(ProbeArgs(source=str(place), label="y"))
    assert seen.faults == ()
    assert seen.sampled == 10_000
    assert not seen.complete
    assert abs(seen.rows - 60_000) < 2_000


def test_a_probe_counts_the_rows_of_parquet_without_reading_them(tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame({"x": range(30_000), "y": [0, 1] * 15_000}).write_parquet(tmp_path / "big.parquet")
    seen = probe(ProbeArgs(source=str(tmp_path / "big.parquet"), label="y"))
    assert (seen.rows, seen.sampled, seen.complete) == (30_000, 10_000, False)


@pytest.mark.parametrize(
    ("text", "changes", "cause", "says"),
    [
        (None, {}, "data_missing", "does not exist"),
        ("", {}, "data_invalid", "is empty"),
        ("a,y\n", {}, "data_invalid", "has a header and no rows"),
        ("a,b\n1,2\n", {}, "data_invalid", "'y'"),
        ("a,y\n" + "1,k\n" * 30, {}, "data_invalid", "in every row"),
        ("a,y\n" + "".join(f"1,k{i}\n" for i in range(30)), {}, "data_invalid", "30 distinct values"),
        ("a,y\n" + "1,p\n2,q\n" * 3, {}, "data_invalid", "at least 20"),
        ("a,a,y\n" + "1,1,p\n2,1,q\n" * 20, {}, "data_invalid", "on columns 1, 2"),
        (
            "a,y\n" + "".join(f"1,{i}.5\n" for i in range(30)) + "1,inf\n",
            {"task": "regression"},
            "data_invalid",
            "infinite",
        ),
        ("a,y\n" + "1,p\n2,q\n" * 20, {"split": Split(by="time", column="when")}, "data_invalid", "'when'"),
    ],
)
def test_a_probe_reports_faults_and_never_fails(
    tmp_path: Path, text: str | None, changes: dict[str, object], cause: str, says: str
) -> None:
    place = tmp_path / "data.csv"
    if text is not None:
        place.write_text(text, encoding="utf-8")
    seen = probe(ProbeArgs.model_validate({"source": str(place), "label": "y"} | changes))
    assert seen.cause == cause
    assert any(says in str(f) for f in seen.faults)


def test_a_probe_of_a_bundled_set_comes_from_the_table() -> None:
    seen = probe(ProbeArgs(source="sklearn:breast_cancer"))
    assert (seen.rows, seen.format, len(seen.columns)) == (569, "bundled", 30)
    assert seen.label is not None
    assert seen.label.classes == ("benign", "malignant")
    assert probe(ProbeArgs(source="sklearn:nothing")).cause == "data_missing"
    assert "a class, not a number" in str(probe(ProbeArgs(source="sklearn:iris", task="regression")).faults[0])


def test_a_document_of_the_probe_is_json_to_the_last_character(tmp_path: Path) -> None:
    source = write(tmp_path / "贷款.csv", generate.loans(40, seed=1))
    assert json.loads(probe(ProbeArgs(source=source, label="违约")).model_dump_json())["label"]["classes"] == [
        "否",
        "是",
    ]
