"""The ledger as a run's owner and everybody who looks at it ask it: each question or movement is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.record import ledger
from agent.record.database import Database
from agent.record.engine import Statements
from agent.record.ledger import Account, Burn, Cap, Crossing, Drawn, Entry, Movement, Purse, Resource
from tools.redact import Redaction


class Wallet(Database):
    """The accounts of runs."""

    def __init__(self, where: Path | str, *, redaction: Redaction | None = None) -> None:
        super().__init__(where, redaction=redaction)
        self._drawn: dict[str, list[Drawn]] = {}

    def enter(self, run: str, *, requester: str, at: float, money: Sequence[Entry], caps: Sequence[Cap] = ()) -> None:
        """Move money of a run outside its journal: what asking a model costs, also before there is a journal.

        A run that is never made keeps what was moved: it was spent. OverLimit when an account does not allow it.
        """

        def body(db: Statements) -> bool:
            draw(db, run, requester)
            self._db.hold(db, ledger.drawn(db, run))
            ledger.move(db, run, at, money, caps)
            return True

        self._db.write(body, stored=lambda db: True if ledger.entered(db, run, money) else None)

    def bound(self, run: str, bounds: Mapping[Resource, int]) -> None:
        """What the goal allows its run from now on. OverLimit when more than that is committed already."""

        self._db.write(lambda db: self._bound(db, run, bounds))

    def _bound(self, db: Statements, run: str, bounds: Mapping[Resource, int]) -> None:
        self._db.hold(db, [("run", run)])
        for resource, most in bounds.items():
            db.execute(_RUN_BOUND, (run, resource, most))

    def purse(self, run: str | None = None, *, at: float, requester: str = "", caps: Sequence[Cap] = ()) -> Purse:
        """What the accounts that a run draws on still allow under these caps, and what goes on in this home.

        Without a run: what a new one of that requester would be allowed.
        """
        new: list[Drawn] = [("month", ""), ("requester", requester)]
        return self._db.read(lambda db: ledger.purse(db, new if run is None else self._draws_in(db, run), at, caps))

    def _draws_in(self, db: Statements, run: str) -> list[Drawn]:
        """What a run draws on: it draws on that for good, so it is asked for once it is known to be all."""
        if run not in self._drawn:
            self._drawn[run] = ledger.drawn(db, run)
        return self._drawn[run]

    def crossed(self, run: str, *, at: float) -> bool:
        """Whether accrued cost has crossed a threshold that no journal has said."""
        return bool(self._db.read(lambda db: ledger.crossings(db, run, at)))

    def burn(self, run: str, *, at: float) -> Burn:
        """What runs now costs an hour, and what this month comes to."""
        return self._db.read(lambda db: ledger.burn(db, run, at))

    def accounts(self, run: str) -> list[Account]:
        """Every account that the run draws on, of every month and resource."""
        return self._db.read(lambda db: ledger.accounts(db, self._draws_in(db, run)))

    def movements(self, run: str) -> list[Movement]:
        """The run's ledger, in the order in which it was reserved."""
        return self._db.read(lambda db: ledger.movements(db, run))

    def money(self, run: str) -> dict[str, int]:
        """Settled micro-USD by source."""
        found: dict[str, int] = {}
        for one in self.movements(run):
            if one.resource == "usd_micro":
                found[one.source] = found.get(one.source, 0) + (one.settled or 0) + one.overrun
        return found


def draw(db: Statements, run: str, requester: str, standing: Sequence[str] = ()) -> None:
    """The accounts that a run draws on, as far as they are not known yet."""
    draws = [("run", run), ("month", ""), ("requester", requester), *(("standing", name) for name in standing)]
    for kind, name in draws:
        db.execute("INSERT INTO draws VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (run, kind, name))


def tell_once(db: Statements, run: str, at: float) -> list[Crossing]:
    """The crossings that this commit says; none is said twice."""
    found = ledger.crossings(db, run, at)
    for one in found:
        ledger.told(db, one)
    return found


_RUN_BOUND = (
    "INSERT INTO account (kind, name, month, resource, bound) VALUES ('run', ?, '', ?, ?)"
    " ON CONFLICT (kind, name, month, resource) DO UPDATE SET bound = excluded.bound"
)
