"""Commands are lists of words, never a line for a shell; nothing that is written as code is run as code."""

from __future__ import annotations

import ast
import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT, name, nodes, place

SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "cmd", "cmd.exe", "powershell", "pwsh")
FORBIDDEN = {
    "os.system",
    "os.popen",
    "os.spawnl",
    "os.spawnlp",
    "os.startfile",
    "popen2.popen2",
    "commands.getoutput",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
    "create_subprocess_shell",
    "getoutput",
    "getstatusoutput",
    "popen",
    "pty.spawn",
    "eval",
    "exec",
    "compile",
    "pickle.load",
    "pickle.loads",
    "yaml.unsafe_load",
    "marshal.loads",
}
SAMPLES = ("evals/attacks/",)
"""What an attack looks like stands there as data."""


def called(function: ast.expr) -> str:
    """`name` or `module.name`."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def violations(path: Path, node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        shell = any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords)
        return shell or called(node.func) in FORBIDDEN
    if isinstance(node, ast.List | ast.Tuple):
        words = [e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        return any(
            first.rpartition("/")[2] in SHELLS and second.startswith(("-c", "/c", "-ec", "-lc"))
            for first, second in itertools.pairwise(words)
        )
    return False


def test_no_command_of_ours_goes_through_a_shell() -> None:
    found = [
        place(path, node)
        for path, node in nodes(ast.Call, ast.List, ast.Tuple)
        if violations(path, node) and not name(path).startswith(SAMPLES)
    ]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run(x, shell=True)",
        "Popen(x, shell=flag)",
        "os.system('ls')",
        "['/bin/sh', '-c', x]",
        "(*front, 'bash', '-lc', x)",
        "asyncio.create_subprocess_shell(x)",
        "eval(x)",
    ],
)
def test_each_way_through_a_shell_is_seen(source: str) -> None:
    assert any(violations(ROOT, node) for node in ast.walk(ast.parse(source)))


WORDS = ("subprocess.run([x, '-c', y])", "run(x, shell=False)", "re.compile(x)", "f.system(x)")


@pytest.mark.parametrize("source", WORDS)
def test_words_are_no_shell(source: str) -> None:
    assert not any(violations(ROOT, node) for node in ast.walk(ast.parse(source)))


LIMITED = ROOT / "tools" / "recipes" / "limited.py"
ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"
HOSTILE = (
    "; touch {made}",
    "$(touch {made})",
    "`touch {made}`",
    "| touch {made}",
    "&& touch {made}",
    "> {made}",
    "*",
    "~",
)


@pytest.mark.parametrize("word", HOSTILE)
def test_marks_of_a_shell_are_words_like_others_to_a_command(word: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    said = word.format(made=made)
    front = [sys.executable, "-I", "-S", str(LIMITED), "1048576"]
    ran = subprocess.run([*front, sys.executable, "-c", ECHO, said], capture_output=True, cwd=tmp_path, check=True)
    assert json.loads(ran.stdout) == [said]
    assert not made.exists()


def test_a_command_that_is_not_there_is_named_as_a_shell_would(tmp_path: Path) -> None:
    front = [sys.executable, "-I", "-S", str(LIMITED), "1048576"]
    ran = subprocess.run([*front, "./nothing"], capture_output=True, cwd=tmp_path, check=False)
    assert (ran.returncode, ran.stderr.decode()) == (127, "./nothing: No such file or directory\n")
    (tmp_path / "plain").write_text("text")
    ran = subprocess.run([*front, "./plain"], capture_output=True, cwd=tmp_path, check=False)
    assert ran.returncode == 126


def test_no_file_grows_over_the_limit(tmp_path: Path) -> None:
    grow = "with open('big', 'wb') as file: file.write(b'x' * 4096)"
    front = [sys.executable, "-I", "-S", str(LIMITED), "1024"]
    ran = subprocess.run([*front, sys.executable, "-c", grow], capture_output=True, cwd=tmp_path, check=False)
    assert ran.returncode == 1
    assert "File too large" in ran.stderr.decode()
    assert (tmp_path / "big").stat().st_size <= 1024


def test_what_python_ignores_the_command_does_not(tmp_path: Path) -> None:
    front = [sys.executable, "-I", "-S", str(LIMITED), "1048576"]
    ran = subprocess.run([*front, "grep", "SigIgn", "/proc/self/status"], capture_output=True, cwd=tmp_path, check=True)
    assert int(ran.stdout.split()[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0
