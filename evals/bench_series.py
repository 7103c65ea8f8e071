"""What a benchmark measured: repeats with their median, and targets that are met or missed. Knows no benchmark."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable
from pathlib import Path

from tools.record import Record


class Series(Record):
    """One quantity, measured several times."""

    name: str
    unit: str
    values: tuple[float, ...]
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, unit: str, values: Iterable[float]) -> Series:
        """ValueError when nothing was measured."""
        found = tuple(values)
        if not found:
            raise ValueError(f"{name} was never measured")
        return cls(name=name, unit=unit, values=found, median=statistics.median(found), low=min(found), high=max(found))

    def __str__(self) -> str:
        line = f"{self.name:<34} {self.median:>10.4g} {self.unit}"
        if len(self.values) == 1:
            return line
        return f"{line:<60} median of {len(self.values)}, {self.low:.4g} to {self.high:.4g}"


class Target(Record):
    """What was promised, and whether the median keeps it."""

    says: str
    met: bool

    def __str__(self) -> str:
        return f"{'met   ' if self.met else 'MISSED'} {self.says}"


class Measurement(Record):
    """All that one benchmark found."""

    name: str
    series: tuple[Series, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.name, *(f"  {line}" for line in (*self.series, *self.targets, *self.notes))])


def machine() -> str:
    """One line that says where the figures come from."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
