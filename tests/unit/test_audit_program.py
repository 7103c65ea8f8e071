"""The verifier that a bundle holds: one file, the standard library, and the same code that the product runs."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

from agent.audit import ed25519, journal, verify
from agent.audit.program import PARTS, verifier

TREE = ast.parse(verifier())


def test_it_imports_nothing_but_the_standard_library() -> None:
    found = {alias.name for node in ast.walk(TREE) if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in ast.walk(TREE) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in found} <= set(sys.stdlib_module_names)


def test_no_name_of_one_part_hides_that_of_another() -> None:
    """`tr` and its like would be silently replaced by the later one."""
    names = Counter(node.name for node in TREE.body if isinstance(node, ast.FunctionDef | ast.ClassDef)) + Counter(
        target.id
        for node in TREE.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    )
    assert not [name for name, count in names.items() if count > 1]


def test_every_definition_of_its_parts_is_in_it_word_for_word() -> None:
    program = verifier().decode()
    for module in (ed25519, journal, verify):
        source = Path(module.__file__).read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert (ast.get_source_segment(source, node) or "-") in program
    assert PARTS == ("ed25519.py", "journal.py", "verify.py")


def test_it_says_first_what_it_is_and_how_it_is_run() -> None:
    assert (ast.get_docstring(TREE) or "").startswith(
        "Verifies an audit bundle of a Goalkeeper run, offline: `python3 -I"
    )
