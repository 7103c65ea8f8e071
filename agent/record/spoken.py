"""What is kept beside the runs: conversations, chained like journals, and what finished work took."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent.record.chained import Line, chain, chained
from agent.record.database import Database
from agent.record.engine import Statements
from tools.record import Json


class Spoken(Database):
    """Conversations and outcomes of a home."""

    def say(self, conversation: str, kind: str, body: Json, *, at: float) -> int:
        """Append a turn to a conversation; its sequence."""
        told = json.dumps(self._redaction.value(body), ensure_ascii=False)

        def append(db: Statements) -> int:
            self._db.hold(db, [("conversation", conversation)])
            last = db.execute(_LAST_TURN, (conversation,)).fetchone()
            seq, head = (last[0] + 1, last[1]) if last is not None else (1, "")
            row = (conversation, seq, at, kind, told, chain(head, seq, at, kind, told))
            db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?)", row)
            return int(seq)

        def stored(db: Statements) -> int | None:
            last = db.execute(_SAID, (conversation, at, kind, told)).fetchone()
            return None if last is None else int(last[0])

        return self._db.write(append, stored=stored)

    def turns(self, conversation: str) -> list[Line]:
        """A conversation in order. Broken when the chain does not hold."""
        rows = self._db.execute(
            "SELECT seq, at, kind, body, hash FROM turns WHERE conversation = ? ORDER BY seq", (conversation,)
        )
        return chained(conversation, rows, what="conversation")

    def conversations(self) -> list[tuple[str, float, int]]:
        """(name, epoch seconds of its last turn, turns) of every conversation, newest first."""
        rows = self._db.execute(
            "SELECT conversation, max(at), count(*) FROM turns GROUP BY conversation ORDER BY max(at) DESC, 1"
        )
        return [(str(name), float(at), int(count)) for name, at, count in rows]

    def remember(self, run: str, outcomes: Sequence[tuple[str, Json]], *, at: float) -> None:
        """What finished work of a run took, by call; told again it is the same."""
        learnt = [(run, call, at, json.dumps(body)) for call, body in outcomes]

        def body(db: Statements) -> None:
            for row in learnt:
                db.execute(_REMEMBER, row)

        self._db.write(body)

    def remembered(self, most: int) -> list[Json]:
        """The newest outcomes of this home; what cannot be read is left out."""
        rows = self._db.execute("SELECT body FROM outcomes ORDER BY at DESC, run, call LIMIT ?", (most,))
        found = []
        for (body,) in rows:
            try:
                read = json.loads(body)
            except (ValueError, RecursionError):
                continue
            if isinstance(read, dict):
                found.append(read)
        return found


_LAST_TURN = "SELECT seq, hash FROM turns WHERE conversation = ? ORDER BY seq DESC LIMIT 1"
_SAID = "SELECT seq FROM turns WHERE conversation = ? AND at = ? AND kind = ? AND body = ? ORDER BY seq DESC LIMIT 1"
_REMEMBER = (
    "INSERT INTO outcomes VALUES (?, ?, ?, ?)"
    " ON CONFLICT (run, call) DO UPDATE SET at = excluded.at, body = excluded.body"
)
