"""Goal files from disk: what they mean, and every fault of theirs at once with its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fake_session import FakeWorld

from agent.doors.cli.app import execute
from agent.doors.goal_paths import named
from agent.doors.goalfile import MAX_BYTES, GoalFile, load
from agent.errors import Fault, InvalidRequest

ONE = """\
name: penguins
goal: |
  Predict species from penguins.csv.
  Deploy it.
budget_usd: $20
deadline_s: 2 h
environment: staging
placement: {cpus: 4, memory_gb: 8 GB, spot: NO}
task: classification
data:
  - uri: penguins.csv
    label: species
models: [random_forest, gradient_boosting]
clauses:
  - f1 >= 0.85
  - {metric: latency_p95_ms, op: <=, value: 200 ms, abort: yes}
  - metric: recall
    op: ">="
    value: 90 %
    class: Adelie
    confidence: 95 %
search: {trials: 20, method: tpe}
split: {by: stratified, holdout: 20 %}
rollout:
  strategy: canary
  steps: [10, 50, 100]
  hold_s: 15 min
metrics:
  approval_rate: mean(prediction == 1)
"""
SEVERAL = """\
goal: Two models.
parts:
  - name: fraud
    task: classification
    data: fraud.csv
    clauses: recall[yes] >= 0.9
  - name: amount
    task: regression
    data: {uri: orders.csv, label: amount}
    clauses: ["rmse <= 12"]
constraints: [no_gpu]
"""


def write(folder: Path, text: str | bytes, name: str = "goal.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, text: str) -> GoalFile:
    return load(write(folder, text), folder)


def faults(folder: Path, text: str | bytes) -> tuple[Fault, ...]:
    with pytest.raises(InvalidRequest) as caught:
        load(write(folder, text), folder)
    return caught.value.faults


def test_one_parts_fields_stand_at_the_top(tmp_path: Path) -> None:
    file = loaded(tmp_path, ONE)
    assert file.text == "Predict species from penguins.csv.\nDeploy it."
    assert file.source == f"file:{tmp_path / 'goal.yaml'}"
    assert file.folder == str(tmp_path)
    stated = file.stated
    assert (stated.name, stated.budget_usd, stated.deadline_s, stated.environment) == ("penguins", 20, 7200, "staging")
    assert stated.placement is not None
    assert (stated.placement.cpus, stated.placement.memory_gb, stated.placement.spot) == (4, 8, False)
    (part,) = stated.parts
    assert part.task == "classification"
    assert part.data is not None
    assert part.data[0].label == "species"
    assert part.clauses is not None
    assert [(c.metric, c.op, c.value, c.where, c.class_, c.abort) for c in part.clauses] == [
        ("f1", ">=", 0.85, "holdout", None, False),
        ("latency_p95_ms", "<=", 200, "live", None, True),
        ("recall", ">=", 0.9, "holdout", "Adelie", False),
    ]
    assert part.clauses[2].confidence == 0.95
    assert part.rollout is not None
    assert (part.rollout.steps, part.rollout.hold_s) == ((10, 50, 100), 900)
    assert part.metrics == {"approval_rate": "mean(prediction == 1)"}


def test_several_parts_stand_under_parts(tmp_path: Path) -> None:
    stated = loaded(tmp_path, SEVERAL).stated
    assert [part.name for part in stated.parts] == ["fraud", "amount"]
    assert stated.parts[0].clauses is not None
    assert stated.parts[0].clauses[0].class_ == "yes"
    assert stated.constraints == ("no_gpu",)


def test_every_stated_field_knows_its_place(tmp_path: Path) -> None:
    places = loaded(tmp_path, ONE).stated.places
    file = tmp_path / "goal.yaml"
    assert places["budget_usd"] == f"{file}:5:13 budget_usd"
    assert places["parts.0.clauses.1"] == f"{file}:16:5 clauses[1]"
    assert places["parts.0.rollout.hold_s"] == f"{file}:27:11 rollout.hold_s"


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
goal: x
bugdet_usd: 5
budget_usd: .nan
deadline_s: -2 h
label: species
data: [{uri: ../secret.csv, lable: y}]
clauses:
  - f1 is great
  - {metric: acuracy, op: ">=", value: 1}
  - {metric: f1, value: 0.5}
  - {metric: error_rate, op: <=, value: -1}
search: {trials: 0}
rollout: canary
name: &n x
budget_usd: 6
"""
    found = faults(tmp_path, text)
    places = [fault.place.removeprefix(f"{tmp_path / 'goal.yaml'}:") for fault in found]
    assert places == [
        "2:1 bugdet_usd",
        "3:13 budget_usd",
        "4:13 deadline_s",
        "5:1 label",
        "6:14 data[0].uri",
        "6:29 data[0].lable",
        "8:5 clauses[0]",
        "9:14 clauses[1].metric",
        "10:5 clauses[2].op",
        "11:41 clauses[3].value",
        "12:18 search.trials",
        "13:10 rollout",
        "14:7",
        "15:1",
    ]
    assert found[0].fix == "did you mean budget_usd?"
    assert "data" in found[3].fix
    assert found[5].fix == "did you mean label?"
    assert "accuracy" in found[7].what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("---\n", "the file is empty"),
        ("just a sentence", "a goal file is a mapping"),
        ("- goal: x", "a goal file is a mapping"),
        ("[" * 3000, "nested deeper"),
        ("goal: {a: b}", "must be a text"),
        ("goal:", "is empty"),
        ("name: x", "is missing"),
        ("goal: x\nparts: {name: y}", "must be a list"),
        (b"goal: \xff\xfe", "is not UTF-8"),
        (b"\xff\xfeg\x00o\x00", "is not UTF-8"),
        ("goal: x" + " " * MAX_BYTES, "is larger than 256 KiB"),
        ('goal: "a\\e[31mb"', "control characters"),
        ("goal: x\nname: [a]", "must be a single value"),
    ],
)
def test_one_thing_wrong_is_one_clear_fault(tmp_path: Path, text: str | bytes, words: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert words in fault.what
    assert str(tmp_path / "goal.yaml") in fault.place


def test_fields_at_the_top_beside_parts_are_faults(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "goal: x\nparts: [{name: a}]\ntask: regression\n")
    assert "move it into its part" in fault.fix


def test_very_many_faults_are_cut(tmp_path: Path) -> None:
    found = faults(tmp_path, "goal: x\n" + "".join(f"k{i}: 1\n" for i in range(500)))
    assert len(found) == 51
    assert found[-1].what == "and 450 more faults"


def test_an_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    text = "goal: x\na: &a [x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert any("alias" in fault.what for fault in faults(tmp_path, text))


def test_null_and_nothing_say_nothing(tmp_path: Path) -> None:
    stated = loaded(tmp_path, "goal: x\nbudget_usd: null\ndeadline_s:\nmodels: ~\nrollout:\n").stated
    assert stated.budget_usd is None
    assert stated.parts[0].models is None


def test_paths_may_not_leave_the_project_even_through_links(tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    (project / "goals").mkdir(parents=True)
    other.mkdir()
    (other / "x.csv").write_text("a\n")
    (project / "link.csv").symlink_to(other / "x.csv")
    (project / "near.csv").symlink_to(project / "y.csv")
    text = "goal: x\ndata: [../near.csv, {uri: ../link.csv, role: holdout}, {uri: ../../other/x.csv, role: items}]\n"
    path = write(project / "goals", text)
    with pytest.raises(InvalidRequest) as caught:
        load(path, project)
    assert [fault.place.rpartition(" ")[2] for fault in caught.value.faults] == ["data[1].uri", "data[2].uri"]
    with pytest.raises(InvalidRequest) as caught:
        load(path, other)
    assert len(caught.value.faults) == 3


def test_what_cannot_be_read_is_one_fault(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none.yaml", "there is no such file"),
        (tmp_path, "is not a file"),
        (tmp_path / ("x" * 300 + ".yaml"), "cannot be read"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            load(path, tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InvalidRequest, match="is not a file"):
        load(tmp_path / "pipe.yaml", tmp_path)


def test_a_goal_is_a_file_when_it_looks_like_one_or_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goal").write_text("goal: x")
    (tmp_path / "data").mkdir()
    assert named("goal.yaml") == Path("goal.yaml")
    assert named("GOAL.YML") == Path("GOAL.YML")
    assert named("goal") == Path("goal")
    for text in ("train it on data.csv", "use config.yaml", "data", "x" * 5000, "nul\0", "预测物种"):
        assert named(text) is None
    assert named("./data") == Path("./data")


def test_the_command_line_reads_goal_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ONE)
    assert execute(["plan", "--json", "goal.yaml"], FakeWorld().open) == 0
    goal = json.loads(capsys.readouterr().out)["goal"]
    assert goal["source"] == "file:goal.yaml"
    assert goal["text"].startswith("Predict species")
    write(tmp_path, "goal: x\nbugdet: 3\nbudget_usd: inf\n")
    assert execute(["plan", "goal.yaml"], FakeWorld().open) == 2
    assert capsys.readouterr().err.splitlines()[0:2] == [
        "goalkeeper: 2 faults",
        "  goal.yaml:2:1 bugdet: is not a known field (did you mean budget_usd?)",
    ]
    assert execute(["run", "missing.yaml"], FakeWorld().open) == 2
    assert capsys.readouterr().err == "goalkeeper: missing.yaml: there is no such file\n"
