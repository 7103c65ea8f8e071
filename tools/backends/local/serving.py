"""Endpoints on this machine: one detached host process each, found again by its folder.

The agent's process speaks to hosts through their control socket and imports nothing of what they run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from tools.backends.local.endpoint_records import (
    MOST_REPLICAS,
    PUBLISHED,
    VERSION_NAME,
    Deployment,
    Lease,
    Mirror,
    Published,
    Scale,
    Split,
    endpoint_folder,
    split_faults,
)
from tools.backends.local.owners import Drafts
from tools.backends.local.registry import TAGS, Identity, Registration, alive, end, read_json, registrations
from tools.backends.local.serving_client import Control, published
from tools.backends.local.serving_start import ensure, remove_folders
from tools.epochs import Tenure
from tools.errors import Invalid, NotFound, Superseded, ToolError, Unknown
from tools.language import tr
from tools.ports import EndpointState, Objects, Owned, Promise, Scope, ServeSpec, Serving, Tags

END_WITHIN_S = 20.0


class LocalServing(Serving):
    """Serving on loopback; the object store gives the folder of a model."""

    promise = Promise(atomic=True)

    def __init__(
        self, *, runtime: Path, objects: Objects, drafts: Drafts | None = None, tenure: Tenure | None = None
    ) -> None:
        """`drafts`, `tenure`: of the owner of a run, in whose hands it is."""
        self._runtime = runtime
        self._objects = objects
        self._drafts = drafts
        self._tenure = tenure

    def deploy(self, *, spec: ServeSpec, tags: Tags) -> EndpointState:
        """Add a version with weight 0; it is `starting` until the model itself has answered once.

        The same call again changes nothing. Conflict when another call holds the version's name.
        """
        _check(spec)
        folder = self._objects.fetch(spec.model)
        ensure(self._runtime, spec.endpoint, tags, self._drafts)
        wanted = Deployment(
            call=tags.call,
            model=spec.model,
            folder=str(folder.absolute()),
            replicas=spec.replicas,
            until=tags.lease_until,
            language=spec.language,
        )
        return self._change(spec.endpoint, "PUT", f"/versions/{spec.version}", wanted)

    def split(self, endpoint: str, *, weights: Mapping[str, int], call: str) -> EndpointState:
        known = {version.name for version in self.state(endpoint).versions}
        if faults := split_faults(weights, known):
            raise Invalid(*faults)
        return self._change(endpoint, "PUT", "/weights", Split(weights=dict(weights), call=call))

    def mirror(self, endpoint: str, *, version: str | None, call: str) -> EndpointState:
        return self._change(endpoint, "PUT", "/shadow", Mirror(version=version, call=call))

    def scale(self, endpoint: str, *, version: str, replicas: int, call: str) -> EndpointState:
        """Returns at once: `VersionState.ready` rises while new servers get ready."""
        if self.state(endpoint).version(version) is None:
            raise NotFound(
                tr("endpoint {endpoint} has no version {version}: deploy it first", endpoint=endpoint, version=version)
            )
        if faults := _replica_faults(replicas):
            raise Invalid(*faults)
        wanted = Scale(replicas=replicas, call=call)
        return self._change(endpoint, "PUT", f"/versions/{quote(version, safe='')}/replicas", wanted)

    def withdraw(self, endpoint: str, *, version: str) -> None:
        """Requests in flight are answered first. An endpoint that is gone has no version either."""
        try:
            Control(self._runtime, endpoint, self._tenure).ask("DELETE", f"/versions/{quote(version, safe='')}")
        except NotFound:
            return

    def extend(self, endpoint: str, *, run: str, owner: str, lease_until: float) -> EndpointState:
        try:
            lease = Lease(run=run, owner=owner, lease_until=lease_until)
        except ValidationError as error:
            raise Invalid(f"lease until {lease_until}: use finite epoch seconds") from error
        return self._change(endpoint, "PUT", "/lease", lease)

    def remove(self, endpoint: str) -> None:
        if self._drafts is not None:
            self._drafts.check()
        folder = endpoint_folder(self._runtime, endpoint)
        tags = read_json(folder / TAGS, Registration)
        if tags is not None:
            if alive(tags.process):
                self._ask_to_end(endpoint)
                _await_end(tags.process)
            end(tags.process, folder)
        remove_folders(folder, tags)

    def state(self, endpoint: str) -> EndpointState:
        return published(self._runtime, endpoint).state()

    def find(self, call: str) -> EndpointState | None:
        """The endpoint with a version of that call, if its host is alive."""
        for folder, tags in registrations(self._runtime, "endpoints"):
            if not alive(tags.process):
                continue
            seen = read_json(folder / PUBLISHED, Published)
            if seen is not None and any(held.call == call for held in seen.versions):
                return seen.state()
        return None

    def owned(self, scope: Scope) -> Sequence[Owned]:
        """Every endpoint of this machine, also one whose host died and left its folder."""
        found = (tags for _, tags in registrations(self._runtime, "endpoints") if scope.run in (None, tags.run))
        return tuple(
            tags.owned() if alive(tags.process) else tags.model_copy(update={"detail": tr("its host is gone")}).owned()
            for tags in found
        )

    def _change(self, endpoint: str, method: Literal["PUT"], path: str, body: BaseModel) -> EndpointState:
        answer = Control(self._runtime, endpoint, self._tenure).ask(method, path, body)
        try:
            return Published.model_validate_json(answer.body).state()
        except ValidationError as error:
            raise Unknown(
                tr("the host of endpoint {endpoint} answered what cannot be read", endpoint=endpoint)
            ) from error

    def _ask_to_end(self, endpoint: str) -> None:
        try:
            Control(self._runtime, endpoint, self._tenure).ask("DELETE", "/")
        except Superseded:
            raise
        except ToolError:
            return  # it is ended by force then


def _check(spec: ServeSpec) -> None:
    if not VERSION_NAME.fullmatch(spec.version):
        raise Invalid(f"version {spec.version!r}: use letters, digits, '.', '_' and '-', letter or digit first")
    if faults := _replica_faults(spec.replicas):
        raise Invalid(*faults)


def _replica_faults(replicas: int) -> list[str]:
    possible = range(MOST_REPLICAS + 1)
    return (
        []
        if replicas in possible
        else [
            tr(
                "replicas {replicas}: one machine serves 0 to {most} of a version",
                replicas=replicas,
                most=MOST_REPLICAS,
            )
        ]
    )


def _await_end(process: Identity) -> None:
    """Wait for a host that was asked to end."""
    deadline = time.monotonic() + END_WITHIN_S
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)
