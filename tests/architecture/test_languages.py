"""What is said to people is said in every language: nothing missing, nothing left over, the same fields."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from tools.language import catalogue, language_of, plural, speaking, tr

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agent", "policies", "tools")
ZH = ROOT / "tools" / "languages" / "zh"
WORDS = "words.yaml"
"""Words that are looked up by value: closed sets and headings, each a literal somewhere."""


@cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    files = sorted(f for room in ROOMS for f in (ROOT / room).rglob("*.py"))
    return tuple((f, ast.parse(f.read_text(encoding="utf-8"))) for f in files)


def literals(node: ast.expr) -> Iterator[str]:
    """The strings an argument can be: a literal, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


@cache
def templates() -> dict[str, str]:
    """Every template that is said → where."""
    found: dict[str, str] = {}
    for file, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            place = f"{file.relative_to(ROOT)}:{node.lineno}"
            if node.func.id == "tr":
                found |= dict.fromkeys(literals(node.args[0]), place)
            elif node.func.id == "plural" and len(node.args) == 2:
                for noun in literals(node.args[1]):
                    found |= {f"{{n}} {noun}": place, f"{{n}} {noun}s": place}
    return found | annotated()


def annotated() -> dict[str, str]:
    """What the shipped policies say of a call → file."""
    said = re.compile(r'^@(?:says|fix)\("([^"\\]*)"\)$', re.MULTILINE)
    files = sorted((ROOT / "policies").glob("*.cedar"))
    return {text: file.name for file in files for text in said.findall(file.read_text(encoding="utf-8"))}


@cache
def constants() -> frozenset[str]:
    found = {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(found | {value.replace("_", "/") for value in found})


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def words() -> dict[str, str]:
    read: dict[str, str] = yaml.safe_load((ZH / WORDS).read_text(encoding="utf-8"))
    return read


def test_every_message_is_translated() -> None:
    missing = {template: place for template, place in templates().items() if template not in catalogue("zh")}
    assert not missing, "\n".join(f"{place}: {template!r}" for template, place in missing.items())


def test_no_translation_is_left_over() -> None:
    used = templates()
    left = [t for t in catalogue("zh") if t not in used and t not in words()]
    assert not left
    assert not [word for word in words() if word not in constants()]


def test_a_translation_has_the_fields_of_its_original_and_is_not_the_original() -> None:
    wrong = [
        (english, chinese)
        for english, chinese in catalogue("zh").items()
        if not isinstance(chinese, str) or fields(english) != fields(chinese)
    ]
    assert not wrong
    assert not [e for e, c in catalogue("zh").items() if e == c and any(ch.isalpha() for ch in e.replace("{", ""))]


def test_a_template_is_always_a_literal_or_a_known_word() -> None:
    """Text that was put together before it is looked up would never be found."""
    built = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr"
        if file.name != "language.py" and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert not built


def test_a_template_is_given_exactly_its_fields() -> None:
    """In every language: a field that is missing is an error only where the message is said."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {template!r}"
        for file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr" and node.args
        if node.keywords or not isinstance(node.args[0], ast.Constant)
        for template in literals(node.args[0])
        if fields(template) != {keyword.arg for keyword in node.keywords}
    ]
    wrong += [
        f"{file.relative_to(ROOT)}:{node.lineno}: it is said when the module is imported"
        for file, tree in sources()
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr"
        if not any(isinstance(outer, ast.Lambda) for outer in ast.walk(statement))
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Predict species from penguins.csv", "en"),
        ("用 sklearn:iris 训练一个分类模型，accuracy 不低于 0.9", "zh"),
        ("Predict `种类` from penguins.csv with at least 95 % accuracy please", "en"),
        ("回滚 eta", "zh"),
        ("", "en"),
        ("42", "en"),
    ],
)
def test_the_language_of_a_goal_is_that_of_most_of_its_words(text: str, expected: str) -> None:
    assert language_of(text) == expected


def test_what_is_missing_is_said_in_english_and_the_language_ends_with_its_block() -> None:
    with speaking("zh"):
        assert tr("never said {n}", n=3) == "never said 3"
        assert tr("MET") == "达成"
        assert plural(1, "clause") != "1 clause"
    assert tr("MET") == "MET"
    assert (plural(1, "clause"), plural(3, "clause")) == ("1 clause", "3 clauses")
