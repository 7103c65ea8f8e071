"""An attack as data: a text, through which channel it comes, what it wants, and its benign twin that must still work.

A corpus is a JSONL file, one attack a line, or a YAML list. `channel` and `payload` are all that an attack needs, so
that corpora from elsewhere can be run; fields that are not known here are left out and said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from tools.record import Json, Record

Channel = Literal[
    "goal_text",
    "goal_file",
    "job_log",
    "event",
    "annotation",
    "alert_label",
    "api_error",
    "claimed_metrics",
    "model_card",
    "data_cell",
    "column_name",
    "file_name",
    "program",
    "mlflow",
]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
FED: Mapping[Channel, str] = {
    "event": "what a running job says of itself: nothing here reads a cluster's events yet",
    "annotation": "the detail of a version and of a resource, as its backend tells it: nothing else is annotated yet",
    "alert_label": "the detail of a failed version, as a diagnosis reads it: no alert comes in yet",
}
"""Channels that the product does not have yet, and through what their attacks come instead."""
Outcome = Literal["rejected", "refused", "infeasible", "asks", "waits", "done", "failed", "unmoved"]
"""`rejected`: the request is no valid one. `asks`: a question is open before planning. `waits`: for a person.
`unmoved`: as with a text that says nothing."""
_ALIASES: Mapping[str, Channel] = {
    **dict.fromkeys(("goal", "goals", "prompt", "request"), "goal_text"),
    **dict.fromkeys(("goalfile", "goal_files", "yaml"), "goal_file"),
    **dict.fromkeys(("log", "logs", "pod_log", "pod_logs", "job_logs"), "job_log"),
    **dict.fromkeys(("events", "pod_event", "pod_events"), "event"),
    **dict.fromkeys(("annotations", "label", "labels", "pod_annotation"), "annotation"),
    **dict.fromkeys(("alert", "alerts", "alert_labels", "alert_annotation"), "alert_label"),
    **dict.fromkeys(("error", "errors", "api_errors"), "api_error"),
    **dict.fromkeys(("metrics", "metrics_json", "claims"), "claimed_metrics"),
    **dict.fromkeys(("card", "model_cards"), "model_card"),
    **dict.fromkeys(("cell", "cells", "data", "dataset", "dataset_text", "data_set_text", "data_text"), "data_cell"),
    **dict.fromkeys(("column", "columns", "column_names"), "column_name"),
    **dict.fromkeys(("filename", "filenames", "file_names"), "file_name"),
    **dict.fromkeys(("env", "environment", "code", "program_environment"), "program"),
    **dict.fromkeys(("tracking", "mlflow_answer", "mlflow_answers"), "mlflow"),
}
_NAMES: Mapping[str, str] = {
    "text": "payload",
    "attack": "payload",
    "content": "payload",
    "benign": "twin",
    "goal": "wants",
    "intent": "wants",
    "lang": "language",
}


class Forbidden(Record):
    """One thing that must not come of an attack; what is named counts, and a text may hold `*`."""

    effect: str | None = None
    """A change of the world of that kind: `serving.*`."""
    times: int = 1
    """So many of them are too many."""
    target: str | None = None
    """A change of a thing of that name."""
    field: str | None = None
    """A number of the contract that is above `above`."""
    above: float = 0.0
    reads: str | None = None
    """Data of that place in the contract of a plan that can be run."""
    feasible: bool = False
    """That it can be run at all."""
    lease_above_s: float | None = None
    """An endpoint that is to live longer."""


class Attack(Record):
    """One attack."""

    id: str
    channel: Channel
    payload: Any
    language: str = "en"
    style: str = ""
    wants: str = ""
    """The effect that it is after."""
    twin: Any = None
    """The benign version; None where there is none."""
    expect: tuple[Outcome, ...] = ()
    """How it may end; empty is any way that does no harm."""
    twin_expect: tuple[Outcome, ...] = ()
    """How its twin must end; empty is the way of its channel."""
    forbids: tuple[Forbidden, ...] = ()
    shows: str = ""
    """What of the twin a person must still read."""
    why: str = ""
    fed: str = ""
    """Through what it comes, where the product has no such channel yet."""
    unknown: tuple[str, ...] = Field(default=(), exclude=True)
    """Names of fields of its line that were left out."""


_REPEATED = re.compile(r"%%(\d{1,7})\*(.{1,40}?)%%", re.DOTALL)


def spelled(value: Any) -> Any:
    """The payload with what repeats written out: `%%1000*ab%%` is `ab` a thousand times."""
    if isinstance(value, str):
        return _REPEATED.sub(lambda m: m[2] * int(m[1]), value)
    if isinstance(value, dict):
        return {spelled(k): spelled(v) for k, v in value.items()}
    return [spelled(v) for v in value] if isinstance(value, list) else value


class CorpusError(ValueError):
    """A corpus that cannot be read: every fault with its place."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def load(path: Path) -> tuple[Attack, ...]:
    """The attacks of a corpus, in order. CorpusError with every fault."""
    found, faults, known = [], list[str](), dict[str, str]()
    for place, told in _entries(path):
        try:
            attack = _attack(told, fallback=place)
        except ValidationError as error:
            said = (f"{place} {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            faults.extend(said)
            continue
        if attack.id in known:
            faults.append(f"{place} id: {attack.id!r} stands at {known[attack.id]} already")
        known[attack.id] = place
        found.append(attack)
    if faults:
        raise CorpusError(faults)
    return tuple(found)


def _entries(path: Path) -> Iterator[tuple[str, Json]]:
    """Every attack as it is written, with its place."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".yaml", ".yml"):
            told = list(enumerate(yaml.safe_load(text) or (), start=1))
        else:
            told = [(n, json.loads(x)) for n, x in enumerate(text.splitlines(), start=1) if x.strip()]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CorpusError([f"{path}: {error}"]) from error
    for number, entry in told:
        if not isinstance(entry, dict):
            raise CorpusError([f"{path.name}:{number}: an attack is an object with `channel` and `payload`"])
        yield f"{path.name}:{number}", entry


def _attack(told: Json, *, fallback: str) -> Attack:
    named = {_NAMES.get(k, k) if _NAMES.get(k, k) not in told else k: v for k, v in told.items()}
    fields = {k: v for k, v in named.items() if k in Attack.model_fields and k != "unknown"}
    unknown = tuple(sorted(set(named) - set(fields)))
    channel = str(fields.get("channel", "")).strip().lower().replace("-", "_").replace(" ", "_")
    for name in ("expect", "twin_expect"):
        if isinstance(fields.get(name), str):
            fields[name] = (fields[name],)
    fields |= {"channel": _ALIASES.get(channel, channel), "unknown": unknown}
    return Attack.model_validate({"id": fallback} | fields)
