"""Stage 8, diagnose: what a typed failure means for the next attempt, and what ails an endpoint.

A cause comes from a closed set; what it rests on are numbers of the router and of the backend.
"""

from __future__ import annotations

from agent import bounds
from agent.judge import allowed_share
from agent.lines import Ended
from agent.observe import HEALTHY
from tools.deploy import Inspected
from tools.errors import Cause
from tools.inert import Seen, template, templates
from tools.language import tr
from tools.monitor import Reading
from tools.ports import EndpointState, Traffic, VersionState
from tools.record import Record

_MAY_PASS: frozenset[Cause] = frozenset({"node_lost", "preempted", "network", "capacity"})


def repeatable(cause: Cause | None) -> bool:
    """The same call may succeed later: what failed was not the work itself."""
    return cause in _MAY_PASS


OPEN: frozenset[Cause] = frozenset({"unknown", "user_code_error"})
"""Causes that say little more than that something failed; every other is a tool's own word."""


WORDS: dict[Cause, str] = {
    "out_of_memory_host": "the job needed more memory than there is",
    "out_of_memory_device": "the model did not fit the device's memory",
    "preempted": "the machine was taken back",
    "node_lost": "the process or machine went away",
    "capacity": "there was no capacity",
    "quota": "a quota was exceeded",
    "image_pull": "the image could not be pulled",
    "data_missing": "the data is not there",
    "data_invalid": "the data cannot be used as it is",
    "missing_dependency": "a package is missing",
    "user_code_error": "the program failed",
    "disk_full": "the disk is full",
    "network": "the network or the backend did not answer",
    "nccl": "the devices could not talk to each other",
    "diverged": "the loss was not finite",
    "stalled": "nothing progressed",
    "timeout": "the time limit was reached",
    "metric_short": "the metric stayed short of what is demanded",
    "slo_breach": "the live service broke a clause",
    "drift": "the data has drifted",
    "permission": "it is not allowed here",
    "unknown": "the cause is not known",
}


SHOWN = 3
"""Forms of lines that a diagnosis names."""


def rests_on(ended: Ended) -> tuple[Seen, ...]:
    """The lines that a failure's cause was read from, as forms; where none of them says it, the last ones."""
    seen, said = templates(ended.evidence), template(ended.message)
    telling = [s for s in seen if said and (s.text in said or said in s.text)]
    return tuple(telling or seen)[-SHOWN:]


class Ailment(Record):
    """What ails an endpoint; without a cause, nothing that was measured is wrong."""

    cause: Cause | None = None
    text: str
    remedy: str = ""
    """A command, or what a person could do."""


TAIL = 8.0
"""Slow answers that take so many times the usual look like requests that wait for each other."""
FEW = 100
"""Fewer requests say nothing of a tail."""


def examine(looked: Inspected, seen: Reading) -> Ailment:
    """The first cause that the numbers show, the surest first."""
    state = looked.state
    if state is None:
        return Ailment(cause="data_missing", text=tr("the endpoint is not there"), remedy=tr("deploy it"))
    serving = max((v for v in state.versions if v.weight > 0), key=lambda v: v.weight, default=None)
    if serving is None:
        return Ailment(
            cause="unknown", text=tr("no version of {name} has traffic", name=state.name), remedy=tr("deploy one")
        )
    return _servers(state, serving) or _answers(state, serving, seen)


def _servers(state: EndpointState, serving: VersionState) -> Ailment | None:
    back, more = f"goalkeeper rollback {state.name}", f"goalkeeper scale {state.name} {serving.replicas}"
    if serving.state == "failed":
        return Ailment(
            cause="user_code_error", text=tr("the servers of {name} failed to start", name=serving.name), remedy=back
        )
    if serving.ready == 0:
        text = tr("none of the {replicas} servers of {name} answers", replicas=serving.replicas, name=serving.name)
        return Ailment(cause="node_lost", text=text, remedy=back)
    if serving.ready < serving.replicas:
        text = tr(
            "{ready} of {replicas} servers of {name} answer",
            ready=serving.ready,
            replicas=serving.replicas,
            name=serving.name,
        )
        return Ailment(cause="capacity", text=text, remedy=more)
    return None


def _answers(state: EndpointState, serving: VersionState, seen: Reading) -> Ailment:
    traffic = next((t for t in seen.versions if t.version == serving.name), None)
    if traffic is None or not traffic.requests:
        remedy = tr("goalkeeper run 'Watch {name}.' sends some", name=state.name)
        text = tr(
            "nobody asked {name} anything in the last {seconds:g} s: nothing can be said of its answers",
            name=state.name,
            seconds=seen.seconds,
        )
        return Ailment(text=text, remedy=remedy)
    if bounds.lower(traffic.errors, traffic.requests) > (allowed_share(HEALTHY) or 0.0):
        text = tr(
            "{errors} of {requests} requests to {name} failed",
            errors=traffic.errors,
            requests=traffic.requests,
            name=serving.name,
        )
        return Ailment(cause="slo_breach", text=text, remedy=f"goalkeeper rollback {state.name}")
    if (times := _tail(traffic)) >= TAIL:
        text = tr(
            "the slowest answers of {name} take {times:.0f} times the usual, as where too few servers are",
            name=serving.name,
            times=times,
        )
        return Ailment(cause="capacity", text=text, remedy=f"goalkeeper scale {state.name} {2 * serving.replicas}")
    return Ailment(text=tr("nothing that was measured of {name} is wrong", name=state.name))


def _tail(traffic: Traffic) -> float:
    """How many times the median the 95th percentile is; 0 when too little was seen."""
    median = traffic.quantiles_ms.get("p50", 0.0)
    return traffic.quantiles_ms["p95"] / median if traffic.requests >= FEW and median > 0 else 0.0
