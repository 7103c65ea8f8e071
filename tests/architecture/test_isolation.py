"""The walls around every test hold: they are tried here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

Running = Callable[[tuple[str, ...]], dict[int, str]]

ELSEWHERE = "192.0.2.1"
"""An address that is reserved for examples: nobody is there."""


def test_a_test_cannot_reach_another_machine() -> None:
    with socket.socket() as outgoing, pytest.raises(RuntimeError, match="only this machine's loopback"):
        outgoing.connect((ELSEWHERE, 80))


def test_a_test_cannot_look_a_name_up() -> None:
    with pytest.raises(RuntimeError, match="only this machine's loopback"):
        urllib.request.urlopen("http://example.org/", timeout=1)


def test_a_test_reaches_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_a_test_has_a_home_of_its_own(session_folder: Path) -> None:
    assert Path.home() == session_folder
    assert os.environ["GOALKEEPER_RUNTIME_DIR"].startswith(str(session_folder))
    assert not [name for name in os.environ if name.startswith(("AWS_", "KUBE", "OPENAI_"))]


def test_a_process_that_is_left_behind_is_found(session_folder: Path, running: Running) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(60)", str(session_folder)]
    left = subprocess.Popen(argv, start_new_session=True)
    try:
        while left.pid not in running((str(session_folder),)):  # its command line appears a moment after it has started
            assert left.poll() is None
    finally:
        left.kill()
        left.wait()
    assert left.pid not in running((str(session_folder),))
