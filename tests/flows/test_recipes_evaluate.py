"""Evaluation: every holdout row, numbers anybody can compute again, and the user's own predict command."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path

import pytest
from recipe_shop import Shop, column, read, write

from evals.data import generate
from tools.digest import digest
from tools.recipes import parts
from tools.recipes.command import predictions
from tools.recipes.faults import BadInput
from tools.recipes.records import EvaluateArgs, Measure, PrepareArgs, TrainArgs

METRICS = ("accuracy", "f1", "precision", "recall", "roc_auc", "log_loss", "mcc")


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("churn")
    shop = Shop(folder / "shop")
    source = write(folder / "churn.csv", generate.churn(400, seed=1))
    shop.prepare(
        PrepareArgs(source=source, format="csv", task="classification", label="churned", clean=("drop_missing",))
    )
    shop.train(
        TrainArgs(
            task="classification", label="churned", family="logistic_regression", metric="f1", trials=2, seconds=60
        )
    )
    return shop


def asked(*metrics: str, **changes: object) -> EvaluateArgs:
    given = {"task": "classification", "label": "churned", "measures": [Measure(metric=m) for m in metrics or METRICS]}
    return EvaluateArgs.model_validate(given | changes)


def test_the_numbers_follow_from_the_rows_and_the_source(churn: Shop) -> None:
    result = churn.evaluate(asked())
    source, rows = read(churn.folder.parent / "churn.csv"), churn.evidence()
    truth = [source[int(row["row"])]["churned"] for row in rows]
    assert column(rows, "label") == truth
    told, score = column(rows, "prediction"), [float(s) for s in column(rows, "score")]
    n = len(rows)
    tp, fp, fn = (
        sum(y == a and p == b for y, p in zip(truth, told, strict=True))
        for a, b in (("yes", "yes"), ("no", "yes"), ("yes", "no"))
    )
    pairs = [
        (a, b)
        for a, y in zip(score, truth, strict=True)
        if y == "yes"
        for b, z in zip(score, truth, strict=True)
        if z == "no"
    ]
    expected = {
        "accuracy": sum(y == p for y, p in zip(truth, told, strict=True)) / n,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "roc_auc": sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs),
        "log_loss": -sum(math.log(s if y == "yes" else 1 - s) for s, y in zip(score, truth, strict=True)) / n,
    }
    measured = {m.metric: m.value for m in result.measured}
    assert {m: measured[m] for m in expected} == pytest.approx(expected, rel=1e-12)
    for m in result.measured:
        assert m.low is not None
        assert m.high is not None
        assert m.value is not None
        assert m.low <= m.value <= m.high


def test_no_holdout_row_is_dropped_for_what_it_lacks(churn: Shop) -> None:
    result = churn.evaluate(asked("accuracy"))
    holdout = churn.holdout("churned")
    assert holdout.features["spend"].null_count() > 0
    assert result.rows == len(churn.evidence()) == len(holdout.rows) == 80
    assert result.dropped == 0


def test_the_number_is_bound_to_what_was_measured(churn: Shop) -> None:
    first, again = churn.evaluate(asked()), churn.evaluate(asked())
    assert first == again
    assert first.digests["model"] == digest(churn.trained / "model")
    assert first.digests["train"] == digest(churn.data / parts.TRAIN)
    assert first.digests["holdout"] == churn.holdout("churned").digest
    assert len(first.digests["evaluator"]) == 64
    assert first.findings == ()


def test_the_report_holds_every_class_and_how_each_interval_was_made(churn: Shop) -> None:
    churn.evaluate(asked("accuracy", "f1"))
    report = json.loads((churn.judged / "evaluation.json").read_text(encoding="utf-8"))
    assert [m["interval"] for m in report["measured"]] == ["Clopper-Pearson", "percentile bootstrap"]
    assert [c["class"] for c in report["per_class"]] == ["no", "yes"]
    assert sum(map(sum, report["confusion"]["counts"])) == report["rows"] == 80


def test_another_runs_key_does_not_open_the_holdout(churn: Shop, tmp_path: Path) -> None:
    stranger = Shop(tmp_path / "stranger")
    stranger.data, stranger.trained = churn.data, churn.trained
    with pytest.raises(BadInput, match="does not open"):
        stranger.evaluate(asked("accuracy"))


def test_regression_writes_numbers_that_read_back_exactly(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    source = write(tmp_path / "houses.csv", generate.houses(200, seed=1))
    shop.prepare(PrepareArgs(source=source, format="csv", task="regression", label="price"))
    shop.train(TrainArgs(task="regression", label="price", family="ridge", metric="rmse", trials=2, seconds=60))
    measures = [Measure(metric=m) for m in ("rmse", "mae", "r2", "smape")]
    result = shop.evaluate(EvaluateArgs(task="regression", label="price", measures=tuple(measures)))
    pairs = [(float(row["label"]), float(row["prediction"])) for row in shop.evidence()]
    mean = sum(y for y, _ in pairs) / len(pairs)
    squares = sum((y - p) ** 2 for y, p in pairs)
    expected = [
        math.sqrt(squares / len(pairs)),
        sum(abs(y - p) for y, p in pairs) / len(pairs),
        1 - squares / sum((y - mean) ** 2 for y, _ in pairs),
        sum(2 * abs(y - p) / (abs(y) + abs(p)) for y, p in pairs) / len(pairs),
    ]
    assert [m.value for m in result.measured] == pytest.approx(expected, rel=1e-12)
    rows = read(source)
    assert [float(rows[int(r["row"])]["price"]) for r in shop.evidence()] == [y for y, _ in pairs]
    assert "residuals" in json.loads((shop.judged / "evaluation.json").read_text(encoding="utf-8"))


def test_more_classes_and_chinese_text_go_all_the_way(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = generate.loans(240, seed=2)
    for row in rows:
        row["违约"] = "高" if row["违约"] == "是" and int(str(row["年龄"])) > 45 else row["违约"]
    source = write(tmp_path / "贷款.csv", rows)
    made = shop.prepare(PrepareArgs(source=source, format="csv", task="classification", label="违约"))
    shop.train(
        TrainArgs(
            task="classification",
            label="违约",
            classes=made.classes,
            family="gradient_boosting",
            metric="f1_macro",
            trials=1,
            seconds=60,
        )
    )
    measures = (Measure(metric="f1", of="是"), Measure(metric="roc_auc"), Measure(metric="log_loss"))
    result = shop.evaluate(EvaluateArgs(task="classification", label="违约", classes=made.classes, measures=measures))
    assert all(m.value is not None for m in result.measured)
    assert [*shop.evidence()[0]] == ["row", "label", "prediction", *(f"score_{c}" for c in made.classes)]


def test_copies_across_the_split_and_leaks_trip_a_wire(churn: Shop, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    same = generate.churn(60, seed=1)
    rows = [*same, *(row | {"churned": "no" if row["churned"] == "yes" else "yes"} for row in same)]
    source = write(tmp_path / "copies.csv", [row | {"code": f"c {row['churned']}"} for row in rows])
    shop.prepare(
        PrepareArgs(source=source, format="csv", task="classification", label="churned", drop_columns=("code",))
    )
    shop.trained = churn.trained
    told = "\n".join(shop.evaluate(asked("accuracy")).findings)
    assert "have exactly the features of a training row" in told
    assert "it is not the one that was trained" in told
    leaky = Shop(tmp_path / "leaky")
    leaky.prepare(PrepareArgs(source=source, format="csv", task="classification", label="churned"))
    leaky.trained = churn.trained
    assert any("'code' gives the label away" in f for f in leaky.evaluate(asked("accuracy")).findings)


GOOD = """
import csv, os, sys
assert not [n for n in os.environ if n.startswith("GOALKEEPER_") and n != "GOALKEEPER_OUTPUT_DIR"]
rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8")))
assert "churned" not in rows[0] and not [n for n in rows[0] if n.startswith("__")]
with open(sys.argv[2], "w") as out:
    out.write("prediction\\n" + "".join(("yes" if int(r["calls"]) > 2 else "no") + "\\n" for r in rows))
"""


def own(folder: Path, program: str) -> EvaluateArgs:
    folder.mkdir(exist_ok=True)
    (folder / "predict.py").write_text(program, encoding="utf-8")
    command = f"{shlex.quote(sys.executable)} predict.py"
    return asked("accuracy", "roc_auc", predict=command, folder=str(folder))


def test_a_command_of_the_users_own_is_asked_without_labels(churn: Shop, tmp_path: Path) -> None:
    result = churn.evaluate(own(tmp_path / "own", GOOD))
    accuracy, area = result.measured
    rows, source = churn.evidence(), read(churn.folder.parent / "churn.csv")
    expected = ["yes" if int(source[int(r["row"])]["calls"]) > 2 else "no" for r in rows]
    assert column(rows, "prediction") == expected
    assert accuracy.value == sum(p == r["label"] for p, r in zip(expected, rows, strict=True)) / len(rows)
    assert area.value is None
    assert "score" not in rows[0]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import sys; sys.exit('no such column')", "exit code 1: no such column"),
        ("pass", "left no OUT.csv"),
        ("import sys; open(sys.argv[2], 'w').write('prediction\\nyes\\n')", "1 predictions for 80 rows"),
        ("import sys; open(sys.argv[2], 'w').write('guess\\n' + 'yes\\n' * 80)", "no column 'prediction' but guess"),
        ("import sys; open(sys.argv[2], 'w').write('prediction\\n' + 'yes\\n' * 79 + 'NaN\\n')", "the first is row 79"),
    ],
)
def test_a_command_that_fails_is_the_users_error(churn: Shop, tmp_path: Path, program: str, says: str) -> None:
    with pytest.raises(BadInput) as failed:
        churn.evaluate(own(tmp_path / "own", program))
    assert failed.value.cause == "user_code_error"
    assert says in str(failed.value)


def test_a_command_that_is_not_there_is_the_users_error(churn: Shop, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be started"):
        churn.evaluate(asked("accuracy", predict="./no-such-program", folder=str(tmp_path)))


def test_a_command_that_hangs_is_ended_with_all_it_started(churn: Shop, tmp_path: Path) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    program = f"import subprocess, sys, time\n{child}\ntime.sleep(600)\n"
    (tmp_path / "predict.py").write_text(program, encoding="utf-8")
    with pytest.raises(BadInput) as late:
        predictions(
            f"{shlex.quote(sys.executable)} predict.py",
            tmp_path,
            churn.holdout("churned").features,
            model=None,
            limit_s=0.5,
        )
    assert late.value.cause == "timeout"


PRYING = """
import csv, os, sys
def tell(path):
    try:
        return open(path, "rb").read() if os.path.isfile(path) else os.listdir(path)
    except OSError:
        return b""
found = [p for p in sys.argv[3:] if tell(p)]
os.system("umount " + " ".join(sys.argv[3:]) + " 2>/dev/null")
found += [p for p in sys.argv[3:] if tell(p)]
found += [p for p in os.listdir("/proc") if p.isdigit() and tell(f"/proc/{p}/root" + sys.argv[3])]
rows = list(csv.reader(open(sys.argv[1])))[1:]
csv.writer(open(sys.argv[2], "w")).writerows([["prediction"], *([len(found)] for _ in rows)])
"""


def test_a_predict_command_finds_neither_labels_nor_key(churn: Shop, tmp_path: Path) -> None:
    """Where namespaces can be had; elsewhere the evaluation says that it could have looked."""
    (tmp_path / "prying.py").write_text(PRYING, encoding="utf-8")
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_bytes(b"key")
    folder.mkdir()
    (folder / "labels.csv").write_text("yes")
    command = shlex.join([sys.executable, "-c", PRYING])
    wrapper = tmp_path / "predict.sh"
    wrapper.write_text(f'exec {command} "$1" "$2" {secret} {folder} {folder}/labels.csv', encoding="utf-8")
    features = churn.holdout("churned").features
    told, alone = predictions(f"sh {wrapper}", tmp_path, features, model=None, hide=[secret, folder])
    exposed, _ = predictions(f"sh {wrapper}", tmp_path, features, model=None)
    assert set(exposed.to_list()) != {"0"}, "the program would find what is not hidden"
    assert not alone or set(told.to_list()) == {"0"}


def test_predictions_are_matched_to_the_spelling_of_the_source(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [row | {"churned": int(row["churned"] == "yes")} for row in generate.churn(100, seed=1)]
    source = write(tmp_path / "numbers.csv", rows)
    shop.prepare(PrepareArgs(source=source, format="csv", task="classification", label="churned"))
    program = GOOD.replace('"yes"', '"1.0"').replace('"no"', '"0.0"')
    shop.evaluate(own(tmp_path / "own", program))
    assert set(column(shop.evidence(), "prediction")) == {"0", "1"}
