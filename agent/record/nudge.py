"""A tap on the shoulder between processes of one home: look at this run now.

Every process that drives runs has a datagram socket in the home, named after itself. A nudge that is lost costs a
little time and nothing else: what is wanted stands in the store.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

FOLDER = "nudge"
WORKER = "worker-"
MOST_BYTES = 256
"""Of a run's id."""


class HasFileno(Protocol):
    """What `select` takes."""

    def fileno(self) -> int: ...


class Listener:
    """Hears of runs that should be looked at."""

    def __init__(self, home: Path, *, worker: bool = False) -> None:
        """`worker`: it drives whatever is wanted here. Where no socket can be made, nothing is ever heard."""
        self._role = WORKER if worker else ""
        self._socket: socket.socket | None = None
        self._path = home / FOLDER / str(os.getpid())
        try:
            self._open(home / FOLDER)
        except OSError:
            self.close()

    def _open(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{self._role}{os.getpid()}-{id(self):x}"
        heard = self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.setblocking(False)
        with _short(folder) as short:
            heard.bind(f"{short}/{self._path.name}")
        os.chmod(self._path, 0o620 if folder.stat().st_mode & 0o020 else 0o600)

    def wait(self, seconds: float, *also: HasFileno) -> frozenset[str]:
        """The runs that somebody nudged for, as soon as there is one; none after that many seconds, or as soon as one
        of the others is readable."""
        heard = [] if self._socket is None else [self._socket]
        select.select([*heard, *also], (), (), max(0.0, seconds))
        return frozenset() if self._socket is None else frozenset(self._heard(self._socket))

    @staticmethod
    def _heard(heard: socket.socket) -> Iterator[str]:
        """What has arrived; somebody who only asks who is there names no run."""
        with suppress(BlockingIOError):
            while True:
                if run := heard.recv(MOST_BYTES).decode("utf-8", "replace"):
                    yield run

    def fileno(self) -> int:
        """For `select`; -1 where nothing is ever heard."""
        return -1 if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def nudge(home: Path, run: str = "") -> frozenset[str]:
    """Tell every process that listens in this home; who heard it, by name. Sockets of the dead are taken away.

    Without a run it says nothing to do, and finds out who is there.
    """
    folder = home / FOLDER
    try:
        names = os.listdir(folder)
    except OSError:
        return frozenset()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender, _short(folder) as short:
        sender.setblocking(False)
        return frozenset(name for name in names if _told(sender, folder, short, name, run))


def worked(home: Path) -> bool:
    """Whether a worker listens in this home."""
    return any(name.startswith(WORKER) for name in nudge(home))


def _told(sender: socket.socket, folder: Path, short: str, name: str, run: str) -> bool:
    try:
        sender.sendto(run.encode()[:MOST_BYTES], f"{short}/{name}")
    except ConnectionRefusedError:
        with suppress(OSError):
            (folder / name).unlink()
        return False
    except BlockingIOError:
        return True  # it has more to look at than fits: the store says what
    except OSError:
        return False  # not ours to write to
    return True


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A path of the folder that a socket's address has room for, however long its own is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        through = f"/proc/self/fd/{handle}"
        yield through if os.path.isdir(through) else str(folder)
    finally:
        os.close(handle)
