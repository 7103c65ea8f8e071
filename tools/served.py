"""Which versions an endpoint was left with, in order: what a roll back without a name goes to.

A note is written when an endpoint is handed over or goes back. What was left by going back is forgotten, so that
the next roll back goes further back and never to what was just left.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import ValidationError

from tools.errors import Failed, NotFound
from tools.language import tr
from tools.ports import VersionState
from tools.record import Record
from tools.tool import Site

MOST = 100
"""Versions that are remembered of one endpoint."""


class Note(Record):
    """One version that an endpoint was left with."""

    version: str
    model: str
    """Object key of the model's folder."""


class History(Record):
    """What an endpoint was left with, the oldest first, and who said so last."""

    left: tuple[Note, ...] = ()
    call: str = ""
    """Id of the call that wrote the last note."""
    asked: float = 0.0
    """Epoch seconds at which that call was made."""


def note(endpoint: str, version: VersionState, site: Site, *, asked: float | None = None) -> None:
    """This version is what the endpoint is left with now; a version that it was left with earlier is gone back to.

    `asked`: when the call that says so was made; the same call again changes nothing.
    """
    known = history(endpoint, site)
    names = [n.version for n in known.left]
    kept = known.left[: names.index(version.name)] if version.name in names else known.left
    left = (*kept, Note(version=version.name, model=version.model))[-MOST:]
    made = History(left=left, call=site.tags.call, asked=site.now if asked is None else asked)
    if (known.left, known.call) == (made.left, made.call):
        return
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "history.json"
        file.write_text(made.model_dump_json(), encoding="utf-8")
        site.backend.objects.put(_key(endpoint), file)


def previous(endpoint: str, version: str, site: Site) -> str | None:
    """Object key of the model that the endpoint was left with before this version; None when nothing says so."""
    left = history(endpoint, site).left
    names = [n.version for n in left]
    older = left[: names.index(version)] if version in names else left
    return older[-1].model if older else None


def superseded(endpoint: str, site: Site, *, asked: float | None) -> str | None:
    """The later call of another that the endpoint was left by; None when nothing says that there is one."""
    known = history(endpoint, site)
    later = asked is not None and known.asked > asked and known.call != site.tags.call
    return known.call if later else None


def overtaken(endpoint: str, by: str) -> Failed:
    """The failure of a call that was to do what somebody has decided otherwise since."""
    return Failed(
        tr(
            "{endpoint} was handed over or went back by {by} since this was asked, and that stands: look at it first",
            endpoint=endpoint,
            by=by,
        )
    )


def history(endpoint: str, site: Site) -> History:
    """What is noted of an endpoint; a note that cannot be read says nothing."""
    try:
        return History.model_validate_json(site.backend.objects.fetch(_key(endpoint)).read_text(encoding="utf-8"))
    except (NotFound, OSError, ValueError, ValidationError):
        return History()


def _key(endpoint: str) -> str:
    return f"served/{endpoint}/history.json"
