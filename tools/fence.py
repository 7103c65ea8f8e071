"""One rollout at a time behind one endpoint: who holds it, and what another run may do meanwhile. Pure.

A rollout begins when a run deploys a version and is over when that run has given it all traffic, when the version is
withdrawn, or when the lease lapses that it was deployed with. Meanwhile no other run deploys, shadows or gives traffic
there, but for one thing, which is never fenced: to give everything to a version that was there before. Who does so
holds the rollout from then on, so that the first run does not undo it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tools.errors import Refused
from tools.language import tr
from tools.record import Record

LATEST = 253_402_300_799.0
"""The last second that a date can tell."""


class Rollout(Record):
    """A version that is on its way to its traffic."""

    run: str
    version: str
    before: frozenset[str]
    """Versions that were there when it began."""
    until: float
    """Epoch seconds: the lease that it was deployed with."""
    back: bool = False
    """`run` did not begin it, but went back from it."""


def run_of(call: str) -> str:
    """The run of a call id `RUN/STEP/ATTEMPT`; empty for an id that names none, which is not fenced."""
    run, _, step = call.partition("/")
    return run if step else ""


def deployed(
    held: Rollout | None, *, endpoint: str, call: str, version: str, there: Iterable[str], until: float
) -> Rollout | None:
    """The rollout once this call has deployed a version. Refused when another run holds one."""
    _check(held, endpoint, call)
    run = run_of(call)
    if not run:
        return held
    before = frozenset(there) if held is None else held.before
    return Rollout(run=run, version=version, before=before, until=until)


def weighed(held: Rollout | None, *, endpoint: str, call: str, weights: Mapping[str, int]) -> Rollout | None:
    """The rollout once this call has set the weights. Refused when another run holds it and not all is given back."""
    run = run_of(call)
    if held is None or run == "":
        return held
    if run == held.run:
        return None if weights.get(held.version) == 100 else held
    if not any(weights.get(name) == 100 for name in held.before - {held.version}):
        _check(held, endpoint, call)
    return held.model_copy(update={"run": run, "back": True})


def mirrored(held: Rollout | None, *, endpoint: str, call: str, version: str | None) -> None:
    """Refused when another run holds a rollout, but for the end of a shadowing."""
    if version is not None:
        _check(held, endpoint, call)


def withdrawn(held: Rollout | None, *, version: str) -> Rollout | None:
    """The rollout once a version is gone."""
    return None if held is not None and held.version == version else held


def _check(held: Rollout | None, endpoint: str, call: str) -> None:
    if held is None or run_of(call) in ("", held.run):
        return
    until = f"{datetime.fromtimestamp(max(0.0, min(held.until, LATEST)), UTC):%Y-%m-%dT%H:%M:%SZ}"
    if held.back:
        told = tr(
            "run {run} has gone back from {version} behind {endpoint}, and that stands until {until}: begin anew then",
            run=held.run,
            version=held.version,
            endpoint=endpoint,
            until=until,
        )
    else:
        told = tr(
            "run {run} is rolling {version} out behind {endpoint} and holds it until {until}: wait until it has ended, "
            "or end it with `goalkeeper cancel {run}`",
            run=held.run,
            version=held.version,
            endpoint=endpoint,
            until=until,
        )
    raise Refused(told)
