"""Who may change what runs on this machine: the latest owner of a run, and how an earlier one is kept out.

Whatever a run makes comes into being in a folder of the run's owner, `owners/RUN/EPOCH`, and one rename makes it known.
A later owner moves the folders of earlier ones away. So whoever slept since has nothing left to rename, wherever it
fell asleep, and nobody waits for it: it holds no lock. What changes an endpoint is asked of the endpoint's host, and
the host looks here which owner is the latest.

What that promises: once `take` has returned, no job, endpoint or object of an earlier owner appears, and no host
accepts a change of one. What an earlier owner had made known by then it may bring to its end: a job that is registered
starts once, whoever starts it, and is given up when nobody does. Ending a job is checked right before and not fenced
against a process that falls asleep in between: it says again what the journal has decided already.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.backends.local.disk import remove
from tools.errors import Invalid, superseded

if TYPE_CHECKING:
    from tools.epochs import Tenure

OWNERS = "owners"
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_GONE = ".gone-"


class Drafts:
    """Where things come into being, below one root, on the file system on which they will be."""

    def __init__(self, root: Path, place: Path | None = None) -> None:
        """`place`: the owner's folder; without one they come into being in the root itself."""
        self.root = root
        self._place = place

    def fenced(self, tenure: Tenure) -> Drafts:
        """In the hands of that owner; earlier owners of the run can make nothing here from now on. Superseded."""
        return Drafts(self.root, _take(self.root / OWNERS, tenure))

    @contextmanager
    def draft(self, prefix: str) -> Iterator[Path]:
        """A new folder, removed afterwards with what is left in it. Superseded."""
        with self._owned():
            made = Path(tempfile.mkdtemp(dir=self._place or self.root, prefix=prefix))
        try:
            yield made
        finally:
            remove(made)

    def move(self, source: Path, target: Path) -> None:
        """Rename one thing, to or from a draft. Superseded; FileNotFoundError and the like as a rename has them."""
        with self._owned():
            source.rename(target)

    def check(self) -> None:
        """Superseded when a later owner was here."""
        if self._place is not None and not self._place.is_dir():
            raise superseded(self._place.parent.name)

    @contextmanager
    def _owned(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.check()
            raise


def latest(root: Path, run: str) -> int:
    """The epoch of the latest owner of a run that was here; -1 when there was none."""
    return max(_epochs(root / OWNERS / run), default=-1) if _RUN.fullmatch(run) else -1


def _take(owners: Path, tenure: Tenure) -> Path:
    if not _RUN.fullmatch(tenure.run):
        raise Invalid(f"run {tenure.run!r}: use letters, digits, '.', '_' and '-'")
    own = owners / tenure.run / str(tenure.epoch)
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    others = _epochs(own.parent)
    if max(others, default=tenure.epoch) > tenure.epoch:  # looked at after ours is there: of two, one sees the other
        _away(own)
        raise superseded(tenure.run)
    for epoch in others:
        if epoch < tenure.epoch:
            _away(own.parent / str(epoch))
    return own


def _away(place: Path) -> None:
    """Take an owner's folder away at once, and then what lies in it."""
    gone = place.with_name(f"{_GONE}{place.name}-{os.urandom(4).hex()}")
    try:
        place.rename(gone)
    except FileNotFoundError:
        return  # another owner was faster
    remove(gone)


def _epochs(place: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(place) if name.isdigit()]
    except OSError:
        return []
