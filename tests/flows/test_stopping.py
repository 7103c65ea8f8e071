"""Being asked to stop: the first signal asks, what hangs is interrupted, the second ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.stopping import Stopping

ROOT = Path(__file__).parents[2]
HEAD = """
import signal, sys, time
from agent.stopping import Stopping
def say(word): print(word, flush=True)
stopping = Stopping()
"""
BODIES = {
    "leaves": """
with stopping.heeding():
    say("ready")
    while not stopping.wait(30): pass
    say("left")
say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
""",
    "hangs": """
try:
    with stopping.heeding(grace_s=0.2):
        say("ready")
        while True: time.sleep(30)
except KeyboardInterrupt:
    say("interrupted")
""",
    "hangs for ever": """
with stopping.heeding(grace_s=0.2, last_s=0.2):
    say("ready")
    while True:
        try: time.sleep(30)
        except KeyboardInterrupt: say("not yet")
""",
    "stays": """
with stopping.heeding():
    say("ready")
    stopping.wait(60)
    say("asked")
    time.sleep(60)
""",
    "asks": """
try:
    with stopping.heeding(grace_s=300.0):
        with stopping.at_once():
            say("ready")
            time.sleep(30)
except KeyboardInterrupt:
    say("at once")
""",
}


class Program:
    """One of the bodies, in a process."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-c", HEAD + BODIES[name]]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ended(self, *numbers: int) -> tuple[int, list[str]]:
        for number in numbers:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out.split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_whoever_drives_leaves(number: int) -> None:
    assert Program("leaves").ended(number) == (0, ["left", "True"])


def test_what_does_not_finish_in_time_is_interrupted_where_it_stands() -> None:
    assert Program("hangs").ended(signal.SIGTERM) == (0, ["interrupted"])


def test_what_cannot_be_interrupted_ends_with_the_process() -> None:
    code, said = Program("hangs for ever").ended(signal.SIGINT)
    assert code == 128 + signal.SIGTERM
    assert said == ["not", "yet"]


def test_a_question_to_a_person_ends_at_once() -> None:
    assert Program("asks").ended(signal.SIGINT) == (0, ["at", "once"])


def test_the_second_signal_ends_the_process() -> None:
    program = Program("stays")
    program.process.send_signal(signal.SIGTERM)
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == "asked\n"
    assert program.ended(signal.SIGINT) == (-signal.SIGINT, [])


def test_a_wait_ends_as_soon_as_it_is_asked_for_in_every_thread() -> None:
    stopping, ended = Stopping(), list[bool]()
    threads = [threading.Thread(target=lambda: ended.append(stopping.wait(60.0))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not stopping.wait(0.01)
    stopping.ask()
    stopping.ask()
    for thread in threads:
        thread.join(timeout=30)
    assert ended == [True] * 3
    assert stopping.wait(60.0)
    with pytest.raises(KeyboardInterrupt), stopping.at_once():
        raise AssertionError("asked already")
    stopping.close()
    late = Stopping()
    late.close()
    late.ask()


def test_handlers_come_back_and_nothing_is_heeded_outside_the_main_thread() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Stopping().heeding() as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.asked
        with Stopping().heeding() as inner:
            assert not inner.asked
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    elsewhere: list[bool] = []

    def heed() -> None:
        with Stopping().heeding() as other:
            elsewhere.append(other.asked)

    thread = threading.Thread(target=heed)
    thread.start()
    thread.join(timeout=30)
    assert elsewhere == [False]
