"""Stage 3, survey: what is known before planning, as typed facts. Reads only; what cannot be read says why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from agent.contract import Contract, Data, Part
from agent.past import Past, Place
from tools.compute import Offers, Resources
from tools.deploy import Inspected
from tools.errors import ToolError
from tools.language import tr
from tools.ports import EndpointState, Offer, Owned
from tools.recipes.data.join_plan import plan_faults
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.formulas.formula import parse
from tools.recipes.probe_records import Probe
from tools.recipes.records import Format, JoinOn, Task
from tools.record import Json, Record
from tools.register import CARD, NAME, Found, read_card

Read = Callable[[str, Json], Json]
"""Performs a tool that reads: (tool, arguments) → result."""

BUNDLED = "sklearn:"
REMOTE = ("s3://", "gs://", "https://", "http://", "hf:")


class DataFacts(Record):
    """What is known of one data set."""

    uri: str
    source: str
    """Absolute path, or `sklearn:NAME`."""
    profile: Probe | None = None
    unreadable: str | None = None
    """Why nothing is known: it is not there, not ours to read here, or the probe failed."""


class Survey(Record):
    """Typed facts about the world, as they were at one time."""

    at: float
    data: Mapping[str, DataFacts] = {}
    """By uri."""
    offers: tuple[Offer, ...] = ()
    endpoints: Mapping[str, EndpointState | None] = {}
    """By name; None is known to be absent."""
    models: Mapping[str, str | None] = {}
    """Existing model, as `name`, `name:version` or a path → its object key or folder; None is known to be absent."""
    previous: Mapping[str, str | None] = {}
    """Endpoint → the model it was left with before the one that serves, as `name:version`; None where nobody knows."""
    owned: tuple[Owned, ...] | None = None
    """Everything that runs own here; None where nobody asked."""
    tasks: Mapping[str, Task] = {}
    """The same names → what the model says it was trained for, where it says so."""
    labels: Mapping[str, str] = {}
    """The same names → the column that the model says it predicts, where it says so."""
    licences: Mapping[str, tuple[str, ...]] = {}
    """The same names → restricting licences that the model states of itself, where it states any."""
    past: tuple[Past, ...] = ()
    """What comparable work of earlier runs took and came to, newest first."""

    def meant(self, part: Part) -> tuple[Owned, ...]:
        """What a part that ends things names: the endpoint, job or machine of that name, or all that a run has."""
        named = (part.target, *part.source_models)
        return tuple(o for o in self.owned or () if o.id in named or o.run in named)

    @property
    def offer(self) -> Offer | None:
        """Where work would run: what stands there already, else the cheapest whose price is known."""
        return min(self.offers, key=_preference, default=None)

    @property
    def place(self) -> Place | None:
        """That, as past work names it; None where nothing is offered, or under a name that could say anything."""
        return None if (offer := self.offer) is None else Place.of(offer.backend, offer.id, offer.gpu)

    @property
    def usd_micro_per_hour(self) -> int | None:
        """The price of that; None when it is not known, which is never zero."""
        return None if self.offer is None else self.offer.usd_micro_per_hour


def _preference(offer: Offer) -> tuple[bool, bool, int, str]:
    price = offer.usd_micro_per_hour
    return (not offer.standing, price is None, price or 0, offer.id)


_GOES_BACK = ("rollback", "diagnose")
"""Tasks that may have to know which version was there before the one that serves."""


def survey(contract: Contract, *, read: Read, folder: Path, at: float) -> Survey:
    """Look at the data, the offers and the endpoints that the contract names."""
    data: dict[str, DataFacts] = {}
    for part in contract.parts:
        for facts in _tables(part, read, folder):
            data[facts.uri] = _both(data.get(facts.uri), facts)
    offers = Offers.model_validate(read("list_offers", {})).offers
    targets = {p.endpoint for p in contract.parts if _touches_endpoint(p)}
    endpoints = {name: _endpoint(name, read) for name in sorted(targets)}
    found = {name: _model(name, read, folder) for p in contract.parts for name in existing(p, endpoints)}
    ends = any(p.task == "cleanup" for p in contract.parts)
    return Survey(
        at=at,
        data=data,
        offers=offers,
        endpoints=endpoints,
        models={name: m.key for name, m in found.items()},
        previous={p.endpoint: _previous(p, endpoints, read) for p in contract.parts if p.task in _GOES_BACK},
        owned=Resources.model_validate(read("list_resources", {})).owned if ends else None,
        tasks={name: m.task for name, m in found.items() if m.task is not None},
        labels={name: m.label for name, m in found.items() if m.label is not None},
        licences={name: m.licences for name, m in found.items() if m.licences},
    )


def existing(part: Part, endpoints: Mapping[str, EndpointState | None]) -> tuple[str, ...]:
    """Every model that must exist already for this part: what it is about, and what it is compared with."""
    about = source_model(part)
    names: tuple[str, ...] = (":".join(filter(None, about)),) if about is not None else ()
    if part.task in ("evaluate", "compare"):
        names = part.source_models or ((part.target or part.name,) if part.task == "evaluate" else ())
    state = endpoints.get(part.endpoint)
    names = (*names, *_watched_model(part, state))
    back = wanted_version(part) if part.task == "rollback" else ""
    if back and (state is None or state.version(back.rpartition(":")[2]) is None):
        names = (*names, back)
    if any(c.relative is not None and c.relative.to == "incumbent" and c.where == "holdout" for c in part.clauses):
        names = (*names, incumbent(part, endpoints.get(part.endpoint)))
    if any(c.relative is not None and c.relative.to == "other" for c in part.clauses) and part.source_models:
        names = (*names, *part.source_models)
    return tuple(dict.fromkeys(names))


def wanted_version(part: Part) -> str:
    """`name:version` that a roll back names; empty when it is to go to whatever was before."""
    named = part.source_models[0] if part.source_models else ""
    return named if not named or ":" in named else f"{part.endpoint}:{named}"


def _previous(part: Part, endpoints: Mapping[str, EndpointState | None], read: Read) -> str | None:
    """What the endpoint was left with before what serves, as it is noted. Nothing else is taken for it: another version
    that stands there may be a shadow, or one that was never proven."""
    state = endpoints.get(part.endpoint)
    if state is None:
        return None
    serving = max((v for v in state.versions if v.weight > 0), key=lambda v: v.weight, default=None)
    if serving is None:
        return None
    args: Json = {"name": part.endpoint, "before": serving.name}
    try:
        found = Found.model_validate(read("find_model", args))
    except ToolError:
        found = Found(key=None)  # what is noted cannot be read: it is no version to go back to
    return None if found.key is None else found.key.removeprefix("models/").replace("/", ":")


def _watched_model(part: Part, state: EndpointState | None) -> tuple[str, ...]:
    """The registered model whose requests a watch draws from."""
    if state is None or part.task not in ("watch", "scale") or (part.task == "scale" and not part.clauses):
        return ()
    serving = max(state.versions, key=lambda v: v.weight, default=None)
    return () if serving is None else (serving.model.removeprefix("models/").replace("/", ":"),)


def incumbent(part: Part, state: EndpointState | None) -> str:
    """What serves at the part's endpoint as `name:version`; without one the newest model of that name."""
    serving = max((v for v in state.versions if v.weight > 0), key=lambda v: v.weight, default=None) if state else None
    return part.endpoint if serving is None else f"{part.endpoint}:{serving.name}"


def servers(state: EndpointState | None) -> int:
    """How many servers an endpoint has, those of every version; at least one, which it may get."""
    return max(1, sum(v.replicas for v in state.versions)) if state is not None else 1


def is_path(model: str) -> bool:
    """A folder on this machine rather than a name in the registry."""
    return "/" in model or "\\" in model or model in (".", "..")


def source_model(part: Part) -> tuple[str, str | None] | None:
    """(name, version) of the existing model that a deployment is about: `credit:v9`, or the target's newest."""
    if part.task != "deploy":
        return None
    named = part.source_models[0] if part.source_models else (part.target or part.name)
    name, _, version = named.partition(":")
    return name, version or None


def _model(model: str, read: Read, folder: Path) -> Found:
    if is_path(model):
        place = folder / Path(model).expanduser()
        if not (place / CARD).is_file():
            return Found(key=None)
        try:
            stated = read_card(place).licences
        except ToolError:
            stated = ()  # a card that cannot be read is told of when the model is brought
        return Found(key=str(place.resolve()), licences=stated)
    name, _, version = model.partition(":")
    try:
        return Found.model_validate(read("find_model", {"name": name, "version": version or None}))
    except ToolError:
        return Found(key=None)  # a name that cannot be in the registry is not in it


def _touches_endpoint(part: Part) -> bool:
    beside = any(c.relative is not None and c.relative.to == "incumbent" for c in part.clauses)
    return (
        part.rollout.strategy != "none"
        or beside
        or part.task
        in (
            "deploy",
            "rollback",
            "scale",
            "watch",
            "cleanup",
            "diagnose",
        )
    )


def _endpoint(name: str, read: Read) -> EndpointState | None:
    if not re.fullmatch(NAME, name):
        return None  # nothing can be called that
    return Inspected.model_validate(read("inspect_endpoint", {"endpoint": name})).state


def source_of(uri: str, folder: Path) -> str:
    """Absolute path of a local data set; other uris as they are."""
    if uri.startswith((BUNDLED, *REMOTE)):
        return uri
    return str((folder / Path(uri).expanduser()).resolve())


def _tables(part: Part, read: Read, folder: Path) -> tuple[DataFacts, ...]:
    """What is known of each table of the part; several are judged together as well."""
    each = tuple(_data(d, part, read, folder) for d in part.data)
    seen = {f.uri: f.profile for f in each}
    columns = {uri: _columns(profile) for uri, profile in seen.items() if profile is not None}
    if not each or len(columns) < len(seen) or not all(columns.values()):
        return each  # a table that could not be read has its own faults
    found = list(_formulas(part, {name for names in columns.values() for name in names}))
    if len(each) > 1 and part.task in get_args(Task):
        found += _together(part, columns)
    return (_faulty(each[0], found), *each[1:])


_JUDGED = ("prediction", "label", "score", "probability")
"""What a formula can read beside the columns of the data."""


def _formulas(part: Part, names: set[str]) -> Iterator[Fault]:
    """Columns that a formula reads and that no table has. A join may add the name of a table to that of a column."""
    for metric, text in (part.metrics or {}).items():
        try:
            read = parse(text).columns
        except BadInput:
            continue  # the formula itself is at fault, which is told elsewhere
        for name in read:
            if name in (*names, *_JUDGED) or any(name.startswith(f"{known}_") for known in names):
                continue
            place = tr("metric {metric}, formula", metric=metric)
            problem = tr("there is no column {name!r}", name=name)
            yield Fault(place=place, problem=problem, fix=near(name, (*sorted(names), *_JUDGED)))


def _together(part: Part, columns: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """Faults of several tables as one: joins that cannot be made, names that are in none of them."""
    held = [d.uri for d in part.data if d.role == "holdout"]
    rows = {uri: names for uri, names in columns.items() if uri not in held}
    if not rows:
        return []
    joins = [JoinOn.model_validate(j.model_dump()) for j in part.prepare.join] if part.prepare is not None else []
    rare = [d.uri for d in part.data if d.role in ("items", "users")]
    first = next((uri for uri in rows if uri not in rare), next(iter(rows)))
    found = plan_faults(rows, joins, first)
    every = tuple(dict.fromkeys(n for names in rows.values() for n in names))
    found += [
        Fault(place=place, problem=tr("is no column of any of the tables"), fix=near(name, every))
        for place, name in _named(part)
        if name not in every
    ]
    dropped = set(part.prepare.drop_columns) if part.prepare is not None else set[str]()
    for uri in held:
        lacking = [n for n in rows[first] if n not in columns[uri] and n not in dropped]
        found += [
            Fault(place=uri, problem=tr("lacks column {name!r}", name=n), fix=near(n, columns[uri])) for n in lacking
        ]
    return found


def _columns(profile: Probe) -> tuple[str, ...]:
    label = (profile.label.name,) if profile.label is not None else ()
    return tuple(dict.fromkeys((*(c.name for c in profile.columns), *label)))


def _named(part: Part) -> list[tuple[str, str]]:
    """(place, column) of every column that the goal names for all tables."""
    split = part.split.column if part.split is not None else None
    drop = part.prepare.drop_columns if part.prepare is not None else ()
    named = [(tr("label {label!r}", label=d.label), d.label) for d in part.data]
    named += [(tr("time {time!r}", time=d.time), d.time) for d in part.data] + [
        (tr("group {name!r}", name=d.id), d.id) for d in part.data
    ]
    named += [(tr("split column {split!r}", split=split), split), *((f"drop_columns {n!r}", n) for n in drop)]
    return list(dict.fromkeys((place, name) for place, name in named if name is not None))


def _faulty(facts: DataFacts, faults: list[Fault]) -> DataFacts:
    if not faults or facts.profile is None:
        return facts
    every = tuple(dict.fromkeys((*facts.profile.faults, *faults)))
    return facts.model_copy(
        update={"profile": facts.profile.model_copy(update={"faults": every, "cause": "data_invalid"})}
    )


def _both(before: DataFacts | None, facts: DataFacts) -> DataFacts:
    """The facts of a data set that several parts name: the faults that any of them would meet."""
    if before is None or before.profile is None:
        return facts
    return _faulty(facts, list(before.profile.faults))


def _data(data: Data, part: Part, read: Read, folder: Path) -> DataFacts:
    source = source_of(data.uri, folder)
    if data.uri.startswith(REMOTE):
        return DataFacts(uri=data.uri, source=source, unreadable=tr("it is not on this machine; name data that is"))
    args = _probe_args(data, part, source)
    try:
        profile = Probe.model_validate(read("profile_data", args))
    except ToolError as error:
        return DataFacts(uri=data.uri, source=source, unreadable=str(error))
    if profile.cause == "data_missing":
        return DataFacts(uri=data.uri, source=source, unreadable=tr("; ").join(map(str, profile.faults)))
    return DataFacts(uri=data.uri, source=source, profile=profile)


def _probe_args(data: Data, part: Part, source: str) -> Json:
    together = len(part.data) > 1
    labels = (d.label for d in part.data if d.label is not None)
    args: Json = {
        "source": source,
        "label": next(labels, None) if together else data.label,
        "time": data.time,
        "group": data.id,
        "role": "holdout" if part.task in ("evaluate", "compare") else data.role,
        "together": together,
    }
    if data.format in get_args(Format):
        args["format"] = data.format
    if part.task in get_args(Task):
        args["task"] = part.task
    if part.split is not None:
        args["split"] = part.split.model_dump(exclude_none=True)
    if part.prepare is not None:
        args["drop_columns"] = list(part.prepare.drop_columns)
    return args
