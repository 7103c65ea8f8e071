"""`policy check` names everything that is wrong at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.check import check, faults_of
from policies.faults import PolicyFaults
from policies.folder import read_folder
from policies.load import load_policies
from policies.statements import statements

PERMIT = '@id("all") permit (principal, action, resource);\n'
GOOD = '@id("small") @says("{tool} asks for {trials}") @fix("fewer") forbid (principal, action == Action::"tune_model", resource) when { context.input has trials && context.input.trials > 3 };\n'  # noqa: E501
CASES = "small:\n  - {tool: tune_model, input: {trials: 4}, ruling: refused}\n  - {tool: tune_model, input: {trials: 3}, ruling: approved}\n"  # noqa: E501
FAULTY = """// a comment; with a semicolon
@id("one") @says("x; y") @fix("z") forbid (principal, action, resource) when { context.facts.cost_micro > 1 };
@id("one") @says("{nothing} {trials}") @fix("z") forbid (principal, action, resource);
forbid (principal, action, resource);
@id("two") @sais("x") @on_deny("ask") @says("x {tool!r}") @fix("y") forbid (principal, action, resource);
@id("engine") @says("x") @fix("y") forbid (principal, action == Action::"no_such", resource);
@id("three") @on_deny("require_approval") permit (principal, action, resource);
@id("broken") forbid (principal action, resource);
@id("slot") @says("x") @fix("y") forbid (principal == ?principal, action, resource);
@id("typed") @says("x") @fix("y") forbid (principal, action, resource) when { context.facts.mine > 3 };
@id("left over") @says("x")
"""
SAID = (
    "own.cedar:2 one: unable to guarantee safety of access to optional attribute",
    "own.cedar:3 one: no field is called 'nothing'",
    "own.cedar:3 one: the @id 'one' stands at own.cedar:2 already",
    "own.cedar:4: has no `@id` that can be a name",
    "own.cedar:4: a forbid has no @says",
    "own.cedar:4: a forbid has no @fix",
    "own.cedar:5 two: @sais is no annotation that is known (did you mean 'says'?)",
    "own.cedar:5 two: @on_deny says nothing that is known",
    "own.cedar:5 two: 'x {tool!r}' is no sentence",
    "own.cedar:6 engine: the engine itself objects under this name",
    "own.cedar:6 engine: unrecognized action",
    "own.cedar:7 three: @on_deny says nothing that is known",
    "own.cedar:8: cannot be read",
    "own.cedar:9: cannot be read: a template",
    "own.cedar:10 typed: ",
    "own.cedar:11: cannot be read",
)


def folder(place: Path, **files: str) -> Path:
    for name, text in files.items():
        path = place / name.replace("__", "/").replace("_yaml", ".yaml").replace("_cedar", ".cedar")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def said(place: Path) -> list[str]:
    return [str(fault) for fault in check(place).faults]


def test_every_fault_of_every_policy_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    found = said(folder(tmp_path, own_cedar=FAULTY))
    for expected in SAID:
        assert any(fault.startswith(expected) for fault in found), (expected, found)
    assert len(found) == len(set(found))
    assert check(tmp_path).digest is None


def test_a_folder_stands_in_the_place_of_what_is_shipped(tmp_path: Path) -> None:
    own = load_policies(folder(tmp_path / "policies", own_cedar=PERMIT + GOOD, cases__own_yaml=CASES))
    assert check(tmp_path / "policies").ids == ("all", "small")
    assert own.limits == load_policies().limits
    assert own.digest != load_policies().digest
    limits = (
        read_folder().folder.joinpath("limits.yaml").read_text(encoding="utf-8").replace("trials: 500", "trials: 5")
    )
    numbers = load_policies(folder(tmp_path / "limits", limits_yaml=limits))
    assert numbers.limits.search.trials == 5
    assert check(tmp_path / "limits").ids == check().ids


def test_a_folder_with_faults_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(PolicyFaults) as caught:
        load_policies(folder(tmp_path, own_cedar=FAULTY, limits_yaml="money: 1"))
    assert {fault.place.partition(":")[0] for fault in caught.value.faults} == {"own.cedar", "limits.yaml"}


def test_what_is_no_folder_and_what_is_no_text_are_faults(tmp_path: Path) -> None:
    assert "there is no such folder" in said(tmp_path / "nowhere")[0]
    (tmp_path / "own.cedar").write_bytes(b"\xff\xfe")
    (tmp_path / "other.cedar").mkdir()
    assert [fault.partition(":")[0] for fault in said(tmp_path)] == ["other.cedar", "own.cedar"]
    with pytest.raises(PolicyFaults):
        load_policies(tmp_path)


def test_cases_that_end_otherwise_are_faults_and_so_are_policies_without(tmp_path: Path) -> None:
    other = CASES.replace("trials: 4", "trials: 3") + "nobody:\n  - {tool: tune_model, ruling: refused}\n"
    found = said(folder(tmp_path, own_cedar=PERMIT + GOOD + GOOD.replace("small", "tiny"), cases__own_yaml=other))
    assert any("ended approved" in fault for fault in found)
    assert any("tiny" in fault and "no case that it objects to" in fault for fault in found)
    assert any("there is no policy 'nobody'" in fault for fault in found)


def test_a_case_that_another_policy_stops_is_a_fault(tmp_path: Path) -> None:
    twice = GOOD + GOOD.replace("small", "tiny").replace("> 3", "> 2")
    found = said(folder(tmp_path, own_cedar=PERMIT + twice, cases__own_yaml=CASES))
    assert any("ended refused, by small, tiny" in fault for fault in found)


@pytest.mark.parametrize(
    "text",
    [
        "- 1",
        "small:\n  - 3",
        "small:\n  - {tool: nothing, ruling: held}",
        "small:\n  - {tool: tune_model, ruling: maybe}",
        "small:\n  - {tool: tune_model, input: {trials: x}, ruling: held}",
        "small:\n  - {tool: tune_model, facts: {cost: 1}, ruling: held}",
    ],
)
def test_what_is_no_case_is_a_fault_with_its_line(tmp_path: Path, text: str) -> None:
    found = said(folder(tmp_path, own_cedar=PERMIT + GOOD, cases__own_yaml=text))
    assert any(fault.startswith("cases/own.yaml") for fault in found), found


def test_people_answer_only_what_is_asked(tmp_path: Path) -> None:
    limits = read_folder().folder.joinpath("limits.yaml").read_text(encoding="utf-8")
    wrong = limits.replace("    production: {", "    prodution: {")
    found = said(folder(tmp_path, limits_yaml=wrong))
    assert [fault for fault in found if "prodution" in fault] == found
    assert "did you mean 'production'?" in found[0]


def test_statements_end_where_the_language_says() -> None:
    text = '// a; b\n@says("x; \\" // y") permit(a);\n\n/* forbid */ forbid(b); // c;\nrest'
    found = list(statements(text))
    assert [line for line, _ in found] == [2, 4, 5]
    assert found[0][1] == '@says("x; \\" // y") permit(a);'
    assert list(statements("")) == list(statements("  // only a comment")) == []


def test_every_statement_of_the_shipped_policies_is_a_policy() -> None:
    found = read_folder()
    assert faults_of(found) == ()
    assert sum(len(list(statements(text))) for text in found.texts.values()) == len(check().ids)
