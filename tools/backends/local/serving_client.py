"""The agent's side of an endpoint's control socket: one request, one typed answer or one typed error.

Standard library only: the agent's process imports it.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from tools.backends.local.endpoint_records import OWNER, PUBLISHED, Fault, Published, endpoint_folder
from tools.backends.local.registry import alive, read_json
from tools.epochs import Tenure
from tools.errors import Conflict, Invalid, NotFound, Refused, Superseded, ToolError, Transient, Unknown
from tools.language import tr

READ_S = 5.0
CHANGE_S = 30.0
"""Above the time a withdrawal waits for its last requests."""


class Answer(NamedTuple):
    headers: Mapping[str, str]
    body: bytes


def published(runtime: Path, endpoint: str) -> Published:
    """The endpoint as its host last wrote it. NotFound when there is none or its host is gone."""
    seen = read_json(endpoint_folder(runtime, endpoint) / PUBLISHED, Published)
    if seen is None:
        raise NotFound(tr("there is no endpoint {endpoint} on this machine", endpoint=endpoint))
    if not alive(seen.registration.process):
        raise NotFound(tr("the host of endpoint {endpoint} is gone; only its folder is left", endpoint=endpoint))
    return seen


class Control:
    """Speaks to the host of one endpoint."""

    def __init__(self, runtime: Path, endpoint: str, tenure: Tenure | None = None) -> None:
        """`tenure`: in the name of which owner of a run changes are asked for."""
        self._runtime = runtime
        self._endpoint = endpoint
        self._headers = {} if tenure is None else {OWNER: tenure.model_dump_json()}

    def ask(self, method: Literal["GET", "PUT", "DELETE"], path: str, body: BaseModel | None = None) -> Answer:
        """NotFound, Conflict, Invalid, Transient; Unknown when a change was sent and not answered."""
        seen = published(self._runtime, self._endpoint)
        line = _Line(seen.control, timeout=READ_S if method == "GET" else CHANGE_S)
        try:
            return self._exchange(line, method, path, body)
        finally:
            line.close()

    def _exchange(self, line: _Line, method: str, path: str, body: BaseModel | None) -> Answer:
        try:
            line.connect()
        except OSError as error:
            raise self._unreachable(error) from error
        text = None if body is None else body.model_dump_json().encode()
        try:
            line.request(method, path, body=text, headers=self._headers)
            answer = line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(method, error) from error
        if answer.status >= 400:
            raise _typed(answer.status, content)
        return Answer({name.lower(): value for name, value in answer.getheaders()}, content)

    def _unreachable(self, error: OSError) -> ToolError:
        try:
            published(self._runtime, self._endpoint)
        except NotFound as gone:
            return gone
        return Transient(
            tr(
                "the host of endpoint {endpoint} does not accept a connection now: {error}",
                endpoint=self._endpoint,
                error=error,
            )
        )

    def _unanswered(self, method: str, error: Exception) -> ToolError:
        if method == "GET":
            return Transient(
                tr("the host of endpoint {endpoint} did not answer: {error!r}", endpoint=self._endpoint, error=error)
            )
        return Unknown(
            tr(
                "the host of endpoint {endpoint} did not say whether the change was made: {error!r}",
                endpoint=self._endpoint,
                error=error,
            )
        )


class _Line(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _typed(status: int, content: bytes) -> ToolError:
    try:
        fault = Fault.model_validate_json(content)
    except ValidationError:
        return Unknown(tr("the endpoint's host answered {status} without saying why", status=status))
    message = "; ".join(fault.faults)
    match fault.kind:
        case "Invalid":
            return Invalid(*fault.faults)
        case "Conflict":
            return Conflict(message)
        case "NotFound":
            return NotFound(message)
        case "Refused":
            return Refused(message)
        case "Superseded":
            return Superseded(message)
        case "Transient":
            return Transient(message, why="capacity")
        case _:
            return Unknown(message)
