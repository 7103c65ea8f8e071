"""Whether a call brings a model to traffic the way the contract says: the versions it means, their shares in order,
their number, how they are watched, and nothing at all where the contract wants nothing served.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from agent import learning, remedy, rollout
from agent.contract import Part
from agent.judged import ownership
from agent.judged.proposed import UNKNOWN, Proposed, texts
from agent.survey import servers as all_servers
from agent.survey import wanted_version

_ANY = (
    "register_model",
    "deploy_model",
    "shift_traffic",
    "mirror_traffic",
    "extend_lease",
    "withdraw_version",
)
_TASKS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ANY, ("deploy", "rollback")),
    "scale_endpoint": ("deploy", "rollback", "scale"),
    "rollback_endpoint": ("deploy", "rollback", "scale"),
    "monitor_endpoint": ("deploy", "rollback", "scale", "watch"),
}
"""Tools that serve → the tasks that want them besides every part with a rollout."""


def as_wanted(asked: Proposed) -> bool:
    """The rollout is the contract's."""
    return _is_served(asked) and all(check(asked) for check in _CHECKS.get(asked.tool, ()))


def _is_served(asked: Proposed) -> bool:
    tasks = _TASKS.get(asked.tool)
    return tasks is None or asked.part.rollout.strategy != "none" or asked.part.task in tasks


def new(asked: Proposed) -> set[str]:
    """Versions that this run, or a step of its plan before this one, puts behind the endpoint."""
    planned = (s for s in asked.before() if s.tool == "deploy_model" and s.part == asked.part.name)
    return ownership.deployed(asked.part.endpoint, asked.run) | texts(s.args.get("version") for s in planned)


def former(asked: Proposed) -> set[str]:
    """Versions that had traffic before this run changed it."""
    seen = {v.name for v in asked.state.versions if v.weight > 0} if asked.state is not None else set[str]()
    return seen | texts(r.get("incumbent") for r in asked.results("deploy_model"))


def _goes_to(asked: Proposed) -> set[str]:
    """Versions that a roll back may give the traffic to."""
    if asked.part.task != "rollback":
        return former(asked)
    named = wanted_version(asked.part) or asked.survey.previous.get(asked.part.endpoint) or ""
    return former(asked) | {named.rpartition(":")[2]}


def _watched(asked: Proposed) -> set[str]:
    """Versions whose measurements answer for the part."""
    deploys = any(s.tool == "deploy_model" and s.part == asked.part.name for s in asked.run.plan.steps)
    return new(asked) if deploys else _goes_to(asked)


def _version(name: str, known: Callable[[Proposed], set[str]], *, none: bool = False) -> Callable[[Proposed], bool]:
    """The argument names one of these versions. Where no endpoint is, there is nothing that a version could be of."""

    def check(asked: Proposed) -> bool:
        value = asked.value(name)
        if value is UNKNOWN or (value is None and none):
            return True
        return value in known(asked) or (asked.state is None and not new(asked))

    return check


def _there(asked: Proposed) -> set[str]:
    return new(asked) | former(asked)


def _few_enough(asked: Proposed) -> bool:
    """At least one server, and no more than the goal, or what is there, has."""
    size = asked.value("replicas")
    if size is None or size is UNKNOWN:
        return True
    return isinstance(size, int) and 1 <= size <= most_servers(asked)


def most_servers(asked: Proposed) -> int:
    """The most servers that the part may come to have."""
    there = all_servers(asked.state) if asked.state is not None else 1
    if remedy.leaves_size_open(asked.part, asked.run):
        return _open_sizes(asked)[-1]
    return max(rollout.replicas(asked.part, asked.state), asked.part.rollout.max_replicas or 0, there)


def _open_sizes(asked: Proposed) -> range:
    text = asked.run.stated.goal.text if asked.run.stated is not None else ""
    return remedy.sizes(asked.part, asked.state, text)


def _resized_as_wanted(asked: Proposed) -> bool:
    """A goal that names a number gets that number; one that leaves it open one of those that it may be."""
    size = asked.value("replicas")
    if remedy.leaves_size_open(asked.part, asked.run):
        return size is UNKNOWN or size in _open_sizes(asked)
    return asked.part.task != "scale" or size is UNKNOWN or size == rollout.replicas(asked.part, asked.state)


def _in_steps(asked: Proposed) -> bool:
    """The share is one of the rollout's, and every smaller one was watched before it."""
    share = _share(asked)
    if share is None:
        return True
    shares = _shares(asked)
    if share not in shares or share == 0:
        return False
    return rollout.stays(asked.part, asked.survey) or all(
        _was_watched(asked, smaller) for smaller in shares if smaller < share
    )


def _share(asked: Proposed) -> int | None:
    """The share of traffic that the version would get; None while it is not known. Without another to keep the rest it
    gets everything, whatever is asked for."""
    share, beside, version = (asked.value(name) for name in ("percent", "incumbent", "version"))
    if share is UNKNOWN or not isinstance(share, int):
        return None
    others = former(asked) - texts([version])
    return 100 if others and beside is not UNKNOWN and beside in (None, version) else share


def _shares(asked: Proposed) -> set[int]:
    """Shares of traffic that the rollout passes through, 0 for a shadow's."""
    return {stage.percent for stage in rollout.watches(asked.part, asked.state, load_rps=_LOAD)} | {100}


_LOAD = 100.0
"""Requests a second; the shares do not depend on it."""


def _was_watched(asked: Proposed, share: int) -> bool:
    """A watch that follows a change to that share comes before the call."""
    before = list(asked.before())
    opened = {
        s.id
        for s in before
        if (s.tool == "shift_traffic" and s.args.get("percent") == share)
        or (share == 0 and s.tool == "mirror_traffic" and s.args.get("on", True) is True)
    }
    return any(s.tool == "monitor_endpoint" and opened & set(s.needs) for s in before)


def _after_measuring(asked: Proposed) -> bool:
    """Nothing is registered or served that was trained here and not measured on the holdout."""
    if not learning.learns(asked.part):
        return True
    return any(s.tool == "evaluate_model" and s.part == asked.part.name for s in asked.before())


def _after_watching(asked: Proposed) -> bool:
    """Nothing is handed over, or taken away in its favour, that was not watched."""
    if not any(s.tool == "deploy_model" and s.part == asked.part.name for s in asked.run.plan.steps):
        return True
    return any(s.tool == "monitor_endpoint" and s.part == asked.part.name for s in asked.before())


def _withdraws(asked: Proposed) -> bool:
    """What was replaced goes once the new one was watched; what this run has brought may go at any time."""
    version = asked.value("version")
    return version is None or (isinstance(version, str) and version in new(asked)) or _after_watching(asked)


def _stops_early(asked: Proposed) -> bool:
    """The conditions under which a watch ends early are the contract's, and no laxer."""
    seconds, rate = asked.value("seconds"), asked.value("rate_rps")
    if not all(isinstance(v, int | float) and 0 < v < _MANY for v in (seconds, rate)):
        return False
    stages = max(1, len(rollout.watches(asked.part, asked.state, load_rps=_LOAD)))
    wanted = rollout.stops(asked.part, sent=2.0 * seconds * rate, stages=stages)
    given = [s for s in asked.items("stops") if isinstance(s, Mapping)]
    return all(any(_no_laxer(g, w) for g in given) for w in wanted)


_MANY = 1e7


def _no_laxer(given: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    same = all(given.get(name) == wanted.get(name) for name in ("metric", "threshold_ms"))
    first, most = _first(given.get("most")), _first(wanted.get("most"))
    return same and (most is None or (first is not None and first <= most))


def _first(rows: object) -> int | None:
    """How many misses the first look allows."""
    row = rows[0] if isinstance(rows, list | tuple) and rows else None
    return row[1] if isinstance(row, list | tuple) and len(row) == 2 and isinstance(row[1], int) else None


def _loads_gently(asked: Proposed) -> bool:
    """No more requests a second than the operator lets a watch send, and none after its hard limit."""
    stated = asked.run.stated
    rate, seconds = asked.value("rate_rps"), asked.value("seconds")
    most = stated.load_rps if stated is not None and stated.load_rps is not None else math.inf
    numbers = isinstance(rate, int | float) and isinstance(seconds, int | float)
    return numbers and rate <= most and seconds <= asked.step.limit_s


_CHECKS: Mapping[str, tuple[Callable[[Proposed], bool], ...]] = {
    "register_model": (_after_measuring,),
    "deploy_model": (_few_enough, _after_measuring),
    "shift_traffic": (_version("version", _there), _version("incumbent", former, none=True), _in_steps),
    "mirror_traffic": (_version("version", new), _version("incumbent", former, none=True)),
    "scale_endpoint": (_version("version", _there, none=True), _few_enough, _resized_as_wanted),
    "rollback_endpoint": (_version("to", _goes_to), _version("withdraw", new, none=True), _few_enough),
    "withdraw_version": (_version("version", _there, none=True), _withdraws),
    "extend_lease": (_few_enough, _after_watching),
    "monitor_endpoint": (
        _version("version", _watched),
        _version("beside", former, none=True),
        _stops_early,
        _loads_gently,
    ),
}


def wants_service(part: Part) -> bool:
    """Something of the part serves in the end."""
    return part.rollout.strategy != "none" or part.task in _TASKS["monitor_endpoint"]


def ids(asked: Proposed) -> Iterator[tuple[str, str]]:
    """(kind, id) of what a call may release: what the part names to end, its endpoint where nothing served before, and
    this run's own jobs."""
    if asked.part.task == "cleanup" or (wants_service(asked.part) and not former(asked)):
        yield "endpoint", asked.part.endpoint
    if asked.part.task == "cleanup":
        yield from ((one.kind, one.id) for one in asked.survey.meant(asked.part))
    yield from (("job", c.handle) for c in asked.run.calls.values() if c.handle is not None)
