"""Requests of `load` jobs: which version answers each, how fast, and whether at all."""

from __future__ import annotations

import math
import random

from tools.backends.sim.state import Comparison, Endpoint, Job, Sample, State, Version
from tools.recipes.records import LoadArgs, LoadResult


def flow(state: State, now: float) -> None:
    """Send what running loads send up to `now`, by the weights as they are."""
    for job in state.jobs.values():
        if job.phase == "running" and job.spec.program == "load":
            _send(state, job, LoadArgs.model_validate(job.spec.args), now)


def outcome(job: Job) -> LoadResult:
    """What the load saw from its side."""
    args = LoadArgs.model_validate(job.spec.args)
    return LoadResult(sent=job.sent, answered=job.sent - job.lost, failed=job.lost, seconds=args.seconds)


def _send(state: State, job: Job, args: LoadArgs, now: float) -> None:
    total = max(1, round(args.rate_rps * args.seconds))
    endpoint = next((e for e in state.endpoints if e.url == args.url and e.ended is None), None)
    while job.sent < total and (at := job.starts + job.sent / args.rate_rps) <= now:
        job.sent += 1
        if endpoint is None or not _answer(endpoint, at, job.random):
            job.lost += 1


def _answer(endpoint: Endpoint, at: float, rng: random.Random) -> bool:
    """Route one request; whether it was answered."""
    weighted = [v for v in endpoint.versions.values() if v.weight > 0]
    if not weighted:
        return False
    version = rng.choices(weighted, weights=[v.weight for v in weighted])[0]
    sample = _sample(version, at, rng)
    version.samples.append(sample)
    if endpoint.shadow is not None:
        _copy(endpoint.versions[endpoint.shadow], at, answered=sample.ok)
    return sample.ok


def _copy(shadow: Version, at: float, *, answered: bool) -> None:
    """What the shadow makes of a request, and how its answer compares with the one that the caller got."""
    sample = _sample(shadow, at, shadow.random)
    if answered:  # what another version has answered is not malformed: refusing it is the shadow's failure
        sample = sample._replace(refused=False)
    same, apart = shadow.random.random() < shadow.behaviour.agreement, shadow.behaviour.difference
    shadow.samples.append(sample)
    if answered and sample.ok:
        shadow.comparisons.append(Comparison(at, "agreed" if same else "differed", apart))
    elif answered:
        shadow.comparisons.append(Comparison(at, "unanswered"))


def _sample(version: Version, at: float, rng: random.Random) -> Sample:
    how = version.behaviour
    crowd = max(1.0, how.enough / max(1, version.ready))
    ms = how.p50_ms * math.exp(how.spread * crowd * rng.gauss(0.0, 1.0))
    ok = version.ready > 0 and rng.random() >= how.error_rate
    refused = ok and how.refusal_rate > 0 and rng.random() < how.refusal_rate
    return Sample(at=at, ms=ms, ok=ok and not refused, refused=refused)
