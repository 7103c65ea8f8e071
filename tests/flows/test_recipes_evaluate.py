"""Evaluation: every holdout row, numbers anybody can compute again, and the user's own predict command."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import skops.io
from recipe_shop import Shop, column, one, read, write
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from evals.data import generate
from tools.digest import digest
from tools.errors import Refused
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
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned", clean=("drop_missing",)))
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
    shop.prepare(PrepareArgs(tables=one(source), task="regression", label="price"))
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
    made = shop.prepare(PrepareArgs(tables=one(source), task="classification", label="违约"))
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
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned", drop_columns=("code",)))
    shop.trained = churn.trained
    told = "\n".join(shop.evaluate(asked("accuracy")).findings)
    assert "have exactly the features of a training row" in told
    assert "it is not the one that was trained" in told
    leaky = Shop(tmp_path / "leaky")
    leaky.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
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
    assert "predict.py" in str(failed.value), "it is called as the goal calls it, whatever confines it"


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
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
    program = GOOD.replace('"yes"', '"1.0"').replace('"no"', '"0.0"')
    shop.evaluate(own(tmp_path / "own", program))
    assert set(column(shop.evidence(), "prediction")) == {"0", "1"}


def test_flags_are_taken_for_the_numbers_of_two_classes_and_strange_classes_are_named(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [row | {"churned": int(row["churned"] == "yes")} for row in generate.churn(100, seed=1)]
    source = write(tmp_path / "numbers.csv", rows)
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
    shop.evaluate(own(tmp_path / "own", GOOD.replace('"yes"', '"True"').replace('"no"', '"False"')))
    assert set(column(shop.evidence(), "prediction")) == {"0", "1"}
    with pytest.raises(BadInput, match="no prediction is a class of the data, the first is 'ja'") as failed:
        shop.evaluate(own(tmp_path / "other", GOOD.replace('"yes"', '"ja"').replace('"no"', '"ja"')))
    assert "write one of '0', '1' for every row" in str(failed.value)


def test_a_command_that_floods_its_error_output_or_its_answer_is_bounded(churn: Shop, tmp_path: Path) -> None:
    flood = "import sys\nfor _ in range(200): sys.stderr.write('x' * (1 << 20))\nsys.exit('enough')"
    (tmp_path / "predict.py").write_text(flood, encoding="utf-8")
    command, features = f"{shlex.quote(sys.executable)} predict.py", churn.holdout("churned").features
    with pytest.raises(BadInput, match="exit code 1: "):
        predictions(command, tmp_path, features, model=None)
    huge = "import sys\nwith open(sys.argv[2], 'wb') as out: out.truncate(2 << 30)"
    (tmp_path / "predict.py").write_text(huge, encoding="utf-8")
    with pytest.raises(BadInput, match="File too large"):
        predictions(command, tmp_path, features, model=None)
    long = "import sys\nwith open(sys.argv[2], 'wb') as out: out.truncate(300 << 20)"
    (tmp_path / "predict.py").write_text(long, encoding="utf-8")
    with pytest.raises(BadInput, match="more than 256 MiB"):
        predictions(command, tmp_path, features, model=None)


def test_pictures_reach_a_command_as_base64(tmp_path: Path) -> None:
    program = "import base64, csv, sys\nrows = list(csv.DictReader(open(sys.argv[1])))\n"
    program += "said = [base64.b64decode(r['image']).decode() for r in rows]\n"
    program += "open(sys.argv[2], 'w').write('\\n'.join(['prediction', *said]))"
    (tmp_path / "predict.py").write_text(program, encoding="utf-8")
    told, _ = predictions(
        f"{shlex.quote(sys.executable)} predict.py", tmp_path, pl.DataFrame({"image": [b"one", b"two"]}), model=None
    )
    assert told.to_list() == ["one", "two"]


def others(*against: tuple[str, str], **changes: object) -> EvaluateArgs:
    return asked("accuracy", "roc_auc", against=[{"to": to, "name": name} for to, name in against], **changes)


def test_a_model_is_compared_with_others_on_the_same_rows(churn: Shop, tmp_path: Path) -> None:
    worse = Shop(tmp_path / "worse")
    worse.data = churn.data
    worse.train(
        TrainArgs(task="classification", label="churned", family="knn", metric="accuracy", trials=1, seconds=60)
    )
    args = others(("baseline", "the constant"), ("incumbent", "old"))
    result = churn.evaluate(args, old=worse.trained)
    mine = column(churn.evidence(), "prediction")
    assert [(c.name, c.metric) for c in result.compared] == [
        ("the constant", "accuracy"),
        ("the constant", "roc_auc"),
        ("old", "accuracy"),
        ("old", "roc_auc"),
    ]
    constant, _, old, _ = result.compared
    truth = column(churn.evidence(), "label")
    assert constant.other == max(truth.count("yes"), truth.count("no")) / len(truth)
    own = dict(zip(("accuracy", "roc_auc"), (m.value for m in result.measured), strict=True))
    worse.judged = tmp_path / "judged"
    worse.judged.mkdir()
    keyed = Shop.evaluate(_same_key(worse, churn), asked("accuracy", "roc_auc"))
    assert [c.other for c in result.compared[2:]] == [m.value for m in keyed.measured]
    assert [c.value for c in result.compared[:2]] == [own["accuracy"], own["roc_auc"]]
    theirs = column(worse.evidence(), "prediction")
    expected = (sum(map(str.__eq__, mine, truth)) - sum(map(str.__eq__, theirs, truth))) / len(truth)
    assert old.difference == pytest.approx(expected)
    assert old.low is not None
    assert old.high is not None
    assert old.low <= expected <= old.high
    assert result.digests["against old"] == digest(worse.trained / "model")
    report = json.loads((churn.judged / "evaluation.json").read_text(encoding="utf-8"))
    assert [c["name"] for c in report["compared"]] == [c.name for c in result.compared]


def _same_key(shop: Shop, other: Shop) -> Shop:
    shop.public, shop.private = other.public, other.private
    return shop


def test_a_rival_that_learnt_from_other_rows_is_said_to_have_an_advantage(churn: Shop, tmp_path: Path) -> None:
    rival = Shop(tmp_path / "rival")
    source = write(tmp_path / "more.csv", generate.churn(300, seed=9))
    rival.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
    rival.train(
        TrainArgs(task="classification", label="churned", family="decision_tree", metric="f1", trials=1, seconds=60)
    )
    told = churn.evaluate(others(("other", "rival")), rival=rival.trained).findings
    assert any("rival was fitted on other rows" in f for f in told)


def test_a_rival_of_another_task_or_without_its_columns_is_refused(churn: Shop, tmp_path: Path) -> None:
    rival = Shop(tmp_path / "rival")
    source = write(tmp_path / "houses.csv", generate.houses(100, seed=1))
    rival.prepare(PrepareArgs(tables=one(source), task="regression", label="price"))
    rival.train(TrainArgs(task="regression", label="price", family="ridge", metric="rmse", trials=1, seconds=60))
    with pytest.raises(BadInput, match="rival: is a model for regression, not for classification"):
        churn.evaluate(others(("other", "rival")), rival=rival.trained)
    with pytest.raises(BadInput, match="mount gone: was not given"):
        churn.evaluate(others(("other", "gone")))
    alone = Shop(tmp_path / "alone")
    alone.lay(churn.part(parts.TRAIN).select("calls", "churned"), train=100, validation=50)
    alone.trained = churn.trained
    with pytest.raises(BadInput, match="wants columns that the holdout does not have: tenure"):
        alone.evaluate(asked("accuracy"))


def test_a_formula_of_the_goal_is_computed_from_the_rows(churn: Shop) -> None:
    formulas = {"named": 'mean(prediction == "yes")', "cost": 'sum((prediction == "yes") * spend) / count()'}
    measures = [{"metric": "custom:named"}, {"metric": "custom:cost"}, {"metric": "accuracy"}]
    args = asked(measures=measures, formulas=formulas, against=[{"to": "baseline", "name": "constant"}])
    result = churn.evaluate(args)
    told = column(churn.evidence(), "prediction")
    assert result.measured[0].value == told.count("yes") / len(told)
    assert result.measured[0].low is not None
    spend = churn.holdout("churned").features["spend"].to_list()
    known = [s for s, p in zip(spend, told, strict=True) if p == "yes" and s is not None]
    assert result.measured[1].value == pytest.approx(sum(known) / len(told))
    assert [c.difference is None for c in result.compared] == [True, True, False]
    with pytest.raises(BadInput, match="custom:gone: has no formula; the names are 'named', 'cost'"):
        churn.evaluate(asked("custom:gone", formulas=formulas))
    with pytest.raises(BadInput, match="there is no column 'nope'"):
        churn.evaluate(asked("custom:named", formulas={"named": "mean(nope)"}))


def test_labels_that_are_no_class_of_the_model_are_refused_rather_than_counted_as_wrong(
    churn: Shop, tmp_path: Path
) -> None:
    fresh = Shop(tmp_path / "fresh")
    rows = pl.DataFrame(generate.churn(60, seed=5)).with_columns(pl.col("churned").replace({"yes": "1", "no": "0"}))
    rows = rows.with_columns(pl.col("joined").str.to_date(), pl.col("paperless").cast(pl.String) == "true")
    fresh.lay(rows, train=0, validation=0)
    fresh.trained = churn.trained
    with pytest.raises(BadInput, match="label: has the classes '0', '1', and the model knows 'no', 'yes'"):
        fresh.evaluate(asked("accuracy"))


def test_a_model_that_exists_is_measured_on_a_fresh_table(churn: Shop, tmp_path: Path) -> None:
    """No training part, no statistics of it: neither a baseline nor a suspicion that the model is another one."""
    fresh = Shop(tmp_path / "fresh")
    rows = pl.DataFrame([r for r in generate.churn(60, seed=5) if r["churned"] == "yes"])
    rows = rows.with_columns(pl.col("joined").str.to_date(), pl.col("paperless").cast(pl.String) == "true")
    fresh.lay(rows, train=0, validation=0)
    fresh.trained = churn.trained
    for name in ((), (parts.TRAIN, parts.VALIDATION)):
        for part in name:
            (fresh.data / part).unlink()
        result = fresh.evaluate(others(("baseline", "constant")))
        assert result.rows == rows.height
        assert result.measured[0].value is not None
        assert result.measured[1].value is None, "one class alone has no area under the curve"
        assert [c.other for c in result.compared] == [None, None]
        assert any("nothing to compare with" in f for f in result.findings)
        assert not any("other rows than this training part" in f for f in result.findings)
        assert [*fresh.evidence()[0]] == ["row", "label", "prediction", "score"]


def test_a_fresh_table_may_have_a_class_that_the_model_never_knew(churn: Shop, tmp_path: Path) -> None:
    fresh = Shop(tmp_path / "fresh")
    rows = churn.part(parts.VALIDATION)
    strange = [("perhaps" if i < 10 else y) for i, y in enumerate(rows["churned"])]
    fresh.lay(rows.with_columns(churned=pl.Series(strange)), train=0, validation=0)
    fresh.trained = churn.trained
    for named in ((), ("no", "perhaps", "yes")):
        accuracy, recall, loss = fresh.evaluate(
            asked(
                classes=named,
                measures=[{"metric": "accuracy"}, {"metric": "recall", "of": "perhaps"}, {"metric": "log_loss"}],
            )
        ).measured
        right = sum(r["label"] == r["prediction"] for r in fresh.evidence())
        assert accuracy.value == right / rows.height
        assert recall.value == 0.0
        assert loss.value is not None
        assert "score_perhaps" in fresh.evidence()[0]


def test_the_report_takes_the_answers_apart(churn: Shop) -> None:
    churn.evaluate(asked("accuracy", "f1"))
    report = json.loads((churn.judged / "evaluation.json").read_text(encoding="utf-8"))
    counts = report["confusion"]["counts"]
    assert report["averages"]["micro"]["f1"] == pytest.approx((counts[0][0] + counts[1][1]) / report["rows"])
    assert report["averages"]["macro"]["f1"] == pytest.approx(sum(c["f1"] for c in report["per_class"]) / 2)
    weighted = sum(c["recall"] * c["rows"] for c in report["per_class"]) / report["rows"]
    assert report["averages"]["weighted"]["recall"] == pytest.approx(weighted)
    bins = report["calibration"]["bins"]
    assert sum(b["rows"] for b in bins) == report["rows"]
    gaps = [abs(b["mean_probability"] - b["share_right"]) * b["rows"] / report["rows"] for b in bins]
    assert report["calibration"]["expected_error"] == pytest.approx(sum(gaps))


def leave(folder: Path, estimator: Any) -> Path:
    """What a training program of the user's own might leave."""
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, folder / "model.skops")
    return folder


def fitted_by_a_user(churn: Shop) -> Any:
    train = churn.part(parts.TRAIN)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("n", numbers, ["tenure", "calls", "spend"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["contract"])]
    )
    return make_pipeline(columns, LogisticRegression()).fit(train.drop("churned"), train["churned"].to_numpy())


def test_a_model_file_of_the_users_own_program_is_asked_by_name(churn: Shop, tmp_path: Path) -> None:
    own = fitted_by_a_user(churn)
    shop = _same_key(Shop(tmp_path / "shop"), churn)
    shop.data, shop.trained = churn.data, leave(tmp_path / "left", own)
    result = shop.evaluate(asked("accuracy", "roc_auc", "log_loss"))
    holdout = churn.holdout("churned")
    assert column(shop.evidence(), "prediction") == own.predict(holdout.features).tolist()
    assert result.measured[0].value == accuracy_score(holdout.label.to_list(), own.predict(holdout.features))
    assert all(m.value is not None for m in result.measured)
    assert result.digests["model"] == digest(shop.trained)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({}, "left nothing"),
        ({"model.onnx": b"m"}, "left a model.onnx, which nothing here can ask"),
        ({"weights.bin": b"m", "metrics.json": b"{}"}, "left no model.skops but metrics.json, weights.bin"),
    ],
)
def test_what_is_no_model_file_is_named_with_the_way_out(
    churn: Shop, tmp_path: Path, left: dict[str, bytes], says: str
) -> None:
    shop = _same_key(Shop(tmp_path / "shop"), churn)
    shop.data = churn.data
    for name, content in left.items():
        (shop.trained / name).write_bytes(content)
    with pytest.raises(BadInput) as refused:
        shop.evaluate(asked("accuracy"))
    assert says in str(refused.value)
    assert "name a `predict` command" in str(refused.value)
    assert refused.value.cause == "user_code_error"


def test_a_users_model_that_calls_foreign_code_is_refused(churn: Shop, tmp_path: Path) -> None:
    shop = _same_key(Shop(tmp_path / "shop"), churn)
    shop.data, shop.trained = churn.data, leave(tmp_path / "left", FunctionTransformer(os.system))
    with pytest.raises(Refused, match="which no model of scikit-learn that may be opened holds"):
        shop.evaluate(asked("accuracy"))
    (shop.trained / "model.skops").write_bytes(b"garbage")
    with pytest.raises(Refused, match="damaged"):
        shop.evaluate(asked("accuracy"))


def test_a_users_model_that_does_not_take_the_rows_is_the_users_error(churn: Shop, tmp_path: Path) -> None:
    shop = _same_key(Shop(tmp_path / "shop"), churn)
    shop.data = churn.data
    shop.trained = leave(tmp_path / "left", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    with pytest.raises(BadInput, match="fails on the holdout: ValueError") as failed:
        shop.evaluate(asked("accuracy"))
    assert failed.value.cause == "user_code_error"
    frame = pl.DataFrame({"else": [0.0, 1.0]})
    shop.trained = leave(tmp_path / "left", StandardScaler().fit(frame))
    with pytest.raises(BadInput, match="wants columns that the holdout does not have: else"):
        shop.evaluate(asked("accuracy"))
