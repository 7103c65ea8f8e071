"""One question and one answer over a world's socket. A connection per question: nothing to share or repair."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from tools.backends.sim.faults import EFFECTS
from tools.backends.sim.wire import Answer, Request, raised
from tools.epochs import Tenure
from tools.errors import ToolError, Transient, Unknown

T = TypeVar("T")

PATIENCE_S = 30.0
"""Longest wait for an answer; the world computes no request for nearly as long."""


class Line:
    """Asks; raises the typed error that the world raised."""

    def __init__(self, path: Path, tenure: Tenure | None = None, *, latency_s: float = 0.0) -> None:
        """`tenure`: in whose name everything is asked. `latency_s`: how long each question of a port is on its way."""
        self._path = path
        self._tenure = tenure
        self._latency_s = latency_s

    def fenced(self, tenure: Tenure) -> Line:
        """The same in the name of that owner of a run."""
        return Line(self._path, tenure, latency_s=self._latency_s)

    def ask(self, shape: TypeAdapter[T], operation: str, /, **args: object) -> T:
        """The answer, parsed. Transient before anything was sent; later Unknown for what has an effect."""
        request = Request(operation=operation, args=to_jsonable_python(args), tenure=self._tenure)
        if self._latency_s and not operation.startswith("control."):
            time.sleep(self._latency_s)
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE_S)
            try:
                line.connect(str(self._path))
            except OSError as error:
                raise Transient(f"no simulated world answers at {self._path}: {error}") from error
            try:
                said = _exchange(line, request)
            except (OSError, ValidationError) as error:
                raise _broken(operation, error) from error
        if said.error is not None:
            raise raised(said.error)
        return shape.validate_python(said.result)


def _exchange(line: socket.socket, request: Request) -> Answer:
    line.sendall(request.model_dump_json().encode() + b"\n")
    with line.makefile("rb") as answers:
        return Answer.model_validate_json(answers.readline())


def _broken(operation: str, error: Exception) -> ToolError:
    if operation in EFFECTS or operation.startswith("control."):
        return Unknown(f"{operation} was sent and not answered: {type(error).__name__}")
    return Transient(f"{operation} was not answered: {type(error).__name__}")
