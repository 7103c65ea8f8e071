"""What a policy's sentence may speak of: facts, judged arguments and limits, in words.

The names stand here alone. A judged argument that is called as a fact is has its name with `new_` before it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from policies import places
from policies.limits import MICRO, Limits
from policies.request import Facts, Request
from tools.amounts import duration, money
from tools.catalogue import BY_NAME, TOOLS
from tools.inert import line_of
from tools.language import tr
from tools.tool import Effect

Fact = Callable[[Facts], str]
Limit = Callable[[Limits], str]
Both = Callable[[Facts, Limits], str]
LONGEST = 200
"""Characters of one field in a sentence."""
OF_REQUEST = ("tool", "requester", "run", "thing")


def _at_most(micro: int | None) -> str:
    """Rounded up: what is above a limit never reads as if it were at it."""
    return money(None if micro is None else -(-micro // _grain(micro)) * _grain(micro) / MICRO)


def _left(micro: int | None) -> str:
    """Rounded down, and never below nothing."""
    return money(None if micro is None else max(0, micro) // _grain(micro) * _grain(micro) / MICRO)


def _grain(micro: int) -> int:
    """The digits that people are shown: cents, and for less than a cent hundredths of one."""
    return 10_000 if abs(micro) >= 10_000 else 100


def _hours(milliseconds: int | None) -> str:
    return tr("unknown") if milliseconds is None else f"{milliseconds / 3_600_000:.4g}"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items) or tr("none")


def _word(text: str | None) -> str:
    return tr("something") if text is None else tr(text)


def _name(text: str | None) -> str:
    return tr("something") if text is None else text


FACTS: Mapping[str, Fact] = {
    "backend": lambda f: f.backend,
    "constraints": lambda f: _list(f.constraints),
    "cost": lambda f: _at_most(f.cost_micro),
    "environment": lambda f: _word(f.environment),
    "gpu": lambda f: _name(f.gpu),
    "gpu_hours": lambda f: _hours(f.gpu_ms),
    "gpu_hours_left": lambda f: _hours(f.left_gpu_ms),
    "hidden": lambda f: _list(f.hidden),
    "in_flight": lambda f: str(f.in_flight),
    "instance": lambda f: _name(f.instance),
    "jobs": lambda f: str(f.jobs),
    "left": lambda f: _left(f.left_micro),
    "left_month": lambda f: _left(f.left_month_micro),
    "left_requester": lambda f: _left(f.left_requester_micro),
    "left_standing": lambda f: _left(f.left_standing_micro),
    "licences": lambda f: _list(f.licences),
    "locations": lambda f: _list(f.locations),
    "images": lambda f: _list(f.images),
    "namespace": lambda f: _name(f.namespace),
    "owner": lambda f: tr("somebody else") if f.owner is None else f.owner,
    "personal": lambda f: _list(f.personal),
    "rate": lambda f: _at_most(f.rate_micro_per_hour),
    "region": lambda f: _name(f.region),
    "scope": lambda f: _list(tr(field) for field in f.scope),
    "secrets": lambda f: _list(f.secrets),
    "tainted": lambda f: _list(f.tainted),
    "target": lambda f: _name(f.target),
    "time": lambda f: duration(f.limit_ms / 1000),
}
LIMITS: Mapping[str, Limit] = {
    "ask_above": lambda m: money(m.money.ask_above_usd),
    "refuse_above": lambda m: money(m.money.refuse_above_usd),
    "most_rate": lambda m: _most(m.money.rate_usd_per_hour),
    "most_time": lambda m: duration(m.time.longest_call_s),
    "most_lease": lambda m: duration(m.time.longest_lease_s),
    "most_calls": lambda m: str(m.parallel.calls),
    "most_jobs": lambda m: str(m.parallel.jobs),
    "most_replicas": lambda m: str(m.rollout.replicas),
    "most_trials": lambda m: str(m.search.trials),
    "allowed_instances": lambda m: _allowed(m.allowed.instances),
    "allowed_gpus": lambda m: _allowed(m.allowed.gpus),
    "allowed_regions": lambda m: _allowed(m.allowed.regions),
    "allowed_images": lambda m: _allowed(m.allowed.images),
    "allowed_locations": lambda m: _allowed(m.allowed.locations),
    "hours": lambda m: _span(m),
}
REFUSED: Mapping[str, Both] = {
    "refused_images": lambda f, m: _list(places.images(f.images, m)),
    "refused_locations": lambda f, m: _list(places.outside(f.locations, m)),
    "never_locations": lambda f, m: _list(places.never(f.locations, m)),
}


def _most(usd: float | str) -> str:
    return money(usd) if isinstance(usd, float) else tr("any amount")


def _allowed(names: tuple[str, ...] | str) -> str:
    return tr("anything") if isinstance(names, str) else _list(names)


def _span(limits: Limits) -> str:
    hours = limits.hours
    days = ", ".join(tr(day) for day in hours.days)
    return tr("{days} from {start} to {end} {zone}", days=days, start=hours.from_, end=hours.to, zone=hours.timezone)


@cache
def arguments() -> Mapping[str, str]:
    """Name in a sentence → judged argument."""
    names = sorted({view.name for tool in TOOLS for view in tool.views})
    taken = {*OF_REQUEST, *FACTS, *LIMITS, *REFUSED}
    return {_bare(name, taken): name for name in names}


def _bare(name: str, taken: set[str]) -> str:
    bare = name.removesuffix("_micro")
    return f"new_{bare}" if bare in taken else bare


def known() -> frozenset[str]:
    """Everything a sentence may speak of."""
    return frozenset({*OF_REQUEST, *FACTS, *LIMITS, *REFUSED, *arguments()})


def spoken(template: str) -> tuple[str, ...]:
    """The fields that a sentence speaks of. ValueError when it is no template, or a field has more than a name."""
    parts = list(string.Formatter().parse(template))
    if any(name is not None and (spec or conversion) for _, name, spec, conversion in parts):
        raise ValueError(tr("a field has a name alone, without `!` and `:`"))
    return tuple(dict.fromkeys(name for _, name, _, _ in parts if name is not None))


def say(template: str, request: Request, limits: Limits) -> str:
    """The sentence in the language that is spoken now. A field that is not known stays as it is written; what a call
    says of itself may come from anywhere, and is one clean line.
    """
    fields = {name: line_of(_value(name, request, limits), limit=LONGEST) for name in spoken(template)}
    return tr(template, **fields)


def _value(name: str, request: Request, limits: Limits) -> str:
    if name == "thing":
        return _thing(request)
    if name in OF_REQUEST:
        return str(getattr(request, name))
    if (fact := FACTS.get(name)) is not None:
        return fact(request.facts)
    if (limit := LIMITS.get(name)) is not None:
        return limit(limits)
    if (refused := REFUSED.get(name)) is not None:
        return refused(request.facts, limits)
    if (argument := arguments().get(name)) is not None:
        return _argument(argument, request)
    return "{" + name + "}"


def _thing(request: Request) -> str:
    """What a call ends, or acts on: `endpoint shop`, `version v-1 of shop`."""
    target, tool = _name(request.facts.target), BY_NAME.get(request.tool)
    if (kind := request.input.get("kind")) is not None:
        return f"{tr(str(kind))} {target}"
    ends = tool is not None and tool.effect is Effect.DESTROYS and any(view.name == "version" for view in tool.views)
    if not ends:
        return target
    if (version := request.input.get("version")) is None:
        return tr("a version of {target}", target=target)
    return tr("version {version} of {target}", version=version, target=target)


def _argument(name: str, request: Request) -> str:
    value = request.input.get(name)
    if value is None:
        return tr("something")
    if isinstance(value, list | tuple):
        return _list(map(str, value))
    if name in _SPANS and isinstance(value, int):
        return duration(value / MICRO)
    return f"{value / MICRO:g}" if name.endswith("_micro") and isinstance(value, int) else str(value)


_SPANS = frozenset({"for_s_micro", "lease_s_micro", "seconds_micro"})
"""Judged arguments that are spans of time."""
