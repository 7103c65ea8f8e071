"""The ledger: reserve before, settle after, within the bounds of every account that a run draws on.

An account belongs to a run, to a standing goal, to a requester or to everybody; all but the first begin anew each UTC
month. Amounts are integers: micro-USD, milliseconds of a GPU, trials, tokens. The bounds are held by the database
(schema.sql); here are the statements and what they are asked for. Every function works inside its caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from agent.errors import Broken
from agent.record.engine import Found, Statements
from tools.record import Record

LARGEST = 2**63 - 1
"""The largest amount; as a bound it means that there is none."""
HOUR_S, DAY_S = 3600, 86_400
THRESHOLDS = (50, 80, 95)
"""Percent of a bound whose crossing is an event."""

Resource = Literal["usd_micro", "gpu_ms", "trials", "tokens"]
Source = Literal["compute", "storage", "transfer", "endpoint", "tokens"]
Holder = Literal["run", "standing", "requester", "month"]
"""Whose account: the run's own, its standing goal's, its requester's, everybody's."""
Drawn = tuple[Holder, str]
"""An account by whose it is and its name; everybody's has none."""
Amount = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]


class Entry(Record):
    """One movement for a call. `end` moves nothing: what kept a thing going is over."""

    call: str
    kind: Literal["reserve", "settle", "end"]
    amount: Amount = 0
    resource: Resource = "usd_micro"
    source: Source = "compute"
    rate: Amount = 0
    """Micro-USD an hour while it goes on."""
    until: float | None = None
    """Epoch seconds at which its hard limit or its lease ends it. To settle with one: it goes on until then."""
    thing: str | None = None
    """The endpoint that it keeps."""
    reserved: Amount = 0
    """To settle: what was reserved for it, as its journal says."""


class Cap(Record):
    """What an operator allows an account to hold of a resource; `LARGEST` takes a limit of before away."""

    holder: Holder
    resource: Resource = "usd_micro"
    most: Amount


class Purse(Record):
    """What the accounts outside a run still allow, and what runs in this home now. `Purse()`: no limits, nothing."""

    left_requester_micro: int | None = None
    left_month_micro: int | None = None
    left_standing_micro: int | None = None
    left_gpu_ms: int | None = None
    """The least that any account of the run still has."""
    frozen: bool = False
    """A bill of this run came in above its reservation: nothing new starts. Tokens are no bill; what they cost is."""
    rate_micro_per_hour: int = 0
    """What runs in this home costs an hour now."""
    jobs: int = 0
    """Jobs of this home that are under way."""


class Burn(Record):
    """What runs now costs, and what it comes to."""

    run_micro_per_hour: int = 0
    home_micro_per_hour: int = 0
    month_micro: int = 0
    """Accrued in this home in this UTC month."""
    month_forecast_micro: int = 0
    """The same with all that is reserved: the most it can be by the month's end if nothing new starts."""


class Account(Record):
    """An account as it stands."""

    holder: Holder
    name: str
    month: str
    resource: Resource
    bound: int
    reserved: int
    settled: int
    overrun: int


class Crossing(Record):
    """Accrued cost has crossed so many percent of an account's bound."""

    holder: Holder
    name: str
    month: str
    percent: int
    accrued_micro: int
    reserved_micro: int
    bound_micro: int


class Movement(Record):
    """One row of a run's ledger."""

    call: str
    resource: Resource
    source: Source
    at: float
    reserved: int
    settled: int | None
    overrun: int


def month_of(at: float) -> str:
    """The UTC month of a time, as the accounts name it: `2026-03`. Broken for a time that no calendar has."""
    try:
        return _month(int(at // DAY_S))
    except (ValueError, OverflowError, OSError) as error:
        raise Broken(f"the clock says {at!r}, which no calendar has: set it right and resume") from error


@lru_cache(maxsize=8)
def _month(day: int) -> str:
    """Of a day since 1970."""
    return datetime.fromtimestamp(day * DAY_S, UTC).strftime("%Y-%m").zfill(7)


def model_call(call: str, *, tokens: int, usd_micro: int, settle: bool = False) -> tuple[Entry, Entry]:
    """What a call of a language model reserves, or with `settle` has used: tokens, and the money they cost."""
    kind: Literal["reserve", "settle"] = "settle" if settle else "reserve"
    return (
        Entry(call=call, kind=kind, resource="tokens", amount=tokens, source="tokens"),
        Entry(call=call, kind=kind, amount=usd_micro, source="tokens"),
    )


def move(db: Statements, run: str, at: float, entries: Sequence[Entry], caps: Sequence[Cap]) -> None:
    """Carry the movements out. Where an account does not allow a reservation, the database's own error is raised."""
    for entry in entries:
        if entry.kind == "reserve":
            month = month_of(at)
            if entry.amount > 0 and (most := [c for c in caps if c.resource == entry.resource]):
                bounds = [word for cap in most for word in (cap.holder, cap.most)]
                if db.execute(_unbound(len(most)), (*bounds, entry.resource, month, run)).fetchone() is not None:
                    db.execute(_bound(len(most)), (*bounds, month, entry.resource, run))
            row = (run, entry.call, entry.resource, entry.source, at, month, entry.amount)
            db.execute(_RESERVE, (*row, entry.rate, entry.until, entry.thing))
        elif entry.kind == "settle":
            which = (run, entry.call, entry.resource)
            moved = db.execute(_SETTLE, (*(entry.amount,) * 4, entry.until, *which)).rowcount
            if not moved and db.execute(_THERE, which).fetchone() is None:
                raise Broken(f"nothing of {entry.resource} was reserved for {entry.call}, and there is a bill")
        else:
            db.execute(_END, (entry.thing, entry.call))


def entered(db: Statements, run: str, entries: Sequence[Entry]) -> bool:
    """All of these movements are there already."""
    for entry in (e for e in entries if e.kind != "end"):
        row = db.execute(_ENTERED, (run, entry.call, entry.resource)).fetchone()
        if row is None or (entry.kind == "settle" and row[0] is None):
            return False
    return True


@lru_cache(maxsize=8)
def _unbound(caps: int) -> str:
    """An account that is not bounded by what is allowed now: mostly there is none, and to ask is the quickest."""
    return (
        f"WITH cap(kind, most) AS (VALUES {', '.join(['(?, ?)'] * caps)})"
        " SELECT 1 FROM draws d JOIN cap c ON c.kind = d.kind LEFT JOIN account a"
        " ON a.kind = d.kind AND a.name = d.name AND a.resource = ?"
        " AND a.month = CASE WHEN d.kind = 'run' THEN '' ELSE ? END"
        " WHERE d.run = ? AND coalesce(a.bound, -1) != c.most LIMIT 1"
    )


@lru_cache(maxsize=8)
def _bound(caps: int) -> str:
    """What is allowed now bounds the accounts; where more than that is committed the reservation is refused."""
    return (
        f"WITH cap(kind, most) AS (VALUES {', '.join(['(?, ?)'] * caps)})"
        " INSERT INTO account (kind, name, month, resource, bound)"
        " SELECT d.kind, d.name, CASE WHEN d.kind = 'run' THEN '' ELSE ? END, ?, c.most"
        " FROM draws d JOIN cap c ON c.kind = d.kind"
        " WHERE d.run = ? ON CONFLICT (kind, name, month, resource)"
        " DO UPDATE SET bound = excluded.bound WHERE account.bound != excluded.bound"
    )


_RESERVE = (
    "INSERT INTO ledger (run, call, resource, source, at, month, reserved, rate, until, thing)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A bill above its reservation is an overrun: recorded, and never hidden in the settled sum. Told again it is the same.
_SETTLE = (
    "UPDATE ledger SET settled = CASE WHEN ? < reserved THEN ? ELSE reserved END,"
    " overrun = CASE WHEN ? > reserved THEN ? - reserved ELSE 0 END, until = ?"
    " WHERE run = ? AND call = ? AND resource = ? AND settled IS NULL"
)
_THERE = "SELECT 1 FROM ledger WHERE run = ? AND call = ? AND resource = ?"
_ENTERED = "SELECT settled FROM ledger WHERE run = ? AND call = ? AND resource = ?"
_END = "UPDATE ledger SET until = NULL WHERE until IS NOT NULL AND settled IS NOT NULL AND thing = ? AND call != ?"


def drawn(db: Statements, run: str) -> list[Drawn]:
    """The accounts that a run draws on."""
    return [(kind, name) for kind, name in db.execute("SELECT kind, name FROM draws WHERE run = ?", (run,))]


def accounts(db: Statements, draws: Sequence[Drawn], month: str | None = None) -> list[Account]:
    """Those accounts of every resource: of one month, or of all."""
    return [Account(**dict(zip(_ACCOUNT, row, strict=True))) for row in _accounts(db, draws, month)]


def _accounts(db: Statements, draws: Sequence[Drawn], month: str | None) -> Found:
    words = [word for draw in draws for word in draw]
    return db.execute(_of(len(draws)), (*words, month))


@lru_cache(maxsize=16)
def _of(draws: int) -> str:
    return (
        "SELECT kind, name, month, resource, bound, reserved, settled, overrun FROM account WHERE (kind, name) IN"
        f" (VALUES {', '.join(['(?, ?)'] * draws)}) AND month IN ('', coalesce(?, month))"
    )


_ACCOUNT = tuple(Account.model_fields)


def movements(db: Statements, run: str) -> list[Movement]:
    """The run's ledger, in the order in which it was reserved."""
    rows = db.execute(
        "SELECT call, resource, source, at, reserved, settled, overrun FROM ledger WHERE run = ?"
        " ORDER BY at, call, resource",
        (run,),
    )
    return [Movement(**dict(zip(Movement.model_fields, row, strict=True))) for row in rows]


def purse(db: Statements, draws: Sequence[Drawn], at: float, caps: Sequence[Cap]) -> Purse:
    """What these accounts still allow under these caps, and what goes on in the home."""
    rate, jobs = db.execute(_GOING_ON, (at,)).fetchone()
    held: dict[tuple[str, str], int] = {}
    frozen = False
    for holder, _, _, resource, _, reserved, settled, overrun in _accounts(db, draws, month_of(at)):
        held[holder, resource] = max(held.get((holder, resource), 0), reserved + settled + overrun)
        frozen = frozen or (holder == "run" and overrun > 0 and resource != "tokens")
    return allowed(caps, held, frozen=frozen, rate=_whole(rate), jobs=jobs)


def allowed(
    caps: Sequence[Cap],
    held: Mapping[tuple[str, str], int] | None = None,
    *,
    frozen: bool = False,
    rate: int = 0,
    jobs: int = 0,
) -> Purse:
    """What accounts still allow under these caps, by what is `held` of them as (holder, resource)."""
    there = held or {}
    left = {
        (cap.holder, cap.resource): cap.most - there.get((cap.holder, cap.resource), 0)
        for cap in caps
        if cap.most < LARGEST
    }
    return Purse(
        left_requester_micro=left.get(("requester", "usd_micro")),
        left_month_micro=left.get(("month", "usd_micro")),
        left_standing_micro=left.get(("standing", "usd_micro")),
        left_gpu_ms=min((room for (_, resource), room in left.items() if resource == "gpu_ms"), default=None),
        frozen=frozen,
        rate_micro_per_hour=rate,
        jobs=jobs,
    )


_GOING_ON = (
    "SELECT coalesce(sum(CAST(rate AS DOUBLE PRECISION)), 0),"
    " count(*) FILTER (WHERE settled IS NULL AND source = 'compute') FROM ledger WHERE until > ?"
    " AND resource = 'usd_micro'"
)


def _whole(amount: float) -> int:
    """A sum that SQLite made in floating point, so that it cannot overflow."""
    return min(LARGEST, int(amount))


def crossings(db: Statements, run: str, at: float) -> list[Crossing]:
    """Thresholds that the accrued cost of the run's accounts has crossed and that no journal has said."""
    found = []
    for holder, name, month, bound, reserved, settled, overrun, told in db.execute(_CROSSABLE, (run,)).fetchall():
        accrued = min(LARGEST, settled + overrun + _accruing(db, holder, name, month, at))
        found += [
            Crossing(
                holder=holder,
                name=name,
                month=month,
                percent=percent,
                accrued_micro=accrued,
                reserved_micro=reserved,
                bound_micro=bound,
            )
            for percent in THRESHOLDS
            if told < percent and accrued > 0 and 100 * accrued >= percent * bound
        ]
    return found


_CROSSABLE = (
    "SELECT a.kind, a.name, a.month, a.bound, a.reserved, a.settled, a.overrun, a.told"
    " FROM draws d JOIN account a ON a.kind = d.kind AND a.name = d.name"
    f" WHERE d.run = ? AND a.resource = 'usd_micro' AND a.told < {THRESHOLDS[-1]} AND a.bound < {LARGEST}"
    " AND 100 * (CAST(a.reserved AS NUMERIC) + a.settled + a.overrun)"  # less cannot have crossed any
    f" >= {THRESHOLDS[0]} * CAST(a.bound AS NUMERIC)"
)


def _accruing(db: Statements, holder: Holder, name: str, month: str, at: float) -> int:
    """What open reservations of an account have used by now: price x time, never more than is reserved."""
    rows = db.execute(_OPEN, (holder, name, month))
    return sum(used(rate, at - since, most=reserved) for rate, since, reserved in rows)


_OPEN = (
    "SELECT l.rate, l.at, l.reserved FROM ledger l JOIN draws d ON d.run = l.run WHERE l.until IS NOT NULL"
    " AND l.settled IS NULL AND l.resource = 'usd_micro' AND l.rate > 0 AND d.kind = ? AND d.name = ?"
    " AND ? IN ('', l.month)"
)


def used(rate: int, seconds: float, *, most: int) -> int:
    """Micro-USD accrued at so much an hour in so many seconds; nothing where the clock went back."""
    return min(most, int(rate * max(0.0, seconds) / HOUR_S))


def told(db: Statements, crossing: Crossing) -> None:
    """Note that a journal says so: no other says it again."""
    db.execute(
        "UPDATE account SET told = ? WHERE kind = ? AND name = ? AND month = ? AND resource = 'usd_micro'",
        (crossing.percent, crossing.holder, crossing.name, crossing.month),
    )


def burn(db: Statements, run: str, at: float) -> Burn:
    """What runs now, of the run and of the home, and the home's month."""
    own, home = db.execute(_RATES, (run, at)).fetchone()
    month = month_of(at)
    found = [a for a in accounts(db, [("month", "")], month) if a.resource == "usd_micro"]
    spent = sum(a.settled + a.overrun for a in found)
    return Burn(
        run_micro_per_hour=_whole(own),
        home_micro_per_hour=_whole(home),
        month_micro=spent + _accruing(db, "month", "", month, at),
        month_forecast_micro=spent + sum(a.reserved for a in found),
    )


_RATES = (
    "SELECT coalesce(sum(CASE WHEN run = ? THEN CAST(rate AS DOUBLE PRECISION) ELSE 0 END), 0),"
    " coalesce(sum(CAST(rate AS DOUBLE PRECISION)), 0) FROM ledger WHERE until > ? AND resource = 'usd_micro'"
)
