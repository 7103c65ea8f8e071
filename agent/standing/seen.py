"""Looking at a service: reads only. What cannot be read says why, and proves nothing."""

from __future__ import annotations

from agent.learning import DRIFT
from agent.observe import QUANTILES
from agent.service_state import Standing
from agent.standing import sources
from agent.survey import Read
from agent.upkeep import DriftSeen
from tools.deploy import Inspected
from tools.drift import Drift
from tools.errors import ToolError
from tools.language import tr
from tools.monitor import Reading
from tools.ports import EndpointState
from tools.record import Json, Record
from tools.register import Found

SHOWN = 5
"""Features that are named as drifted."""


class Seen(Record):
    """Everything a check knows."""

    at: float
    since: float
    """Of the traffic."""
    looked: Inspected | None
    """None: nobody could look."""
    reading: Reading | None = None
    failed: str = ""
    """Why something could not be read."""
    drift: DriftSeen | None = None
    drift_since: float
    data: str = ""
    previous: str | None = None
    usd_month: float = 0.0

    @property
    def state(self) -> EndpointState | None:
        return self.looked.state if self.looked is not None else None

    @property
    def version(self) -> str | None:
        """What serves."""
        state = self.state
        serving = [v for v in state.versions if v.weight > 0] if state is not None else []
        return max(serving, key=lambda v: v.weight).name if serving else None


def look(state: Standing, *, read: Read, at: float, usd_month: float) -> Seen:
    """One look, at that time of the clock."""
    seen = Seen(at=at, since=state.counted, looked=None, drift_since=state.drift_since, usd_month=usd_month)
    endpoint = state.terms.endpoint
    try:
        seen = seen.model_copy(
            update={"looked": Inspected.model_validate(read("inspect_endpoint", {"endpoint": endpoint}))}
        )
    except ToolError as error:
        return seen.model_copy(update={"failed": str(error)})
    if seen.state is None:
        return seen
    seen = _traffic(state, seen, read)
    seen = _drift(state, seen, read)
    return _about(state, seen, read)


def _traffic(state: Standing, seen: Seen, read: Read) -> Seen:
    part = state.terms.part
    thresholds = {float(c.value) for c in part.clauses if c.metric in QUANTILES and isinstance(c.value, int | float)}
    args: Json = {
        "endpoint": state.terms.endpoint,
        "since": seen.since,
        "thresholds_ms": sorted(thresholds),
    }
    try:
        return seen.model_copy(update={"reading": Reading.model_validate(read("read_traffic", args))})
    except ToolError as error:
        return seen.model_copy(update={"failed": str(error)})


def _drift(state: Standing, seen: Seen, read: Read) -> Seen:
    """Since the last window that was tested: one with too few rows stays open, and no row is tested twice."""
    if seen.version is None:
        return seen
    same = state.version in (None, seen.version)
    since = state.drift_since if same else seen.since
    args: Json = {
        "endpoint": state.terms.endpoint,
        "version": seen.version,
        "since": since,
        "alarm_rate": state.terms.alarm_rate / 2,
        **_threshold(state),
    }
    try:
        found = Drift.model_validate(read("read_drift", args))
    except ToolError as error:
        untold = DriftSeen(verdict="no_reference", why=str(error))
        return seen.model_copy(update={"drift": untold, "drift_since": since})
    shifted = [s for s in (*found.features, *((found.predictions,) if found.predictions else ())) if s.drifted]
    told = DriftSeen(
        verdict=found.verdict,
        rows=found.rows,
        psi=found.psi,
        why=found.why,
        features=tuple(s.name for s in shifted[:SHOWN]),
    )
    tested = found.verdict in ("steady", "drifted")
    return seen.model_copy(update={"drift": told, "drift_since": found.until if tested else since})


def _threshold(state: Standing) -> Json:
    """Of the drift that the goal allows, where it says so."""
    asked = (c.value for c in state.terms.part.clauses if c.metric == DRIFT and c.relative is None)
    allowed = [float(value) for value in asked if isinstance(value, int | float) and value > 0]
    return {"threshold": min(allowed)} if allowed else {}


def _about(state: Standing, seen: Seen, read: Read) -> Seen:
    """What deciding may ask for: the version before, and what the data are now."""
    part = state.terms.part
    return seen.model_copy(
        update={"previous": _previous(state, seen, read), "data": sources.content(part, state.terms.folder)}
    )


def _previous(state: Standing, seen: Seen, read: Read) -> str | None:
    if seen.version is None:
        return None
    try:
        args: Json = {"name": state.terms.endpoint, "before": seen.version}
        found = Found.model_validate(read("find_model", args))
    except ToolError:
        return None
    return None if found.key is None else found.key.removeprefix("models/").replace("/", ":")


def unread(seen: Seen) -> str:
    """Why a look says little; empty when it says all."""
    return tr("it could not be looked at: {why}", why=seen.failed) if seen.failed else ""
