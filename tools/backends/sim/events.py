"""What happens in a world by itself when time passes, in the order of the times at which it is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from tools.backends.sim.effects import Event
from tools.backends.sim.results import finish
from tools.backends.sim.state import Endpoint, Job, Rented, State, Version
from tools.backends.sim.traffic import flow
from tools.language import speaking, tr
from tools.ports import Failure


class _Due(NamedTuple):
    at: float
    happen: Callable[[], None]


def settle(state: State, now: float) -> None:
    """Bring the world to `now`: requests flow, jobs start and end, versions get ready, leases lapse."""
    while (due := min(_due(state, now), key=lambda d: d.at, default=None)) is not None:
        flow(state, due.at)
        due.happen()
    flow(state, now)


def _due(state: State, now: float) -> Iterator[_Due]:
    for source in (_jobs(state), _endpoints(state), _machines(state)):
        yield from (due for due in source if due.at <= now)


def _jobs(state: State) -> Iterator[_Due]:
    for job in state.jobs.values():
        if job.over:
            continue
        if job.phase == "queued":
            yield _Due(job.starts, partial(_start, state, job))
        else:
            end = min(job.ends, job.starts + job.spec.time_limit_s)
            yield _Due(end, partial(_end, state, job, end))
        if not job.stalled:
            yield _Due(job.tags.lease_until, partial(_lapse_job, state, job))


def _start(state: State, job: Job) -> None:
    job.phase = "running"
    state.happened(job.starts, "job.started", token=job.tags.call, target=job.id)


def _end(state: State, job: Job, at: float) -> None:
    job.ended = at
    with speaking(job.spec.language):
        _conclude(state, job, at)
    job.phase = "succeeded" if job.failure is None else "failed"
    state.happened(at, "job.succeeded" if job.failure is None else "job.failed", token=job.tags.call, target=job.id)


def _conclude(state: State, job: Job, at: float) -> None:
    """The result of a job that is over, or why it failed."""
    if at < job.ends:
        limit = job.spec.time_limit_s
        job.failure = Failure(
            cause="timeout", message=tr("the job was ended at its hard limit of {limit:g} s", limit=limit)
        )
    elif job.doom is not None:
        job.failure = job.doom
    else:
        finish(state, job)


def _lapse_job(state: State, job: Job) -> None:
    job.phase, job.ended = "failed", job.tags.lease_until
    with speaking(job.spec.language):
        job.failure = Failure(cause="timeout", message=tr("the job was ended because its lease lapsed"))
    state.happened(job.ended, "job.lapsed", token=job.tags.call, target=job.id)


def _endpoints(state: State) -> Iterator[_Due]:
    for endpoint in state.endpoints:
        if endpoint.ended is not None:
            continue
        for version in endpoint.versions.values():
            if version.coming:
                at = min(version.coming)
                yield _Due(at, partial(_arrive, state, endpoint, version, at))
        if not endpoint.stalled:
            yield _Due(endpoint.lease_until, partial(_lapse_endpoint, state, endpoint))


def _arrive(state: State, endpoint: Endpoint, version: Version, at: float) -> None:
    """Servers get ready together, or fail together."""
    arrived = version.coming.count(at)
    version.coming = [later for later in version.coming if later != at]
    first = version.state == "starting"
    if version.behaviour.starts:
        version.ready += arrived
    else:
        version.coming = []
    kind: Event = "version.failed" if not version.behaviour.starts else "version.ready" if first else "version.scaled"
    version.state = "ready" if version.behaviour.starts else "failed"
    state.happened(at, kind, token=version.call, target=f"{endpoint.name}:{version.spec.version}")


def _lapse_endpoint(state: State, endpoint: Endpoint) -> None:
    endpoint.ended = endpoint.lease_until
    state.happened(endpoint.ended, "endpoint.lapsed", token=endpoint.tags.call, target=endpoint.name)


def _machines(state: State) -> Iterator[_Due]:
    for machine in state.machines.values():
        if machine.state == "released":
            continue
        if machine.state == "starting":
            yield _Due(machine.ready_at, partial(_boot, state, machine))
        if not machine.stalled:
            yield _Due(machine.tags.lease_until, partial(_lapse_machine, state, machine))


def _boot(state: State, machine: Rented) -> None:
    machine.state = "ready"
    state.happened(machine.ready_at, "machine.ready", token=machine.tags.call, target=machine.id)


def _lapse_machine(state: State, machine: Rented) -> None:
    machine.state, machine.ended = "released", machine.tags.lease_until
    state.happened(machine.ended, "machine.lapsed", token=machine.tags.call, target=machine.id)
