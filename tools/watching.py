"""What has changed at a backend by itself: one look for all that wait, instead of a question for each."""

from __future__ import annotations

from typing import Protocol

from tools.record import Record


class Seen(Record):
    """What a look at everything that runs has found."""

    cursor: str
    """Where this look stood: the next one begins here."""
    runs: tuple[str, ...]
    """Runs of which something changed by itself since then, each once."""


class Watch(Protocol):
    """Tells what has changed without being asked about each run: what a look costs depends on what changed and on what
    lives, not on how many runs wait."""

    def since(self, cursor: str) -> Seen:
        """The runs whose jobs, endpoints or machines ended, got ready, failed or lapsed since that look.

        An empty or unknown cursor: everything that is known. An answer that is lost, late or doubled does no harm: a
        run is looked at, and nothing is believed because of it. Transient.
        """
        ...
