"""When the interpreter looks for garbage: not while much is read that stays.

Looking at everything that there is again and again, while it grows, takes longer than reading it (measured: 115 of
150 ms for 3 000 lines of a journal, right after the agent was imported).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for within the block. Blocks of several threads may overlap."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()
