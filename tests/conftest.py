"""What holds for every test: a home of its own, no network beyond this machine, and nothing left running."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PRIVATE = (
    *("AWS_", "AZURE_", "GITHUB_", "GOALKEEPER_", "GOOGLE_", "KUBE"),
    *("LANG", "LC_", "MLFLOW_", "OPENAI_", "OTEL_", "XDG_"),
)
"""Prefixes of variables by which a person's own set-up would reach a test."""
GRACE_S = 5.0
"""How long a process may take to end after its test has asked it to."""


def pytest_configure() -> None:
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, args: tuple[object, ...]) -> None:
    """A hook of the interpreter: it also sees libraries that kept the original socket functions."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not _loopback(str(address[0])):
            raise RuntimeError(f"a test tried to reach {address}: only this machine's loopback is allowed")
    elif event == "socket.getaddrinfo" and not _loopback(str(args[0] or "")):
        raise RuntimeError(f"a test tried to look up {args[0]}: only this machine's loopback is allowed")


def _loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def session_folder() -> Iterator[Path]:
    """The folder that is HOME to the whole session. Short, since Unix sockets are made below it."""
    folder = Path(tempfile.mkdtemp(prefix="gk-"))
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(PRIVATE)]:
            patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("GOALKEEPER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("LANG", "C.UTF-8")
        patch.setenv("NO_COLOR", "1")
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running(session_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the last test of a module that leaves processes behind, and ends them."""
    yield
    folders = (str(session_folder), str(tmp_path_factory.getbasetemp()))
    deadline = time.monotonic() + GRACE_S
    while (left := _running(folders)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        _end(pid)
    assert not left, f"processes left behind: {left}"


@pytest.fixture(scope="session")
def running() -> Callable[[tuple[str, ...]], dict[int, str]]:
    """What `nothing_left_running` looks with, so that it can be tried itself."""
    return _running


def _running(folders: tuple[str, ...]) -> dict[int, str]:
    """Processes that name one of the folders in their command line, or stand in it; empty where there is no /proc."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:  # it has ended, or is not ours to see
            continue
        if command and int(entry.name) != os.getpid() and any(f in command or where.startswith(f) for f in folders):
            found[int(entry.name)] = command
    return found


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
