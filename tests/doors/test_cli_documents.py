"""What the commands print and how they end, over a session that works in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_session import FakeWorld

from agent.documents import PlanDocument, RunDocument, RunList, Swept
from agent.doors.cli.app import execute

UNOWNED = Swept(
    kind="endpoint", id="e-77", run="r", owner="ann", lease_until="2026-03-01T10:00:00+00:00", detail="", unowned=True
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    monkeypatch.chdir(tmp_path)
    for name in ("GOALKEEPER_NOW", "GOALKEEPER_HOME", "GOALKEEPER_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    return FakeWorld()


def started(world: FakeWorld, capsys: pytest.CaptureFixture[str], goal: str = "train") -> str:
    execute(["run", goal], world.open)
    capsys.readouterr()
    return next(reversed(world.runs))


def test_plan_prints_one_document_and_nothing_else(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "--json", "train it"], world.open) == 0
    out, err = capsys.readouterr()
    document = PlanDocument.model_validate_json(out)
    assert document.goal.text == "train it"
    assert document.goal.source.startswith("cli:")
    assert err == ""
    assert world.runs == {}


@pytest.mark.parametrize(
    ("goal", "code"), [("train", 0), ("tell me the weather", 3), ("a contradiction", 2), ("ask me", 0)]
)
def test_plans_exit_code_is_its_verdicts(world: FakeWorld, goal: str, code: int) -> None:
    assert execute(["plan", goal], world.open) == code


def test_run_prints_the_run_and_progress_goes_elsewhere(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "train", "--json"], world.open) == 0
    out, err = capsys.readouterr()
    document = RunDocument.model_validate_json(out)
    assert [clause.verdict for clause in document.run.clauses] == ["MET", "MET"]
    assert "train_random_forest: running" in err
    assert "train_random_forest: done after 8 s" in err


def test_every_change_of_a_step_is_one_plain_line(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    execute(["run", "train"], world.open)
    out, err = capsys.readouterr()
    assert out.startswith("# MET\n")
    assert err.count("prepare: running") == 1
    assert err.count("prepare: done") == 1
    assert "\x1b" not in out + err


@pytest.mark.parametrize(("goal", "code"), [("train", 0), ("short", 1), ("the weather", 3), ("ask me", 4)])
def test_runs_exit_code_is_the_runs(world: FakeWorld, goal: str, code: int) -> None:
    assert execute(["run", goal], world.open) == code


def test_a_waiting_run_says_how_to_answer(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "ask me"], world.open) == 4
    run = next(iter(world.runs))
    assert f"p1 waits for anybody with role operator: `goalkeeper approve {run} p1`" in capsys.readouterr().out
    assert execute(["approve", run, "p1"], world.open) == 0
    assert "approved deploy" in capsys.readouterr().out
    assert execute(["resume", run], world.open) == 0


def test_what_somebody_else_has_to_answer_stays_open_and_ends_with_4(
    world: FakeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    run = started(world, capsys, "ask somebody")
    assert execute(["approve", run, "p1.release"], world.open) == 4
    out, err = capsys.readouterr()
    assert (out, "p1.release waits for bob" in err) == ("", True)
    assert execute(["approve", run, "--json"], world.open) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["questions"], told["left"], told["pending"]) == (["p1"], ["p1.release waits for bob"], None)


def test_several_questions_are_named_in_one_command(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys, "ask me")
    assert execute(["approve", run, "p1", "p9"], world.open) == 2
    assert execute(["deny", run, "p1", "p1"], world.open) == 0


def test_a_run_that_waits_shows_what_it_asks_and_whom(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys, "ask somebody")
    assert execute(["show", run], world.open) == 0
    out = capsys.readouterr().out
    assert "p1.release: deploy (deploy_model, $0.02): it deploys to production [production] answered by bob" in out
    assert "shift_traffic, penguins in ml, 2 calls, $0.00, percent=10" in out


def test_a_denied_run_ends_refused(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys, "ask me")
    assert execute(["deny", run[:15], "--json"], world.open) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["run"], answer["decision"]) == (run, "deny")
    assert execute(["resume", run], world.open) == 3


def test_yes_answers_beforehand(world: FakeWorld) -> None:
    assert execute(["run", "--yes", "ask me"], world.open) == 0
    assert execute(["--yes", "run", "ask me"], world.open) == 0


def test_shared_options_may_stand_before_and_after_the_command(world: FakeWorld) -> None:
    execute(["--budget", "3", "--home", "a", "plan", "--home", "b", "train"], world.open)
    settings = world.opened[-1]
    assert settings.budget_usd == 3
    assert settings.home == Path.cwd() / "b"


def test_only_plan_lets_the_clock_stand_still(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOALKEEPER_NOW", "2026-03-02T09:00:00+00:00")
    execute(["plan", "train"], world.open)
    assert world.opened[-1].now == 1772442000
    execute(["run", "train"], world.open)
    assert world.opened[-1].now is None


def test_every_fault_stands_on_its_own_line(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "a contradiction"], world.open) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "goalkeeper: 2 faults",
        "  data.csv: is empty (give it rows)",
        "  budget_usd: the text says 10, this says 20",
    ]


def test_with_json_faults_are_a_document(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "a contradiction", "--json"], world.open) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["exit_code"] == 2
    assert [fault["place"] for fault in error["faults"]] == ["data.csv", "budget_usd"]


def test_a_broken_store_ends_with_five(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "broken"], world.open) == 5
    assert capsys.readouterr().err == "goalkeeper: the store cannot be written: disk full\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu", "x"],
        ["run"],
        ["run", "a", "b"],
        ["plan", "x", "--bugdet", "3"],
        ["events", "r", "--after", "-1"],
        ["run", ""],
    ],
)
def test_a_wrong_command_line_ends_with_two(
    world: FakeWorld, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert execute(arguments, world.open) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("goalkeeper: ")
    assert execute([*arguments, "--json"], world.open) == 2
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 2


def test_wrong_settings_are_told_before_anything_happens(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "train", "--budget", "lots", "--backend", "mars"], world.open) == 2
    err = capsys.readouterr().err
    assert "--budget: 'lots'" in err
    assert "--backend: 'mars'" in err
    assert world.opened == []


def test_an_interrupted_run_says_how_to_go_on(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world.interrupt_at = "select"
    assert execute(["run", "train", "--home", "state"], world.open) == 130
    run = next(iter(world.runs))
    assert f" resume {run} --home {Path.cwd() / 'state'}\n" in capsys.readouterr().err
    assert execute(["resume", run, "--json"], world.open) == 130
    assert json.loads(capsys.readouterr().out)["error"]["resume"].endswith(f" resume {run}")
    world.interrupt_at = None
    assert execute(["resume", run], world.open) == 0


def test_runs_are_listed(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["runs"], world.open) == 0
    assert capsys.readouterr().out == "No runs yet.\n"
    first = started(world, capsys)
    second = started(world, capsys, "short")
    assert execute(["runs", "--json"], world.open) == 0
    listed = RunList.model_validate_json(capsys.readouterr().out)
    assert [line.id for line in listed.runs] == [second, first]


def test_a_run_is_shown_by_the_beginning_of_its_id(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys)
    assert execute(["show", run[:8]], world.open) == 0
    out = capsys.readouterr().out
    assert "demands accuracy >= 0.9 on holdout" in out
    assert "# MET" in out
    assert execute(["show", run, "--json"], world.open) == 0
    assert RunDocument.model_validate_json(capsys.readouterr().out).run.id == run
    assert execute(["show", "nothing"], world.open) == 2


def test_events_begin_after_a_number_and_end_with_the_run(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys)
    assert execute(["events", run, "--after", "2", "--follow"], world.open) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(3, 13))
    assert execute(["events", run, "--json"], world.open) == 0
    events = json.loads(capsys.readouterr().out)["events"]
    assert [event["seq"] for event in events] == list(range(1, 13))
    assert execute(["events", run, "--json", "--follow"], world.open) == 2


def test_the_report_is_markdown(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys)
    assert execute(["report", run], world.open) == 0
    text = capsys.readouterr().out
    assert text.startswith("# MET\n")
    assert execute(["report", run, "--json"], world.open) == 0
    assert json.loads(capsys.readouterr().out)["markdown"] == text


def test_cancel_says_what_it_did(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    run = started(world, capsys, "ask me")
    assert execute(["cancel", run], world.open) == 0
    assert "cancelled" in capsys.readouterr().out
    assert world.runs[run].status == "cancelled"


def test_sweep_ends_with_one_when_something_is_unowned(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["sweep"], world.open) == 0
    world.swept = (UNOWNED,)
    assert execute(["sweep"], world.open) == 1
    assert "goalkeeper sweep --release" in capsys.readouterr().err
    assert execute(["sweep", "--release", "--json"], world.open) == 1
    assert json.loads(capsys.readouterr().out)["resources"][0]["released"] is True
    assert execute(["sweep"], world.open) == 0


def test_doctor_says_where_each_setting_came_from(
    world: FakeWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALKEEPER_LOAD_RPS", "20")
    assert execute(["doctor", "--json", "--budget", "3"], world.open) == 0
    document = json.loads(capsys.readouterr().out)
    origins = {one["name"]: one["origin"] for one in document["settings"]}
    assert origins["load_rps"] == "GOALKEEPER_LOAD_RPS"
    assert origins["budget_usd"] == "--budget"
    assert origins["backend"] == "default"
    checks = {check["name"]: check["state"] for check in document["checks"]}
    assert checks["home"] == checks["python"] == "ok"
    assert not (Path.cwd() / ".goalkeeper").exists()


def test_doctor_fails_where_the_home_cannot_be_written(
    world: FakeWorld, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert execute(["doctor", "--home", "file/below"], world.open) == 5
    assert "choose another with --home" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(world: FakeWorld, capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert execute(["completion", shell], world.open) == 0
    assert "_GOALKEEPER_COMPLETE" in capsys.readouterr().out


def test_the_goal_may_be_in_any_script(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "--json", "用 企鹅.csv 预测物种"], world.open) == 0
    assert "预测物种" in capsys.readouterr().out


def test_a_defect_is_told_once_and_ends_with_five(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> FakeWorld:
        raise ZeroDivisionError("a defect")

    assert execute(["runs", "--json"], broken) == 5  # type: ignore[arg-type]
    out, err = capsys.readouterr()
    assert "ZeroDivisionError" in json.loads(out)["error"]["message"]
    assert "Traceback" in err


def test_a_standing_endpoint_is_extended_and_stopped(world: FakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["extend", "penguins", "--for", "2h"], world.open) == 0
    assert "extend penguins for 7200 s" in capsys.readouterr().out
    assert execute(["stop", "penguins", "--json"], world.open) == 0
    assert RunDocument.model_validate_json(capsys.readouterr().out).goal.text == "stop penguins"
    assert execute(["rollback", "penguins", "--to", "v-1", "--json"], world.open) == 0
    assert RunDocument.model_validate_json(capsys.readouterr().out).goal.text == "roll back penguins to v-1"
    assert execute(["rollback", "penguins"], world.open) == 0
    assert "roll back penguins" in capsys.readouterr().out
    assert execute(["scale", "penguins", "3"], world.open) == 0
    assert "scale penguins to 3" in capsys.readouterr().out
    assert execute(["scale", "penguins", "many"], world.open) == 2
    assert execute(["scale", "penguins", "-1"], world.open) == 2
    assert execute(["stop", "whales"], world.open) == 2
    assert execute(["extend", "penguins", "--for", "ever"], world.open) == 2
