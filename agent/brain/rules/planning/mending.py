"""What a diagnosis asks for: more servers, or back to the version before; then a measurement of what it came to."""

from __future__ import annotations

from dataclasses import replace

from agent import remedy, rollout
from agent.brain.rules.planning import running, serving
from agent.brain.rules.planning.draft import Draft
from agent.plan import ref
from agent.survey import wanted_version
from tools.errors import Cause

AT_ONCE_S = 60.0
"""How far back it is measured where no requests are sent: what callers got before the remedy is not asked about."""


def mend(d: Draft, cause: Cause | None) -> None:
    """The steps that mend what ails the part's endpoint, after those that found it; none where nothing mends it."""
    part = remedy.remedied(d.part, cause, d.survey)
    if part is None:
        return
    mended = replace(d, part=part, prefix=d.prefix + "mend-", facts={})
    if part.task == "scale":
        _grow(mended)
    else:
        _go_back(mended)
    _measure(mended)


def _grow(d: Draft) -> None:
    seen, now = running.inspect(d), serving.incumbent(d)
    done = running.resize(d, rollout.replicas(d.part, serving.there(d)), seen)
    if now is not None and registered(now.model):
        running.watch_serving(d, done, seen, since=ref(done, "at"))


def _go_back(d: Draft) -> None:
    state = serving.there(d)
    to = wanted_version(d.part) or d.survey.previous.get(d.endpoint) or ""
    known = state.version(to.rpartition(":")[2]) if state is not None else None
    if known is None:
        running.roll_back(d)  # it is deployed again, and watched on its way to the traffic
        return
    seen = running.inspect(d)
    back, model = running.go_back(d, known.name, seen)
    if registered(model):
        running.watch_version(d, back, model, known.name, since=ref(back, "at"), seen=seen)


def registered(model: str) -> bool:
    """The registry knows the model, and with it requests that can be sent to it."""
    return model.startswith("models/")


def _measure(d: Draft) -> None:
    """What callers, and the requests that were sent, got since."""
    sent = (float(s.args["seconds"]) for s in d.steps if s.tool == "monitor_endpoint" and s.id.startswith(d.prefix))
    args = {"endpoint": d.endpoint, "seconds": max(sent, default=AT_ONCE_S)}
    seen = d.add("look", "inspect_endpoint", {"endpoint": d.endpoint}, needs=(d.steps[-1].id,))
    d.add("measure", "read_traffic", args, needs=(seen,))
