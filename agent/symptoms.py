"""What a failure shows, reduced to forms; whether the rules are unsure of it; and what a brain makes of it then.

The rules go first, and a brain is asked only where they do not know. What it answers is a cause from the closed set
with numbers of lines that exist, so a log that was written to steer it can choose among causes and no more. All that a
cause leads to is what the ladder of repairs allows for that cause anyway: `agent.diagnose.repeatable` and the bound on
attempts let a step begin once more, with the same arguments, judged by the guard and paid from the budget as before.
A typed cause that a tool states itself (`data_invalid`, `permission`, `quota`, ...) is never put to a brain, so that
nothing which will not pass is tried again because of what a model says. Hence the worst that a hostile log can do is
one more attempt of the step that wrote it, which running its program longer would have cost as well. Of an endpoint a
brain reads only numbers that were measured; what may mend one is bounded by `agent.remedy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.brain.protocol import Brain, Evidence, Opinion
from agent.diagnose import OPEN, SHOWN, WORDS, Ailment
from agent.lines import Diagnosed, Ended
from tools.deploy import Inspected
from tools.errors import Cause
from tools.inert import Seen, template, templates
from tools.language import tr
from tools.monitor import Reading
from tools.ports import Traffic

_NEVER: frozenset[Cause] = frozenset({"unknown", "metric_short", "slo_breach", "drift"})
"""No answer to why a call failed: they are of measurements, or none."""
_OF_SERVICE: frozenset[Cause] = frozenset(
    {"capacity", "node_lost", "network", "slo_breach", "drift", "user_code_error", "out_of_memory_host", "disk_full"}
)
"""What can ail an endpoint that answers."""
SLOW_MS = 1000.0
"""Callers who wait longer than this for half of their answers would say that it is slow."""
_ELSEWHERE = re.compile(
    r"out of memory|\boom\b|oom-?kill|cannot allocate|no space left|disk quota|connection (?:refused|reset|aborted)"
    r"|broken pipe|timed? ?out|name resolution|no route to host|unreachable|permission denied|access denied|forbidden"
    r"|no module named|modulenotfound|no such file|not found|nccl|cuda|\bnan\b|non-?finite|preempt|evict|spot"
    r"|too many requests|throttl|quota|unavailable|killed|checksum|corrupt",
    re.IGNORECASE,
)
"""Words of lines that point away from the program itself."""


def evidence(ended: Ended, *, tool: str) -> Evidence:
    """What a failed call left, as forms with counts and numbers of lines."""
    cause = ended.cause or "unknown"
    return Evidence(tool=tool, cause=cause, message=template(ended.message), lines=templates(ended.evidence))


def unsure(seen: Evidence) -> bool:
    """Whether the rules leave open what it was, and there are lines to read: the cause is not known, or the program
    is blamed and its lines point elsewhere."""
    if not seen.lines or seen.cause not in OPEN:
        return False
    return seen.cause == "unknown" or any(_ELSEWHERE.search(line.text) for line in seen.lines)


def consider(brain: Brain, ended: Ended, *, tool: str, step: str, part: str | None) -> Diagnosed | None:
    """What a brain makes of a failed call of which the rules are unsure; None: what the rules say stands."""
    seen = evidence(ended, tool=tool)
    if ended.phase != "failed" or not unsure(seen):
        return None
    opinion = brain.diagnose(seen)
    if opinion is None or opinion.cause in _NEVER or not stands(opinion, seen):
        return None
    text = f"{tr(WORDS[opinion.cause])}{tr(': ')}{ended.message}"
    return Diagnosed(part=part, step=step, cause=opinion.cause, text=text, lines=_rested_on(opinion, seen), by="llm")


def consider_service(
    brain: Brain, found: Ailment, looked: Inspected, reading: Reading, *, step: str, part: str | None
) -> Diagnosed | None:
    """The same of an endpoint in which the rules find nothing wrong although callers got slow or failing answers."""
    seen = measured(looked, reading)
    if not ailing(found, reading):
        return None
    opinion = brain.diagnose(seen)
    if opinion is None or opinion.cause not in _OF_SERVICE or not stands(opinion, seen):
        return None
    return Diagnosed(
        part=part,
        step=step,
        cause=opinion.cause,
        text=tr(WORDS[opinion.cause]),
        lines=_rested_on(opinion, seen),
        by="llm",
    )


def ailing(found: Ailment, reading: Reading) -> bool:
    """No cause was found, and callers of some version got slow or failing answers."""
    return found.cause is None and any(_suffered(t) for t in reading.versions)


def _suffered(traffic: Traffic) -> bool:
    return traffic.errors > 0 or traffic.refused > 0 or traffic.quantiles_ms.get("p50", 0.0) >= SLOW_MS


def measured(looked: Inspected, reading: Reading) -> Evidence:
    """What was measured of an endpoint as numbered lines of ours; its versions are called by their number."""
    said = [*_servers(looked), *(line for n, t in enumerate(reading.versions, start=1) for line in _traffic(n, t))]
    lines = tuple(Seen(text=text, count=1, lines=(n,)) for n, text in enumerate(said, start=1))
    return Evidence(tool="read_traffic", cause="unknown", lines=lines)


def _servers(looked: Inspected) -> Iterator[str]:
    versions = looked.state.versions if looked.state is not None else ()
    for n, version in enumerate(versions, start=1):
        yield (
            f"server group {n}: {version.state}, weight {version.weight} %, {version.ready} of {version.replicas} ready"
        )


def _traffic(n: int, traffic: Traffic) -> Iterator[str]:
    yield f"measured version {n}: {traffic.requests} requests, {traffic.errors} errors, {traffic.refused} refused"
    times = ", ".join(f"{name} {ms:g} ms" for name, ms in traffic.quantiles_ms.items() if name in ("p50", "p95", "p99"))
    if times:
        yield f"measured version {n}: {times}"


def stands(opinion: Opinion, seen: Evidence) -> bool:
    """It rests on at least one line, and every line that it names exists."""
    return bool(opinion.lines) and set(opinion.lines) <= numbers(seen)


def numbers(seen: Evidence) -> set[int]:
    """The numbers of lines that the evidence names."""
    return {number for line in seen.lines for number in line.lines}


def _rested_on(opinion: Opinion, seen: Evidence) -> tuple[Seen, ...]:
    return tuple(line for line in seen.lines if set(line.lines) & set(opinion.lines))[:SHOWN]
