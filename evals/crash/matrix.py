"""Many cases: all that there are or a seeded sample, several at a time, each result written down when it is there."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evals.crash.bench import fork
from evals.crash.cases import Case, Kind, Result, Undisturbed, cases, perform, undisturbed
from evals.crash.scenes import scenes

Tell = Callable[[int, int, Result], None]
"""Hears of each result: how many there are, of how many, and which."""
ROOT = Path(__file__).parents[2]
SOURCES = ("agent", "evals", "policies", "tools")


class Records:
    """A file of results, one JSON line each after a line that names the code they are of."""

    def __init__(self, path: Path) -> None:
        """Results of other code say nothing of this one: a file that holds them is begun anew."""
        self.path = path
        code = _code()
        if not path.exists() or path.read_text().partition("\n")[0] != code:
            path.write_text(code + "\n")

    def read(self) -> dict[str, Result]:
        """Case → result. A last line that was not written to its end is none."""
        found = dict[str, Result]()
        for line in self.path.read_text().splitlines()[1:]:
            try:
                result = Result.model_validate_json(line)
            except ValidationError:
                continue  # whoever wrote it was ended meanwhile: the case is done again
            found[result.case] = result
        return found

    def add(self, result: Result) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(b"\n" * self._torn() + result.model_dump_json().encode() + b"\n")

    def _torn(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


@dataclass(frozen=True)
class Every:
    """Cases, and what their scenes come to without them."""

    cases: tuple[Case, ...]
    whole: Mapping[str, Undisturbed]

    def drawn(self, sample: int | None, seed: int) -> tuple[Case, ...]:
        """All of them, or so many."""
        if sample is None or sample >= len(self.cases):
            return self.cases
        return tuple(random.Random(seed).sample(self.cases, sample))


def every(folder: Path, names: Sequence[str], kinds: Sequence[Kind]) -> Every:
    """Every case of these scenes."""
    whole = {name: undisturbed(folder / f"u{number}", scenes()[name]) for number, name in enumerate(names)}
    return Every(tuple(case for name in names for case in cases(name, whole[name], kinds)), whole)


def strike(
    wanted: Sequence[Case],
    whole: Mapping[str, Undisturbed],
    folder: Path,
    records: Records,
    *,
    workers: int = 2,
    tell: Tell = lambda *_: None,
) -> list[Result]:
    """The results of all cases, in their order; those that are there already are not made again."""
    there = records.read()
    left = [case for case in wanted if str(case) not in there]
    shares = [left[number::workers] for number in range(workers)]
    pids = [
        fork(lambda share=share, n=n: _work(share, whole, folder / f"w{n}", records), folder / f"worker-{n}")  # type: ignore[misc]
        for n, share in enumerate(shares)
    ]
    told = set(there)
    while pids:
        pids = [pid for pid in pids if not os.waitpid(pid, os.WNOHANG)[0]]
        time.sleep(0.2)
        there = records.read()
        for name in [str(case) for case in wanted if str(case) in there and str(case) not in told]:
            told.add(name)
            tell(len(told), len(wanted), there[name])
    for trace in folder.glob("worker-*"):
        raise RuntimeError(trace.read_text())
    return [there[str(case)] for case in wanted]


def _work(share: Sequence[Case], whole: Mapping[str, Undisturbed], folder: Path, records: Records) -> None:
    for number, case in enumerate(share):
        place = folder / str(number)
        records.add(perform(case, whole[case.scene], place))
        shutil.rmtree(place)


def _code() -> str:
    """sha256 of the program that is struck, and of this one."""
    found = hashlib.sha256()
    for path in sorted(p for name in SOURCES for p in (ROOT / name).rglob("*") if p.is_file() and p.suffix != ".pyc"):
        found.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()
