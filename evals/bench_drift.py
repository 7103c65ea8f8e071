"""How often an alarm is false where nothing has changed, and how soon drift is heard: on drawn rows, and over HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from scipy.special import betaincinv

from evals.bench_series import Measurement, Series, Target
from evals.drift_endpoint import TABLE as SERVED
from evals.drift_endpoint import served
from evals.drift_worlds import Drifting, Table, Watched, moved, still
from tools.drift import ALARM_RATE, THRESHOLD
from tools.inputs import Binned
from tools.recipes.drift_records import DriftArgs, Shift
from tools.recipes.drift_statistics import shifts

TABLES = (
    Table("few features", 5, 2),
    Table("small reference", 10, 4, reference_rows=200),
    Table("tiny reference", 6, 2, reference_rows=100),
    Table("thirty features", 22, 8),
    Table("correlated", 14, 6, correlation=0.7),
    Table("large windows", 8, 4, reference_rows=1000, window_rows=5000),
    Table("categories", 2, 12, reference_rows=600),
    Table("large reference", 12, 3, reference_rows=8000, window_rows=800),
)
UNSHIFTED = 4000
"""Windows, so that none at all bounds a rate of one in a thousand."""
OF_ONE_REFERENCE = 10
FIFTY = 400
"""Windows of 50 rows, for comparison."""
CALIBRATION = 0.05
"""The rate at which the tests alone are held to their word: there are alarms enough to count."""
CUSTOMARY = 0.25
"""What a PSI is compared with where nothing is corrected."""
SEEDS = 20
HEARD_WITHIN = 8
"""Windows after which a drift that was not heard counts as missed."""
HEARD_SHARE = 0.95
"""Of the seeds."""
SLIGHT = (0.2, 0.3, 0.4, 0.5)
"""Shifts of one feature in standard deviations, to show where hearing begins: a PSI of 0.1 is about 0.3 of them."""
SHIFTED = Table("thirty features", 22, 8, reference_rows=1500)


class Unshifted(NamedTuple):
    """Windows in which nothing had changed."""

    windows: int
    alarms: int
    beyond_chance: int
    """By the corrected tests alone, at `CALIBRATION`."""
    customary: int
    """With an uncorrected PSI above `CUSTOMARY` in any feature."""
    single: int
    """In the first feature."""


class Heard(NamedTuple):
    """What became of one kind of drift."""

    how: Drifting
    delays: tuple[int, ...]
    """Windows from the onset to the alarm, 1 for the first; of the seeds that heard it."""
    seeds: int


class Real(NamedTuple):
    """What a real endpoint's windows were taken for."""

    seeds: int
    false: int
    """Windows before the onset with an alarm."""
    delays: tuple[int, ...]
    unread: int
    """Requests that were not counted."""


def bench_drift(repeats: int = SEEDS) -> Measurement:
    """`repeats`: seeds of every kind of drift, at least `SEEDS`."""
    quiet = unshifted(UNSHIFTED)
    low, high = interval(quiet.alarms, quiet.windows)
    heard = [detection(how, max(SEEDS, repeats)) for how in get_args(Drifting)]
    real = over_http(max(SEEDS, repeats))
    short = unshifted(FIFTY, [table._replace(window_rows=50) for table in TABLES])
    return Measurement(
        name="drift",
        series=(
            Series.of("false alarms", "% of windows", [100 * quiet.alarms / quiet.windows]),
            *(Series.of(f"heard: {h.how}", "% of seeds", [100 * len(h.delays) / h.seeds]) for h in heard),
            *(Series.of(f"delay: {h.how}", "windows", h.delays) for h in heard if h.delays),
            *([Series.of("delay over HTTP", "windows", real.delays)] if real.delays else []),
        ),
        targets=(
            Target(
                says=f"false alarms in at most {100 * ALARM_RATE:g} % of windows of 500 rows and more: "
                f"{quiet.alarms} of {quiet.windows}, 95 % interval {100 * low:.3f} to {100 * high:.3f} %",
                met=high <= ALARM_RATE,
            ),
            *(
                Target(
                    says=f"{h.how}: heard in {len(h.delays)} of {h.seeds} seeds",
                    met=len(h.delays) >= HEARD_SHARE * h.seeds,
                )
                for h in heard
            ),
            Target(
                says=f"a real endpoint over HTTP: heard in {len(real.delays)} of {real.seeds} seeds, "
                f"{real.false} false alarms in as many windows before, {real.unread} requests not counted",
                met=len(real.delays) >= HEARD_SHARE * real.seeds and real.false == 0,
            ),
        ),
        notes=(
            "one feature of thirty moved by " + ", ".join(f"{size:g} sd: {_heard(size)}" for size in SLIGHT),
            f"the tests alone at {100 * CALIBRATION:g} %: {_share(quiet.beyond_chance, quiet.windows)} of windows",
            f"uncorrected PSI above {CUSTOMARY}: {_share(quiet.customary, quiet.windows)} of the same windows",
            f"uncorrected PSI above {CUSTOMARY} in windows of 50 rows: {_share(short.customary, short.windows)}, and "
            f"{_share(short.single, short.windows)} in the first feature alone",
        ),
    )


def unshifted(windows: int, tables: Sequence[Table] = TABLES) -> Unshifted:
    """Windows of the tables in turn, every few of them with a reference of their own."""
    counts = np.zeros(5, dtype=np.int64)
    for seed in range(windows // OF_ONE_REFERENCE):
        table, rng = tables[seed % len(tables)], np.random.default_rng(seed)
        watched = Watched(table, rng)
        for _ in range(OF_ONE_REFERENCE):
            counts += (1, *_judged(watched.window(still(table), rng)))
    return Unshifted(*map(int, counts))


def _judged(window: Sequence[Binned]) -> Iterator[bool]:
    """An alarm; one of the tests alone; an uncorrected PSI that is large, of any feature and of the first."""
    found = judged(window)
    yield any(shift.drifted for shift in found)
    yield any(shift.adjusted <= CALIBRATION for shift in found)
    yield any(shift.psi > CUSTOMARY for shift in found)
    yield found[0].psi > CUSTOMARY


def judged(window: Sequence[Binned]) -> Sequence[Shift]:
    return shifts(DriftArgs(compared=tuple(window), alarm_rate=ALARM_RATE, threshold=THRESHOLD)).shifts


def detection(how: Drifting, seeds: int, table: Table = SHIFTED) -> Heard:
    """For each seed another reference, and windows from the onset until the first alarm."""
    delays = []
    for seed in range(seeds):
        rng = np.random.default_rng((seed, len(how)))
        watched = Watched(table, rng)
        for window in range(HEARD_WITHIN):
            if any(shift.drifted for shift in judged(watched.window(moved(table, how, window), rng))):
                delays.append(window + 1)
                break
    return Heard(how, tuple(delays), seeds)


def over_http(seeds: int) -> Real:
    """One endpoint, a window before each onset, and windows after it until the alarm."""
    false, delays, unread, since = 0, [], 0, 0.0
    with tempfile.TemporaryDirectory(prefix="gk-") as folder, served(Path(folder)) as endpoint:
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            for window in range(-1, HEARD_WITHIN):
                at = still(SERVED) if window < 0 else moved(SERVED, "mean", window)
                endpoint.send(at, SERVED.window_rows, rng)
                found = endpoint.read(since)
                since, unread = found.until, unread + found.unread
                if window < 0:
                    false += found.alarm
                elif found.alarm:
                    delays.append(window + 1)
                    break
    return Real(seeds, false, tuple(delays), unread)


def _heard(size: float) -> str:
    """Share of single windows in which a shift of that size is heard."""
    at = still(SHIFTED)
    at.mean[0] = size
    alarms = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        alarms += any(shift.drifted for shift in judged(Watched(SHIFTED, rng).window(at, rng)))
    return _share(alarms, SEEDS)


def interval(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share."""
    low = float(betaincinv(count, of - count + 1, 0.025)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 0.975)) if count < of else 1.0
    return low, high


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.2f} %"
