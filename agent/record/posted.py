"""What other processes want of a run's owner: left once, read in order, folded by whoever drives the run."""

from __future__ import annotations

import json
from typing import Literal

from agent.record.database import Database
from agent.record.engine import Statements
from tools.record import Json, Record


class Message(Record):
    """Something another process wants of a run's owner."""

    id: int
    run: str
    kind: Literal["approve", "deny", "cancel", "amend"]
    body: Json
    at: float


class Posted(Database):
    """The inboxes of runs."""

    def post(self, *, run: str, kind: str, body: Json, at: float, dedupe: str) -> bool:
        """Leave a message for the owner; False when the same one was left before. The run is wanted then."""
        words = (run, kind, json.dumps(self._redaction.value(body)), at, dedupe)

        def leave(db: Statements) -> bool:
            new = db.execute(_POST, words).rowcount == 1
            self._db.notify(db, run)
            return new

        return self._db.write(leave, stored=lambda db: True if db.execute(_POSTED, words).fetchone() else None)

    def messages(self, run: str) -> list[Message]:
        """What has not been folded yet: denials and cancellations before approvals, then in order."""
        found = self._db.execute(_INBOX, (run,))
        found.sort(key=lambda row: (row[2] == "approve", row[0]))
        return [Message(id=i, run=r, kind=k, body=json.loads(b), at=at) for i, r, k, b, at in found]


_POST = "INSERT INTO inbox (run, kind, body, at, dedupe) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_POSTED = "SELECT 1 FROM inbox WHERE run = ? AND kind = ? AND body = ? AND at = ? AND dedupe = ?"
_INBOX = "SELECT id, run, kind, body, at FROM inbox WHERE run = ? AND folded = 0"
