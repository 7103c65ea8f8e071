"""Sizes and shapes that keep the code readable from top to bottom."""

from __future__ import annotations

import ast
import re

from source_tree import modules, name, nodes, place, tree

MODULE_LINES = 400
FUNCTION_LINES = 60
LITERAL_LINES = 25
UNTYPED_PER_KLOC = 4.0
DUMPING_GROUNDS = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = {
        name(path): n for path in modules() if (n := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES
    }
    assert not long


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = {
        f"{place(path, node)} {node.name}": lines
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and (lines := node.end_lineno - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


def test_no_program_prompt_or_table_hides_in_a_string() -> None:
    long = [
        place(path, node)
        for path, node in nodes(ast.Constant, ast.JoinedStr)
        if (node.end_lineno or 0) - node.lineno + 1 >= LITERAL_LINES  # type: ignore[attr-defined]
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("\n") >= LITERAL_LINES)
    ]
    assert not long


def test_untyped_dictionaries_stay_at_the_wire() -> None:
    sources = [path.read_text(encoding="utf-8") for path in modules()]
    lines = sum(len(source.splitlines()) for source in sources)
    untyped = sum(len(re.findall(r"\bdict\[str, Any\]", source)) for source in sources)
    assert untyped <= UNTYPED_PER_KLOC * lines / 1000


def test_no_file_is_named_after_having_no_subject() -> None:
    assert not [name(path) for path in modules() if DUMPING_GROUNDS & set(re.split(r"[/_.]", name(path)))]


def test_every_module_says_what_it_is_for_in_one_to_five_lines() -> None:
    empty = [path for path in modules() if path.name == "__init__.py" and not path.read_text(encoding="utf-8").strip()]
    wrong = {
        name(path): text
        for path in modules()
        if path not in empty and not 1 <= len((text := ast.get_docstring(tree(path)) or "").split("\n")[0]) <= 160
    }
    assert not wrong


def test_nothing_is_left_unfinished() -> None:
    unfinished = [
        place(path, node)
        for path, node in nodes(ast.Raise)
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
    ]
    notes = [
        name(path) for path in modules() if re.search(r"#.*\b(TODO|FIXME|XXX)\b", path.read_text(encoding="utf-8"))
    ]
    assert not unfinished
    assert not notes


def test_no_failure_is_swallowed() -> None:
    silent = [
        place(path, node)
        for path, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert not silent
