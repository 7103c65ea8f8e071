"""`ci`: goal files beside one another, and what a CI system gets to see of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from agent.documents import ClauseVerdict, Feasibility, Resources, RunDocument, RunReport, Spent
from agent.doors.ci import junit, summary
from agent.doors.ci.suite import Outcome, Suite, worst
from agent.doors.cli.ci import ci
from agent.goal import Goal
from agent.plan import Estimate, Plan

ROOT = Path(__file__).resolve().parents[2]


def document(*verdicts: str, code: int, goal: str = "Predict y", note: str = "") -> RunDocument:
    clauses = tuple(
        ClauseVerdict(
            id=f"c{i}", part="model", metric="accuracy", verdict=v, measured=0.5, demanded="accuracy >= 0.9", note=note
        )
        for i, v in enumerate(verdicts)
    )
    report = RunReport(
        id="20260302-abc123",
        status="done",
        clauses=clauses,
        spent=Spent(usd=0.5),
        resources=Resources(),
        holdout_looks=1,
        revisions=(),
        report="/r/report.md",
        started="2026-03-02T09:00:00Z",
        exit_code=code,
    )
    return RunDocument(
        now="2026-03-02T09:00:00Z",
        goal=Goal(text=goal, source="file:g.yaml", digest="d"),
        contract=None,
        plan=Plan(version=1, steps=()),
        approvals=(),
        feasibility=Feasibility(verdict="feasible"),
        estimate=Estimate(),
        run=report,
    )


def outcome(file: str, *verdicts: str, code: int, **more: str) -> Outcome:
    return Outcome(file=file, exit_code=code, seconds=1.5, document=document(*verdicts, code=code, **more))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((0, 0), 0), ((0, 4), 4), ((4, 1), 1), ((1, 3), 3), ((3, 5), 5), ((5, 2), 2), ((0, 130), 130)],
)
def test_the_worst_code_is_the_first_of_the_documented_order(codes: tuple[int, ...], expected: int) -> None:
    assert worst(codes) == expected  # type: ignore[arg-type]


def test_junit_has_a_suite_a_goal_and_a_case_a_clause() -> None:
    text = junit.render([outcome("a.yaml", "MET", "NOT MET", "UNPROVEN", code=1), outcome("b.yaml", "MET", code=0)])
    root = ElementTree.fromstring(text)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    first = root.findall("testsuite")[0]
    assert [case.get("name") for case in first.findall("testcase")] == ["model: accuracy >= 0.9"] * 3
    assert first.find("testcase/failure").get("type") == "NOT MET"  # type: ignore[union-attr]


def test_a_goal_that_could_not_be_run_is_an_error_of_its_own() -> None:
    broken = Outcome(file="c.yaml", exit_code=2, seconds=0.1, problem="c.yaml:2:1 foo: is not a known field")
    root = ElementTree.fromstring(junit.render([broken]))
    error = root.find("testsuite/testcase[@name='goal']/error")
    assert error is not None
    assert "foo" in error.get("message", "")


def test_a_refused_run_is_an_error_although_no_clause_was_judged() -> None:
    root = ElementTree.fromstring(junit.render([outcome("d.yaml", code=3)]))
    assert root.get("errors") == "1"


def test_a_run_that_waits_says_for_whom_beside_its_clauses() -> None:
    waits = "plan-1.release waits for bob with role release: `goalkeeper approve r plan-1.release` (or deny)"
    given = outcome("e.yaml", "UNPROVEN", code=4)
    assert given.document is not None
    run = given.document.run.model_copy(update={"status": "waiting", "reason": waits})
    given = given.model_copy(update={"document": given.document.model_copy(update={"run": run})})
    error = ElementTree.fromstring(junit.render([given])).find("testsuite/testcase[@name='goal']/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("WAITING", waits)
    assert "waits for bob" in summary.render([given])
    assert "waits for bob" in next(summary.workflow_commands([given]))


def test_outside_text_stays_inert_in_every_form() -> None:
    evil = "x\x1b[2J]]><script>|`\n::error::owned % {note}"
    given = [outcome("e,v:i.yaml", "NOT MET", code=1, goal=evil, note=evil)]
    ElementTree.fromstring(junit.render(given))  # well-formed
    page = summary.render(given)
    assert "\x1b" not in page
    assert "<script>" not in page.replace("\\<script\\>", "")
    lines = list(summary.workflow_commands(given))
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert lines[0].startswith("::error file=e%2Cv%3Ai.yaml,line=1,")


def test_the_summary_is_added_to_what_other_steps_wrote(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    summary.append(page, summary.render([outcome("a.yaml", "NOT MET", code=1)]))
    text = page.read_text()
    assert text.startswith("before\n")
    assert "**NOT MET** `accuracy >= 0.9`, measured 0.5" in text


def runner(tmp_path: Path, body: str) -> list[str]:
    """A stand-in for `goalkeeper run --json`: a program given the goal file as its last argument."""
    program = tmp_path / "program.py"
    program.write_text("import sys, time, json, os, signal\nfile = sys.argv[-1]\n" + textwrap.dedent(body))
    return [sys.executable, str(program)]


def test_goals_run_beside_one_another_within_the_limit_and_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "document.json").write_text(document("MET", code=0).model_dump_json())
    body = f"""
        open({str(tmp_path)!r} + "/started-" + file, "w").close()
        if file == "a":  # ends only once the second has begun
            while not os.path.exists({str(tmp_path)!r} + "/started-b"):
                time.sleep(0.01)
        print(open({str(tmp_path)!r} + "/document.json").read())
    """
    seen: list[str] = []
    outcomes = Suite(command=runner(tmp_path, body), jobs=2).run(["a", "b", "c"], ended=lambda o: seen.append(o.file))
    assert [o.file for o in outcomes] == ["a", "b", "c"]
    assert sorted(seen) == ["a", "b", "c"]
    assert all(o.document is not None and o.exit_code == 0 for o in outcomes)


def test_a_command_that_says_nothing_readable_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    body = 'sys.stderr.write("it broke\\n"); print("{not json"); sys.exit(1)'
    (ended,) = Suite(command=runner(tmp_path, body), jobs=1).run(["x"], ended=lambda _: None)
    assert (ended.exit_code, ended.problem) == (5, "it broke")


def test_faults_of_a_request_are_told_one_a_line(tmp_path: Path) -> None:
    fault = {"place": "g.yaml:1:1", "what": "is wrong", "fix": "mend it"}
    told = {"error": {"kind": "InvalidRequest", "message": "m", "exit_code": 2, "faults": [fault, fault]}}
    body = f"print({json.dumps(told)!r}); sys.exit(2)"
    (ended,) = Suite(command=runner(tmp_path, body), jobs=1).run(["x"], ended=lambda _: None)
    assert ended.problem == "g.yaml:1:1: is wrong (mend it)\ng.yaml:1:1: is wrong (mend it)"
    assert ended.exit_code == 2


def test_an_interruption_reaches_every_run_once_and_is_reported(tmp_path: Path) -> None:
    body = f"""
        open({str(tmp_path)!r} + "/started-" + file, "w").close()
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            open({str(tmp_path)!r} + "/told-" + file, "a").write("once ")
            time.sleep(0.2)
            print(json.dumps({{"error": {{"message": "interrupted", "faults": []}}}}))
            sys.exit(130)
    """
    script = tmp_path / "suite.py"
    script.write_text(
        "from agent.doors.ci.suite import Suite\n"
        f"done = Suite(command={runner(tmp_path, body)!r}, jobs=2).run(['a', 'b', 'c'], ended=lambda _: None)\n"
        "print(*[o.exit_code for o in done])\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    until = time.monotonic() + 30
    while not all((tmp_path / f"started-{name}").exists() for name in "ab"):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out.decode().split() == ["130", "130", "130"]
    assert [(tmp_path / f"told-{name}").read_text() for name in "ab"] == ["once ", "once "]
    assert not (tmp_path / "started-c").exists()


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_example_pipelines_are_yaml_that_calls_the_command_as_it_is(name: str) -> None:
    text = (ROOT / "deploy" / "ci" / name).read_text()
    assert yaml.safe_load(text)
    calls = [
        line.partition("goalkeeper ci ")[2].partition(" #")[0] for line in text.splitlines() if "goalkeeper ci " in line
    ]
    assert calls
    for call in calls:
        known = {option for parameter in ci.params for option in parameter.opts}
        assert {word for word in call.split() if word.startswith("--")} <= known
