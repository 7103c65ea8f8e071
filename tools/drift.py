"""Whether what an endpoint is sent and answers still looks like what its model was trained on.

One window of traffic, counted in bins by the platform, is judged once: a window with too few rows is not judged and
stays open, and the next one begins where this one ends, so that no row is judged twice as if it were another.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from tools.errors import Cause, Failed, NotFound
from tools.inputs import Inputs
from tools.jobs import done
from tools.language import tr
from tools.recipes.drift_records import DriftArgs, Shift, Shifts
from tools.record import Record
from tools.tool import Effect, Outcome, Site, Tool

LIMIT_S = 60.0
ALARM_RATE = 0.001
LEAST_ROWS = 500
THRESHOLD = 0.1
"""The usual border of what is worth a look."""
NAMED = 3
"""Features that are named in a sentence."""


Verdict = Literal["no_reference", "not_enough", "steady", "drifted"]


class ReadDrift(Record):
    endpoint: str
    version: str
    since: float = Field(allow_inf_nan=False)
    """Epoch seconds at which the window begins: where the window before ended, or when the version got traffic."""
    until: float | None = Field(default=None, allow_inf_nan=False)
    """None: now."""
    alarm_rate: float = Field(default=ALARM_RATE, gt=0, le=0.2)
    """Chance of an alarm in a window in which nothing has changed, over all features and predictions together."""
    least_rows: int = Field(default=LEAST_ROWS, ge=100)
    threshold: float = Field(default=THRESHOLD, gt=0)
    """Of the population stability index beyond what chance alone gives."""


class Drift(Record):
    """One window, judged; or why it was not."""

    endpoint: str
    version: str
    since: float
    until: float
    """Where the next window begins, once this one is judged."""
    rows: int
    least_rows: int
    alarm_rate: float
    threshold: float
    verdict: Verdict
    why: str
    level: float | None = None
    """What the smallest p value was compared with: the alarm rate, corrected."""
    psi: float | None = None
    """The largest index beyond chance, of features and predictions."""
    features: tuple[Shift, ...] = ()
    """The worst first."""
    predictions: Shift | None = None
    requests: int = 0
    unread: int = 0
    """Answered requests that were not looked at: the window is a sample."""
    unbinned: int = 0
    unwatched: Mapping[str, str] = {}

    @property
    def alarm(self) -> bool:
        return self.verdict == "drifted"


class Found(NamedTuple):
    """What one window shows, the worst feature first."""

    level: float
    features: tuple[Shift, ...]
    predictions: Shift | None

    @property
    def all(self) -> tuple[Shift, ...]:
        return self.features if self.predictions is None else (*self.features, self.predictions)


def _read(args: ReadDrift, site: Site) -> Outcome:
    try:
        seen = site.backend.telemetry.inputs(args.endpoint, version=args.version, since=args.since, until=args.until)
    except NotFound as error:
        raise Failed(
            tr("{endpoint} has no version {version}", endpoint=args.endpoint, version=args.version),
            cause="data_missing",
        ) from error
    return done(_judged(args, seen, limit_s=min(site.limit_s, LIMIT_S)))


def _judged(args: ReadDrift, seen: Inputs, *, limit_s: float) -> Drift:
    if not seen.watched:
        why = tr("the model carries no picture of what it was trained on")
        return _drift(args, seen, verdict="no_reference", why=why)
    if not seen.features and seen.predictions is None:
        why = tr("nothing of what it is sent or answers can be watched")
        return _drift(args, seen, verdict="no_reference", why=why)
    if seen.rows < args.least_rows:
        why = tr("{rows} of {least} rows: the window stays open", rows=seen.rows, least=args.least_rows)
        return _drift(args, seen, verdict="not_enough", why=why)
    found = _found(seen, args, limit_s=limit_s)
    verdict: Verdict = "drifted" if any(shift.drifted for shift in found.all) else "steady"
    return _drift(args, seen, verdict=verdict, why=_why(found, args), found=found)


def _drift(args: ReadDrift, seen: Inputs, *, verdict: Verdict, why: str, found: Found | None = None) -> Drift:
    features, predictions = (found.features, found.predictions) if found is not None else ((), None)
    return Drift(
        endpoint=args.endpoint,
        version=args.version,
        since=seen.since,
        until=seen.until,
        rows=seen.rows,
        least_rows=args.least_rows,
        alarm_rate=args.alarm_rate,
        threshold=args.threshold,
        verdict=verdict,
        why=why,
        level=found.level if found is not None else None,
        psi=max((shift.excess for shift in found.all), default=0.0) if found is not None else None,
        features=features,
        predictions=predictions,
        requests=seen.requests,
        unread=seen.unread,
        unbinned=seen.unbinned,
        unwatched=seen.unwatched,
    )


def _found(seen: Inputs, args: ReadDrift, *, limit_s: float) -> Found:
    compared = (*seen.features, *((seen.predictions,) if seen.predictions is not None else ()))
    made = _shifts(DriftArgs(compared=compared, alarm_rate=args.alarm_rate, threshold=args.threshold), limit_s)
    features = sorted(made.shifts[: len(seen.features)], key=lambda s: (not s.drifted, -s.excess, s.p))
    return Found(made.level, tuple(features), made.shifts[-1] if seen.predictions is not None else None)


def _shifts(args: DriftArgs, limit_s: float) -> Shifts:
    """Judged in a short-lived process: the agent imports no statistics."""
    command = [sys.executable, "-I", "-m", "tools.recipes.drift"]
    try:
        ran = subprocess.run(
            command, input=args.model_dump_json().encode(), capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(tr("drift was not judged within {limit:g} s", limit=limit_s), cause="timeout") from error
    if ran.returncode != 0:
        last = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        cause: Cause = "missing_dependency" if "ModuleNotFoundError" in last else "unknown"
        raise Failed(tr("drift could not be judged: {last}", last=last), cause=cause)
    try:
        return Shifts.model_validate_json(ran.stdout)
    except ValueError as error:
        raise Failed(tr("what judges drift gave no readable answer")) from error


def _why(found: Found, args: ReadDrift) -> str:
    drifted = [shift for shift in found.all if shift.drifted]
    if not drifted:
        return tr(
            "none of {n} is off by more than chance and a PSI of {limit:g}", n=len(found.all), limit=args.threshold
        )
    named = tr(", ").join(tr("{name} (PSI {psi:.2f})", name=s.name, psi=s.psi) for s in drifted[:NAMED])
    return tr("{drifted} of {n} have drifted: {named}", drifted=len(drifted), n=len(found.all), named=named)


read_drift = Tool(
    name="read_drift",
    does="Compare what an endpoint was sent and answered since a time with what its model was trained on.",
    effect=Effect.READS,
    args=ReadDrift,
    result=Drift,
    requires=("endpoint",),
    provides=("drift",),
    judged=("endpoint", "version"),
    uses="telemetry",
    start=_read,
)
