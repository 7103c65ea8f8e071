"""The digest of a program stands for every module of ours that its numbers depend on."""

from __future__ import annotations

import subprocess
import sys

from tools.recipes import sources
from tools.recipes.evaluate import PROGRAM, evaluator

LOADED = f"import sys, {PROGRAM}; print(*(n for n in sys.modules if n == 'tools' or n.startswith('tools.')))"


def test_the_evaluator_is_all_that_its_program_loads() -> None:
    told = subprocess.run([sys.executable, "-I", "-c", LOADED], check=True, capture_output=True, text=True)
    loaded = set(told.stdout.split())
    followed = sources.closure(PROGRAM)
    assert not loaded - followed, "these make the number and are not in its digest"
    assert {PROGRAM, "tools.metrics", "tools.recipes.records", "tools.recipes.parts"} <= followed
    assert not [name for name in followed if name.startswith("tools.backends")]
    assert evaluator() == sources.digest_of_program(PROGRAM)


def test_what_is_imported_late_counts_and_what_is_not_ours_does_not() -> None:
    followed = sources.closure("tools.recipes.confine")
    assert {"tools.recipes.confine", "tools.recipes", "tools", "tools.homes", "tools.visible"} <= followed
    assert all(name.split(".")[0] == "tools" for name in followed)
    assert sources.digest_of_program("tools.recipes.confine") != sources.digest_of_program("tools.homes")
