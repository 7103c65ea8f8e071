"""What a person hears while a language model is asked: that it is, for how long already, and what it would cost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.doors.outlet import Outlet
from tools.language import tr

if TYPE_CHECKING:
    from agent.brain.llm.client.asking import Progress

FIRST_S, THEN_S = 3.0, 15.0
"""After how many seconds the first word comes, and after how many more each other."""


class ModelWait:
    """One line now and then on a stream; a question only where somebody can answer it."""

    def __init__(self, stream: Outlet) -> None:
        self._stream = stream
        self._next = FIRST_S
        self._last = 0.0

    def progress(self, so_far: Progress) -> None:
        """Told many times a second; said rarely."""
        if so_far.seconds < self._last:
            self._next = FIRST_S  # another answer has begun
        self._last = so_far.seconds
        if so_far.seconds >= self._next:
            self._next = so_far.seconds + THEN_S
            said = tr(
                "the model is answering: {seconds:.0f} s, {n} characters", seconds=so_far.seconds, n=so_far.characters
            )
            self._stream.line(said)

    def consent(self, sentence: str) -> bool:
        """Whether the person at the terminal agrees; nobody there is a no."""
        if not (Outlet(sys.stdin).isatty() and self._stream.isatty()):
            return False
        self._stream.line(sentence)
        self._stream.line(tr("Ask it all the same? [y/N]"))
        return sys.stdin.readline().strip().lower() in ("y", "yes", "是", "好")
