"""Stage 3, survey: what is known before planning, as typed facts. Reads only; what cannot be read says why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from agent.contract import Contract, Data, Part
from tools.compute import Offers
from tools.deploy import Inspected
from tools.errors import ToolError
from tools.ports import EndpointState, Offer
from tools.recipes.probe_records import Format, Probe
from tools.recipes.records import Task
from tools.record import Json, Record
from tools.register import NAME, Found

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
    """Existing model, as `name` or `name:version` → its object key; None is known to be absent."""

    @property
    def offer(self) -> Offer | None:
        """Where work would run: what stands there already, else the cheapest whose price is known."""
        return min(self.offers, key=_preference, default=None)

    @property
    def usd_micro_per_hour(self) -> int | None:
        """The price of that; None when it is not known, which is never zero."""
        return None if self.offer is None else self.offer.usd_micro_per_hour


def _preference(offer: Offer) -> tuple[bool, bool, int, str]:
    price = offer.usd_micro_per_hour
    return (not offer.standing, price is None, price or 0, offer.id)


def survey(contract: Contract, *, read: Read, folder: Path, at: float) -> Survey:
    """Look at the data, the offers and the endpoints that the contract names."""
    data = {d.uri: _data(d, p, read, folder) for p in contract.parts for d in p.data}
    offers = Offers.model_validate(read("list_offers", {})).offers
    targets = {p.endpoint for p in contract.parts if _touches_endpoint(p)}
    endpoints = {name: _endpoint(name, read) for name in sorted(targets)}
    models = {":".join(filter(None, m)): _model(m, read) for p in contract.parts if (m := source_model(p)) is not None}
    return Survey(at=at, data=data, offers=offers, endpoints=endpoints, models=models)


def source_model(part: Part) -> tuple[str, str | None] | None:
    """(name, version) of the existing model that a deployment is about: `credit:v9`, or the target's newest."""
    if part.task != "deploy":
        return None
    named = part.source_models[0] if part.source_models else (part.target or part.name)
    name, _, version = named.partition(":")
    return name, version or None


def _model(named: tuple[str, str | None], read: Read) -> str | None:
    try:
        return Found.model_validate(read("find_model", {"name": named[0], "version": named[1]})).key
    except ToolError:
        return None  # a name that cannot be in the registry is not in it


def _touches_endpoint(part: Part) -> bool:
    return part.rollout.strategy != "none" or part.task in (
        "deploy",
        "rollback",
        "scale",
        "watch",
        "cleanup",
        "diagnose",
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


def _data(data: Data, part: Part, read: Read, folder: Path) -> DataFacts:
    source = source_of(data.uri, folder)
    if data.uri.startswith(REMOTE):
        return DataFacts(uri=data.uri, source=source, unreadable="it is not on this machine; name data that is")
    args = _probe_args(data, part, source)
    try:
        profile = Probe.model_validate(read("profile_data", args))
    except ToolError as error:
        return DataFacts(uri=data.uri, source=source, unreadable=str(error))
    if profile.cause == "data_missing":
        return DataFacts(uri=data.uri, source=source, unreadable="; ".join(map(str, profile.faults)))
    return DataFacts(uri=data.uri, source=source, profile=profile)


def _probe_args(data: Data, part: Part, source: str) -> Json:
    args: Json = {"source": source, "label": data.label}
    if data.format in get_args(Format):
        args["format"] = data.format
    if part.task in get_args(Task):
        args["task"] = part.task
    if part.split is not None:
        args["split"] = part.split.model_dump(exclude_none=True)
    if part.prepare is not None:
        args["drop_columns"] = list(part.prepare.drop_columns)
    return args
