"""What agent and endpoint host tell each other: the files in the endpoint's folder and the control bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from tools.backends.local.registry import Registration
from tools.errors import Invalid
from tools.language import Language
from tools.ports import EndpointState, Tags, VersionState
from tools.record import Record

START = "start.json"
PUBLISHED = "endpoint.json"
CONTROL = "control.sock"
LOCK = "host.lock"
LOG = "host.log"
OWNER = "x-goalkeeper-owner"
"""Header of a change: the `Tenure` in whose name it is asked for. Without one it is nobody's, as a sweep is."""

ENDPOINT_NAME = re.compile(r"\w[\w.-]{0,62}")
"""Safe as a folder and, quoted, in a URL; any script."""
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Safe in a file name, a URL, a header and a label."""
MOST_REPLICAS = 8


class Start(Record):
    """`start.json`: what the host is started with."""

    name: str
    tags: Tags


class Deployment(Record):
    """Body of `PUT /versions/NAME`."""

    call: str
    model: str
    """Object key, for show."""
    folder: str
    """Absolute path of the model folder."""
    replicas: int = Field(default=1, ge=1, le=MOST_REPLICAS)
    until: float = 0.0
    """The lease it was deployed with: how long its rollout may hold the endpoint."""
    language: Language = "en"


class Split(Record):
    """Body of `PUT /weights`."""

    weights: Mapping[str, int]
    call: str


class Mirror(Record):
    """Body of `PUT /shadow`."""

    version: str | None
    call: str


class Scale(Record):
    """Body of `PUT /versions/NAME/replicas`."""

    replicas: int = Field(ge=0, le=MOST_REPLICAS)
    call: str


class Lease(Record):
    """Body of `PUT /lease`."""

    run: str
    owner: str
    lease_until: float


class Held(Record):
    """One version and the call that deployed it."""

    state: VersionState
    call: str
    scaled_by: str = ""
    """The call that set the number of its servers; empty while it is as it was deployed."""


class Published(Record):
    """`endpoint.json`: the endpoint as its host last saw it. True only while the host is alive."""

    registration: Registration
    """The creation, with the lease as it is now."""
    url: str
    control: str
    """Path of the control socket; outside the folder where the folder's path is too long for one."""
    versions: tuple[Held, ...]
    split_by: str = ""
    """The call that set the weights."""
    shadow: str | None = None
    mirrored_by: str = ""
    """The call that named the shadow, or took it away."""

    def state(self) -> EndpointState:
        of = self.registration
        return EndpointState(
            name=of.id,
            url=self.url,
            versions=tuple(held.state for held in self.versions),
            shadow=self.shadow,
            run=of.run,
            owner=of.owner,
            lease_until=of.lease_until,
            started=of.started,
        )


class Fault(Record):
    """Body of an answer that is not a success; `kind` names the error of `tools.errors`."""

    kind: str
    faults: tuple[str, ...]


def split_faults(weights: Mapping[str, int], known: set[str]) -> list[str]:
    """What is wrong with absolute weights in percent."""
    faults = [
        f"weight of {name}: {weight} is not 0 to 100" for name, weight in weights.items() if not 0 <= weight <= 100
    ]
    faults += [f"version {name} is not behind this endpoint: deploy it first" for name in weights if name not in known]
    if (total := sum(weights.values())) != 100:
        faults.append(f"the weights add up to {total}: make it 100")
    return faults


def endpoint_folder(runtime: Path, name: str) -> Path:
    """The folder of an endpoint. Invalid for a name that is not one: it would lead elsewhere."""
    if not ENDPOINT_NAME.fullmatch(name):
        raise Invalid(
            f"endpoint name {name!r}: use letters, digits, '_', '-' and '.', at most 63, not '.' or '-' first"
        )
    return runtime / "endpoints" / name
