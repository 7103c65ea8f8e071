"""`limits.yaml` as a typed record. Everything is checked at once; what is missing is a fault, not a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from policies.calendar import Hours
from policies.faults import Fault, PolicyFaults
from policies.people import People
from policies.request import LARGEST
from tools.language import tr
from tools.record import Record
from tools.yaml_tree import Entries, Items, Node, Place, Scalar, parse

MICRO = 1_000_000
MAX_CHARS = 256 * 1024
_MOST = LARGEST / MICRO / 4  # in micro-units and milliseconds it still fits 64 bits
Dollars = Annotated[float, Field(ge=0, le=_MOST)]
Seconds = Annotated[float, Field(gt=0, le=_MOST)]
Count = Annotated[int, Field(ge=1, le=LARGEST)]
Names = tuple[Annotated[str, Field(min_length=1)], ...]
Any_ = Literal["any"]


class Money(Record):
    ask_above_usd: Dollars
    refuse_above_usd: Dollars
    rate_usd_per_hour: Dollars | Any_
    requester_usd_per_month: Dollars | Any_
    all_usd_per_month: Dollars | Any_
    standing_usd_per_month: Dollars | Any_


class Gpu(Record):
    hours_per_month: Annotated[float, Field(ge=0, le=_MOST / 3600)] | Any_


class Time(Record):
    longest_call_s: Seconds
    longest_lease_s: Seconds


class Parallel(Record):
    calls: Count
    jobs: Count


class Rollouts(Record):
    replicas: Count


class Searches(Record):
    trials: Count


class Allowed(Record):
    """What may be used; `any` for anything. The empty list allows nothing."""

    instances: Names | Any_
    gpus: Names | Any_
    regions: Names | Any_
    images: Names | Any_
    locations: Names | Any_


class Never(Record):
    """What may not be touched, whatever else is allowed."""

    locations: Names
    namespaces: Names


class Production(Record):
    environments: Names


class Price(Record):
    """What a language model costs, in US dollars per million tokens."""

    model: Annotated[str, Field(min_length=1)]
    """As its endpoint calls it; `*` stands for any characters."""
    at: Literal["any", "loopback"]
    """`loopback`: an endpoint on this machine alone."""
    read: Dollars
    written: Dollars


class Tokens(Record):
    """Of a language model."""

    before_contract: Count
    per_run: Count
    per_month: Count
    prices: tuple[Price, ...]
    """The first that fits holds."""


class Approvals(Record):
    expire_after_s: Seconds


class Limits(Record):
    """What the agent may do without asking, and at all."""

    money: Money
    gpu: Gpu
    time: Time
    parallel: Parallel
    rollout: Rollouts
    search: Searches
    allowed: Allowed
    never: Never
    production: Production
    hours: Hours
    tokens: Tokens
    people: People
    approvals: Approvals

    @model_validator(mode="after")
    def _asks_before_it_refuses(self) -> Limits:
        if self.money.ask_above_usd > self.money.refuse_above_usd:
            raise ValueError(tr("money.ask_above_usd is above money.refuse_above_usd: nobody would ever be asked"))
        return self

    def price_of(self, model: str, *, loopback: bool) -> tuple[float, float] | None:
        """US dollars per million tokens of that model, (read, written); None where nobody said."""
        fitting = (p for p in self.tokens.prices if fnmatchcase(model, p.model) and (loopback or p.at == "any"))
        found = next(fitting, None)
        return None if found is None else (found.read, found.written)

    def in_hours(self, now: float) -> bool:
        """Whether `now`, in epoch seconds, lies in the hours of change."""
        return self.hours.contain(now)


def load_limits(text: str | None = None, *, file: str = "limits.yaml") -> Limits:
    """The shipped limits, or those in `text`. PolicyFaults lists every fault with its line."""
    source = text if text is not None else files("policies").joinpath("limits.yaml").read_text(encoding="utf-8")
    if len(source) > MAX_CHARS:
        raise PolicyFaults(Fault(place=file, what=tr("is larger than {most} KiB", most=MAX_CHARS // 1024)))
    root, flaws = parse(source)
    faults = [Fault(place=f"{file}:{f.at.line}:{f.at.column}", what=f.what, fix=f.fix) for f in flaws]
    if root is None:
        empty = Fault(place=file, what=tr("the file is empty"), fix=tr("copy the shipped limits.yaml and change it"))
        raise PolicyFaults(*(faults or [empty]))
    try:
        read = Limits.model_validate(_plain(root))
    except ValidationError as error:
        raise PolicyFaults(*faults, *_faults(file, root, error)) from error
    if faults:
        raise PolicyFaults(*faults)
    return read


def _plain(node: Node) -> object:
    """Texts in lists and mappings; each field's own type turns a text into what it is."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    return {key.text: _plain(value) for key, value in node.entries}


def _faults(file: str, root: Node, error: ValidationError) -> Iterator[Fault]:
    """One fault for every place, in the order of the file. Of the ways in which a value may be written, those that
    nobody tried are not told apart.
    """
    told: dict[tuple[int, int, str], list[str]] = {}
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        at, path = _place(root, problem["loc"])
        told.setdefault((at.line, at.column, path), []).append(_said(problem["type"], problem["msg"]))
    for (line, column, path), said in sorted(told.items()):
        if said == [_ONLY_ANY] and any(other.startswith(path + ".") for _, _, other in told):
            continue
        what = tr(" or ").join(dict.fromkeys(said))
        fix = tr("see the shipped limits.yaml") if said == [tr("is missing")] else ""
        yield Fault(place=f"{file}:{line}:{column} {path}".rstrip(), what=what, fix=fix)


_ONLY_ANY = "must be 'any'"


def _said(kind: str, message: str) -> str:
    if kind == "missing":
        return tr("is missing")
    if kind == "extra_forbidden":
        return tr("is no field that is known")
    return message.removeprefix("Value error, ").replace("Input should", "must").replace("valid tuple", "list")


def _place(node: Node, loc: tuple[int | str, ...]) -> tuple[Place, str]:
    """Where the path stands, as far as the file has it, and the path without the names of types."""
    at, path, left = node.at, [], list(loc)
    while left:
        step = left.pop(0)
        below = _below(node, step)
        if below is not None:
            node, at = below
        elif isinstance(step, str) and not isinstance(node, Entries):
            continue  # the alternative of a union that was tried
        path.append(str(step))
    return at, ".".join(path)


def _below(node: Node, step: int | str) -> tuple[Node, Place] | None:
    if isinstance(node, Entries):
        entries: Mapping[str | None, tuple[Scalar, Node]] = {key.text: (key, value) for key, value in node.entries}
        found = entries.get(str(step))
        return None if found is None else (found[1], found[0].at)
    if isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
        return node.items[step], node.items[step].at
    return None
