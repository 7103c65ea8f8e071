"""A simulated world as a process of its own, so that whoever uses it can be killed and come back.

    python -m tools.backends.sim.server --socket PATH --world NAME --seed N [--state FILE | --pace RATE]

One JSON line per request, one per answer, over a Unix socket. It ends when told to (`control.stop`,
SIGTERM) or when its socket is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import socketserver
import sys
import threading
from pathlib import Path

from pydantic import ValidationError

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import PassingClock, VirtualClock
from tools.backends.sim.tape import Header, Tape
from tools.backends.sim.wire import Answer, Request, answer, wrong
from tools.backends.sim.world import World, load_world
from tools.errors import Invalid, ToolError

LONGEST_LINE = 64 * 2**20
"""Bytes of one request; the content of objects is base64."""
LONGEST_PATH = 100
"""Bytes of a socket's path that every Unix takes."""
LOOK_S = 0.1
"""How often the server looks whether its socket is still there."""
TAPED = frozenset({"control.advance", "control.arm", "control.disarm", "control.spoil", "control.stall"})
"""Always written down; calls of ports only when they changed something."""


class WorldServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves one world to any number of clients, one request at a time."""

    daemon_threads = True
    block_on_close = False
    timeout = LOOK_S
    request_queue_size = 128
    """A client that waits for an answer with a time limit is turned away when the queue is full."""

    def __init__(self, path: Path, backend: SimBackend, tape: Tape | None) -> None:
        self._backend = backend
        self._tape = tape
        self._path = path
        self._one = threading.Lock()
        self.stopping = threading.Event()
        super().__init__(str(path), _Client)
        self._inode = path.stat().st_ino

    def serve(self) -> None:
        """Answer until told to stop or until the socket is gone."""
        while not self.stopping.is_set() and self._there():
            self.handle_request()

    def perform(self, line: bytes) -> Answer:
        """Perform the request and write it down if it changed anything."""
        try:
            request = Request.model_validate_json(line)
        except ValidationError as error:
            return Answer(error=wrong(Invalid(*(f"request: {e['msg']}" for e in error.errors()))))
        with self._one:
            before = self._backend.revision
            made = answer(self._backend, request)
            changed = request.operation in TAPED or self._backend.revision != before
            if changed and self._tape is not None:
                self._tape.write(request)
        if request.operation == "control.stop":
            self.stopping.set()
        return made

    def _there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


class _Client(socketserver.StreamRequestHandler):
    """One connection; a client that dies in the middle of a line has asked for nothing."""

    server: WorldServer

    def handle(self) -> None:
        try:
            while (line := self.rfile.readline(LONGEST_LINE)).endswith(b"\n"):
                self.wfile.write(self.server.perform(line).model_dump_json().encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return


def _free(path: Path) -> None:
    """Make room for the socket: one whose server died is removed. Invalid when it cannot be used."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise Invalid(f"the socket path {path} is longer than {LONGEST_PATH} bytes: choose a shorter folder")
    if not path.parent.is_dir():
        raise Invalid(f"there is no folder {path.parent} for the socket")
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise Invalid(f"another server answers at {path}")


def run(*, socket_path: Path, world: str, seed: int, state: Path | None, pace: float | None = None) -> None:
    """Serve until told to stop. `pace`: virtual seconds that pass by themselves in a real one. Invalid."""
    chosen = load_world(world)
    clock = _clock(chosen, pace, state)
    _free(socket_path)
    folder = socket_path.with_name(socket_path.name + ".objects")
    backend = SimBackend(chosen, seed=seed, clock=clock, folder=folder)
    tape = None if state is None else Tape(state, header=Header.of(chosen, seed), backend=backend)
    before = os.umask(0o077)
    try:
        server = WorldServer(socket_path, backend, tape)
    finally:
        os.umask(before)
    signal.signal(signal.SIGTERM, lambda *_: server.stopping.set())
    with server:
        server.serve()
    socket_path.unlink(missing_ok=True)


def _clock(world: World, pace: float | None, state: Path | None) -> VirtualClock:
    if pace is None:
        return VirtualClock(world.start)
    if state is not None:
        raise Invalid("a world whose time passes by itself is not where its calls left it: leave out --state or --pace")
    try:
        return PassingClock(world.start, rate=pace)
    except ValueError as error:
        raise Invalid(f"--pace: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.backends.sim.server", description="Serve a simulated world.")
    parser.add_argument("--socket", type=Path, required=True, help="path of the Unix socket")
    parser.add_argument("--world", default="steady", help="name of a world, or a YAML file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, default=None, help="file from which the world can go on")
    parser.add_argument("--pace", type=float, default=None, help="seconds of the world that pass in a real one")
    given = parser.parse_args()
    try:
        run(socket_path=given.socket, world=given.world, seed=given.seed, state=given.state, pace=given.pace)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
