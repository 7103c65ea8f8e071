"""Prompts: every file is used, every variable is filled, and what leaves is declared."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from agent.brain.llm.client.disclosed import disclosed, meaning
from prompts.load import Prompt, load, names, parse
from tools.language import speaking

ROOT = Path(__file__).parents[2]
HEADER = "version: 2\nsends: [goal, names]\nvariables: [goal, when]"
GOOD = f"---\n{HEADER}\n---\nBe brief.\n---user---\nAt {{{{when}}}}: {{{{ goal }}}}\n"


def _asked_for() -> set[str]:
    """Every text that stands, or that a name stands for, in a file of the agent that asks a model."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "agent").rglob("*.py")]
    found: set[str] = set()
    for node in (n for text in texts if ".ask(" in text for n in ast.walk(ast.parse(text))):
        told = node.args[1:2] if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".ask") else ()
        told = [node.value] if isinstance(node, ast.Assign) else told
        found |= {each.value for each in told if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return found


def test_every_prompt_is_sound_and_used() -> None:
    assert [load(name).name for name in names()] == list(names())
    assert not set(names()) - _asked_for()


def test_a_prompt_is_what_its_file_says() -> None:
    prompt = parse("greet", GOOD)
    assert (prompt.title, prompt.sends, prompt.variables) == ("greet@2", ("goal", "names"), ("goal", "when"))
    assert (prompt.system, prompt.user) == ("Be brief.", "At {{when}}: {{ goal }}")
    assert prompt.digest != parse("greet", GOOD + "!").digest


def test_what_is_filled_in_is_never_looked_at_for_places() -> None:
    text = parse("greet", GOOD).render({"goal": "{{when}} \\1 {{other}}", "when": "now"})
    assert text == "At now: {{when}} \\1 {{other}}"


@pytest.mark.parametrize("variables", [{}, {"goal": "x"}, {"goal": "x", "when": "y", "who": "z"}])
def test_a_missing_or_unknown_variable_is_an_error(variables: dict[str, str]) -> None:
    with pytest.raises(KeyError, match="missing or unknown"):
        parse("greet", GOOD).render(variables)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("version: 2", "version: 0", "version must be"),
        ("version: 2", "version: true", "version must be"),
        ("version: 2", "version: '2'", "version must be"),
        ("version: 2\n", "", "must have exactly"),
        ("version: 2", "version: 2\nmodel: x", "must have exactly"),
        ("[goal, names]", "[goal, weather]", "sends must list"),
        ("[goal, names]", "[goal, goal]", "sends must list"),
        ("[goal, names]", "goal", "sends must list"),
        ("[goal, when]", "[goal]", "{{when}} is not declared"),
        ("[goal, when]", "[goal, when, who]", "who is declared and not used"),
        ("[goal, when]", "[goal, 7]", "variables must list"),
        ("{{when}}", "{{not a name}}", "is not declared"),
        ("Be brief.", "Be {{when}}.", "nothing is filled into the system text"),
        ("Be brief.", " ", "the system text is empty"),
        ("At {{when}}: {{ goal }}", "", "the user text is empty"),
        ("---user---", "user", "must be a header"),
        ("version: 2", "version: [", "is not YAML"),
    ],
)
def test_a_spoilt_file_is_named_with_its_fault(old: str, new: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^greet\.md: .*" + re.escape(fault)):
        parse("greet", GOOD.replace(old, new))


def test_all_faults_of_a_file_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="version must be") as raised:
        parse("Greet", GOOD.replace("version: 2", "version: 0").replace("names", "weather").replace("{{when}}", "now"))
    assert len(str(raised.value).splitlines()) == 4


def test_an_unknown_prompt_is_told_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no prompt 'nobody'.*known"):
        load("nobody")


@pytest.mark.parametrize("name", ["../agent/__main__", "README", "load.py", ""])
def test_only_prompts_are_loaded(name: str) -> None:
    with pytest.raises(KeyError):
        load(name)


def test_whatever_a_prompt_sends_is_listed_with_its_meaning_in_both_languages() -> None:
    assert {(line.prompt, line.sends) for line in disclosed()} == {(n, s) for n in names() for s in load(n).sends}
    for line in disclosed():
        with speaking("zh"):
            assert meaning(line.sends) != line.means


def test_a_prompt_cannot_be_changed() -> None:
    prompt: Prompt = parse("greet", GOOD)
    with pytest.raises(AttributeError):
        prompt.system = "other"  # type: ignore[misc]
