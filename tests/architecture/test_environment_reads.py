"""The environment is read in one module; what starts as a program of its own reads it once, at its own door."""

from __future__ import annotations

import ast

from source_tree import modules, name, nodes, place

READERS = {
    "agent/settings.py": "every setting of the agent",
    "agent/__main__.py": "keeps LangGraph's tracing off before anything is imported",
    "tools/sweep.py": "a program of its own, which finds the runtime folder without the agent",
    "tools/backends/local/supervise.py": "a program of its own, which hands its environment to the job it watches",
    "tools/recipes/command.py": "hands its environment on to the user's own predict command",
    "evals/goals/own/train.py": "an example of a user's own program, which is told its folders there",
    "evals/goals/own/predict.py": "the same",
    "evals/attacks/users_program.py": "the same, written by an attacker",
    "evals/bench_commands.py": "hands the environment on to the programs it measures",
    "evals/bench_memory.py": "hands the environment on to the agent it measures",
}
"""File → what it needs the environment for."""
FUNCTIONS = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def test_the_environment_is_read_only_where_settings_are_made() -> None:
    strangers = [
        place(path, node)
        for path, node in nodes(ast.Attribute, ast.ImportFrom)
        if _touches_environment(node) and name(path) not in READERS
    ]
    assert not strangers


def test_every_reader_of_the_environment_still_reads_it() -> None:
    reading = {name(path) for path, node in nodes(ast.Attribute, ast.ImportFrom) if _touches_environment(node)}
    assert set(READERS) == reading & {name(path) for path in modules()}


def _touches_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in FUNCTIONS
    return isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name in FUNCTIONS for a in node.names)
