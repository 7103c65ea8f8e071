"""What a store is kept in, chosen by where it is: a file of this machine, or a PostgreSQL server for many."""

from __future__ import annotations

from pathlib import Path

from agent.errors import Broken
from agent.record.embedded import Embedded
from agent.record.engine import Engine
from tools.language import tr
from tools.redact import Redaction

SCHEMES = ("postgresql://", "postgres://")


class Database:
    """An open database, and what may not stand in it."""

    def __init__(self, where: Path | str, *, redaction: Redaction | None = None) -> None:
        """Open or create. `where`: a file, or the address of a server.

        Broken when it is not ours, not writable, or from a newer version.
        """
        self._db = _engine(where)
        self._redaction = redaction or Redaction()

    def close(self) -> None:
        self._db.close()


def _engine(where: Path | str) -> Engine:
    if isinstance(where, str) and where.startswith(SCHEMES):
        try:
            from agent.record.server import Server  # its driver is imported by whoever has such a server
        except ImportError as error:
            missing = tr("a store on a server needs its driver ({error})", error=error)
            raise Broken(tr("{what}: {way_out}", what=missing, way_out="pip install 'goalkeeper[postgres]'")) from error
        return Server(where)
    return Embedded(Path(where))
