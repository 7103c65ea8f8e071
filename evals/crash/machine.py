"""Kills of the agent on this machine: real jobs, a real endpoint, SIGKILL at seeded moments, and what is left then."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.crash.cases import Result
from evals.crash.matrix import Records, Tell

GOAL = Path(__file__).with_name("goal.yaml")
ROWS = 300
LONGEST_S = 180.0
"""Of one command."""
TWICE = 0.4
"""How often whoever goes on is killed as well."""
ENDED_S = 15.0
"""How long what serves may take to end once it was told to."""


@dataclass(frozen=True)
class Left:
    """What a run left on the machine."""

    jobs: tuple[str, ...]
    """Step, attempt and phase of every job."""
    endpoints: tuple[str, ...]
    processes: tuple[str, ...]
    """The programs of ours that run."""
    verdicts: tuple[str, ...]


class Place:
    """A folder with a goal and a table, and a home and a runtime folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        draw = random.Random(5)
        with (folder / "people.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["age", "income", "outcome"])
            for _ in range(ROWS):
                age, income = draw.randint(18, 90), round(draw.gauss(50, 20), 2)
                writer.writerow([age, income, "yes" if income + draw.gauss(0, 6) > 52 else "no"])
        (folder / "goal.yaml").write_text(GOAL.read_text())

    def begin(self) -> subprocess.Popen[str]:
        """The agent, on the run that there is, or a new one."""
        runs = self.asked("runs", "--json")["runs"]
        words = ("resume", runs[0]["id"]) if runs else ("run", "goal.yaml", "--yes")
        return self._start(*words, "--json")

    def asked(self, *words: str) -> dict[str, Any]:
        """What a command says, as JSON."""
        out, said = self._start(*words).communicate(timeout=LONGEST_S)
        try:
            found: dict[str, Any] = json.loads(out)
        except ValueError as error:
            raise RuntimeError(f"{' '.join(words)}: {out}{said}") from error
        return found

    def _start(self, *words: str) -> subprocess.Popen[str]:
        program = str(Path(sys.executable).with_name("goalkeeper"))
        return subprocess.Popen(
            ["env", f"GOALKEEPER_RUNTIME_DIR={self.runtime}", program, *words],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )

    @property
    def runtime(self) -> Path:
        return self.folder / "r"

    def left(self, document: Mapping[str, Any]) -> Left:
        run = document["run"]["id"]
        jobs = [self._job(folder, run) for folder in (self.runtime / "jobs").iterdir()]
        return Left(
            jobs=tuple(sorted(jobs)),
            endpoints=tuple(sorted(p.name for p in (self.runtime / "endpoints").iterdir() if p.name[0] != ".")),
            processes=tuple(sorted(self.running().values())),
            verdicts=tuple(
                f"{c['part']} {c['metric']} {c['verdict']} {c['measured'] if c['part'] != 'run' else ''}"
                for c in document["run"]["clauses"]
            ),
        )

    def _job(self, folder: Path, run: str) -> str:
        tags = json.loads((folder / "tags.json").read_text())
        status = folder / "status.json"
        phase = json.loads(status.read_text())["phase"] if status.exists() else "running"
        return f"{tags['call'].removeprefix(run)} {phase}"

    def running(self) -> dict[int, str]:
        """Our processes here: pid → program."""
        found = dict[int, str]()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if any(str(self.folder) in word for word in words) and "-m" in words:
                    found[int(entry.name)] = words[words.index("-m") + 1]
        return found

    def stop(self) -> list[str]:
        """End what serves; what does not end by that."""
        self._start("stop", "people", "--yes").communicate(timeout=LONGEST_S)
        deadline = time.monotonic() + ENDED_S
        while (left := self.running()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return sorted(left.values())


def strike(folder: Path, records: Records, *, kills: int, seed: int, tell: Tell) -> list[Result]:
    """So many runs of the goal, each killed once or twice."""
    names = [f"local: kill {seed}/{number}" for number in range(kills)]
    there = records.read()
    if kills and not all(name in there for name in names):
        whole, took = _undisturbed(folder / "whole")
        for number, name in enumerate(names):
            if name not in there:
                records.add(_struck(name, random.Random(f"{seed}/{number}"), folder / f"k{number}", whole, took))
                there = records.read()
            tell(number + 1, kills, there[name])
    return [there[name] for name in names]


def _undisturbed(folder: Path) -> tuple[Left, float]:
    """What is left when nobody is killed, and how long the agent took."""
    place = Place(folder)
    with _ended(place) as left:
        began = time.monotonic()
        document, said = _finished(place.begin())
        took = time.monotonic() - began
        if document is None:
            raise RuntimeError(said)
        found = place.left(document)
    if left:
        raise RuntimeError(f"left when the endpoint had ended: {left}")
    return found, took


@contextmanager
def _ended(place: Place) -> Iterator[list[str]]:
    """What is left after everything was ended, once the block is over."""
    left = list[str]()
    try:
        yield left
    finally:
        left += place.stop()


def _struck(name: str, draw: random.Random, folder: Path, whole: Left, took: float) -> Result:
    place, began, wrong = Place(folder), time.monotonic(), list[str]()
    times = [draw.uniform(0.3, took)] + ([draw.uniform(0.3, took)] if draw.random() < TWICE else [])
    with _ended(place) as remains:
        struck = [_killed(place.begin(), after_s) for after_s in times]
        document, said = _finished(place.begin())
        left = place.left(document) if document is not None else None
    if left is None:
        wrong.append(said)
    elif left.verdicts != whole.verdicts:
        wrong.append(f"verdicts {left.verdicts} instead of {whole.verdicts}")
    return Result(
        case=name,
        kind="kill",
        scene="local",
        beside="",
        struck=struck[0],
        drivers=len(times) + 1,
        duplicates=_more(left.jobs, whole.jobs) if left else (),
        missing=_more(whole.jobs + whole.endpoints, left.jobs + left.endpoints) if left else (),
        orphans=(*_more(left.endpoints + left.processes, whole.endpoints + whole.processes), *remains) if left else (),
        wrong=tuple(wrong),
        seconds=round(time.monotonic() - began, 3),
    )


def _more(some: Sequence[str], than: Sequence[str]) -> tuple[str, ...]:
    return tuple((Counter(some) - Counter(than)).elements())


def _killed(agent: subprocess.Popen[str], after_s: float) -> bool:
    """Whether it was still there then."""
    with suppress(subprocess.TimeoutExpired):
        agent.communicate(timeout=after_s)
        return False
    agent.kill()
    agent.communicate()
    return True


def _finished(agent: subprocess.Popen[str]) -> tuple[dict[str, Any] | None, str]:
    """Its document, or what it said instead."""
    out, said = agent.communicate(timeout=LONGEST_S)
    try:
        return json.loads(out), said
    except ValueError:
        return None, said or f"it ended with {agent.returncode} and said nothing"
