"""Being asked to stop: by SIGTERM, by Ctrl-C, or by whoever embeds the agent. Knows nothing of runs.

The first signal only asks: whoever drives finishes the step under way, or hands it over (its intent is stored, and
whoever goes on adopts its outcome), lets the run go and leaves. What has not left after `GRACE_S` is interrupted where
it stands. The second signal ends the process at once, as the system would have without us.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

GRACE_S = 10.0
"""How long a step under way may take to finish once the process was asked to stop."""
LAST_S = 5.0
"""How long letting go may take after that, before the process ends without it: its lease and its owner's end tell."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Whether this process was asked to stop. Safe to ask from a signal handler and from every thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._asked = False
        self._at_once = 0

    @property
    def asked(self) -> bool:
        return self._asked

    def ask(self) -> None:
        """Ask it; idempotent."""
        if not self._asked:
            self._asked = True
            with suppress(OSError):  # closed meanwhile: nobody waits any more
                os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Sleep for that long, or until it was asked; whether it was."""
        if not self._asked and seconds > 0:
            select.select([self._read], [], [], seconds)
        return self._asked

    def fileno(self) -> int:
        """Readable once it was asked: for whoever waits for something else as well."""
        return self._read

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
        self._write = -1  # its number may be somebody else's by now

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While nothing is under way (a person is asked): KeyboardInterrupt as soon as it is, or was, asked."""
        self._at_once += 1
        try:
            if self._asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._at_once -= 1

    @contextmanager
    def heeding(self, *, grace_s: float = GRACE_S, last_s: float = LAST_S) -> Iterator[Stopping]:
        """SIGTERM and SIGINT ask, as long as the block lasts. Elsewhere than in the main thread nothing is heeded."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        patience = _Patience(self, grace_s, last_s)

        def heed(number: int, frame: FrameType | None) -> None:
            del frame
            if patience.over:
                raise KeyboardInterrupt
            if self._asked:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
                return
            self.ask()
            if self._at_once:
                raise KeyboardInterrupt

        before = {number: signal.signal(number, heed) for number in SIGNALS}
        try:
            with patience:
                yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Patience:
    """A thread that sleeps until the process is asked to stop, and ends what does not leave in time."""

    def __init__(self, stopping: Stopping, grace_s: float, last_s: float) -> None:
        self.over = False
        """What is under way is interrupted where it stands."""
        self._stopping = stopping
        self._grace_s, self._last_s = grace_s, last_s
        self._main = threading.main_thread().ident or 0
        self._read, self._write = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="stopping", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        os.write(self._write, b".")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _watch(self) -> None:
        if self._left(None, self._stopping.fileno()) or self._left(self._grace_s):
            return
        self.over = True
        signal.pthread_kill(self._main, signal.SIGTERM)
        if not self._left(self._last_s):
            os._exit(128 + signal.SIGTERM)

    def _left(self, within_s: float | None, *others: int) -> bool:
        """Whether the block has been left, waiting for that long, or until one of the others is readable."""
        return self._read in select.select([self._read, *others], [], [], within_s)[0]
