"""Programs that take virtual time and leave seeded results."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.results import check, duration, script
from tools.backends.sim.state import Job, owned, seen
from tools.backends.sim.world import World
from tools.errors import Conflict, NotFound
from tools.language import speaking, tr
from tools.ports import Failure, Jobs, JobSpec, JobState, Owned, Progress, Promise, Scope, Tags


class SimJobs(Jobs):
    """Jobs of a simulated world."""

    def __init__(self, gate: Gate) -> None:
        world = gate.state.world
        self._gate = gate
        self._state = gate.state
        self.promise = Promise(atomic=world.atomic, staleness_s=world.staleness_s)

    def submit(self, *, spec: JobSpec, tags: Tags) -> JobState:
        return self._gate.call("jobs.submit", tags.call, lambda moment: self._submit(spec, tags, moment))

    def _submit(self, spec: JobSpec, tags: Tags, moment: Moment) -> JobState:
        state = self._state
        if self.promise.atomic and any(j.tags.call == tags.call for j in state.jobs.values()):
            raise Conflict(f"a job with call {tags.call} exists")
        check(state, spec)
        with speaking(spec.language):
            doom = moment.doom and Failure(cause=moment.doom, message=tr("the job failed: {cause}", cause=moment.doom))
        starts = moment.now + state.world.queue_s
        job = Job(
            id=f"sim-job-{len(state.jobs) + 1}",
            spec=spec,
            tags=tags,
            submitted=moment.now,
            starts=starts,
            ends=starts + duration(state, spec),
            doom=doom,
            random=random.Random(f"{state.seed}/job/{len(state.jobs) + 1}"),
        )
        state.jobs[job.id] = job
        args = {"spec": spec.model_dump(mode="json"), "tags": tags.model_dump(mode="json")}
        state.called(moment.now, "jobs.submit", token=tags.call, target=job.id, args=args)
        return _view(job, moment, state.world)

    def poll(self, job: str) -> JobState:
        return self._gate.call("jobs.poll", job, lambda moment: _view(self._known(job), moment, self._state.world))

    def logs(self, job: str, *, tail: int = 200) -> Sequence[str]:
        def read(moment: Moment) -> Sequence[str]:
            del moment
            lines = _lines(self._known(job))
            return lines[max(0, len(lines) - max(0, tail)) :]

        return self._gate.call("jobs.logs", job, read)

    def cancel(self, job: str) -> None:
        def end(moment: Moment) -> None:
            there = self._state.jobs.get(job)
            if there is not None and not there.over:
                there.phase, there.ended = "cancelled", moment.now
                self._state.called(moment.now, "jobs.cancel", token=there.tags.call, target=job)

        self._gate.call("jobs.cancel", job, end)

    def find(self, call: str) -> JobState | None:
        def look(moment: Moment) -> JobState | None:
            jobs = (j for j in self._state.jobs.values() if j.tags.call == call and j.submitted <= moment.horizon)
            found = next(jobs, None)
            return None if found is None else _view(found, moment, self._state.world)

        return self._gate.call("jobs.find", call, look)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        def look(moment: Moment) -> Sequence[Owned]:
            return [
                owned("job", j.id, j.tags, started=j.submitted, detail=j.spec.program)
                for j in self._state.jobs.values()
                if scope.run in (None, j.tags.run) and seen(j.submitted, j.ended, moment.horizon)
            ]

        return self._gate.call("jobs.owned", scope.run or "", look)

    def _known(self, job: str) -> Job:
        try:
            return self._state.jobs[job]
        except KeyError as error:
            raise NotFound(f"there is no job {job!r}") from error


def _view(job: Job, moment: Moment, world: World) -> JobState:
    return JobState(
        id=job.id,
        phase=job.phase,
        started=job.starts if job.phase not in ("queued", "cancelled") or moment.now >= job.starts else None,
        ended=job.ended,
        isolation="sandboxed" if world.sandbox and job.spec.sandbox else "none",
        progress=_progress(job, moment.now),
        result=job.result,
        failure=job.failure,
        usd_micro=world.bills.get(job.spec.program) if job.over else None,
    )


def _progress(job: Job, now: float) -> Progress | None:
    if job.phase != "running":
        return None
    done = (now - job.starts) / (job.ends - job.starts)
    return Progress(at=now, message=f"{job.spec.program} goes on", fraction=min(1.0, max(0.0, done)))


def _lines(job: Job) -> tuple[str, ...]:
    if job.phase == "queued":
        return ()
    told = script(job.spec).lines if job.spec.program == "command" else ()
    return (*told, f"{job.spec.program}: {job.phase}")
