"""Requests that changed a world, written down so that a server that died can be where it was.

A world is deterministic, so the requests are its whole state. A request is written before it is
answered: what was not written was never heard of.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.wire import Request, answer
from tools.backends.sim.world import World
from tools.errors import Invalid
from tools.record import Record


class Header(Record):
    """Which world the requests belong to."""

    world: str
    """sha256 of the world's parameters."""
    seed: int

    @classmethod
    def of(cls, world: World, seed: int) -> Header:
        return cls(world=hashlib.sha256(world.model_dump_json().encode()).hexdigest(), seed=seed)


class Tape:
    """An append-only file of JSON lines: a header, then requests."""

    def __init__(self, path: Path, *, header: Header, backend: SimBackend) -> None:
        """Bring a fresh backend to where the file leaves off. Invalid when it is another world's."""
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        if whole:
            _replay(path, whole, header, backend)
        kept = b"".join(whole) or header.model_dump_json().encode() + b"\n"
        # A torn last line was never answered; cut it off before anything is appended to it.
        path.write_bytes(kept)
        self._file = path.open("ab")

    def write(self, request: Request) -> None:
        self._file.write(request.model_dump_json().encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _replay(path: Path, lines: list[bytes], header: Header, backend: SimBackend) -> None:
    try:
        if Header.model_validate_json(lines[0]) != header:
            raise Invalid(f"{path} belongs to another world or seed: give those, or a new file")
        for line in lines[1:]:
            answer(backend, Request.model_validate_json(line))
    except ValidationError as error:
        raise Invalid(f"{path} is no record of a simulated world: {error.errors()[0]['msg']}") from error
