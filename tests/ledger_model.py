"""What a ledger must be whatever happens to it: a machine that plays with a real one, and a model beside it."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

from agent.errors import Broken, Busy, OverLimit
from agent.record.ledger import LARGEST, THRESHOLDS, Cap, Crossing, Entry, Resource
from agent.record.store import Store

SAMPLE = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
NEW_YEAR = 1_767_225_600.0
"""2026-01-01T00:00:00Z: the month changes here."""
Key = tuple[str, str, str, str]
"""Holder, name, month and resource of an account."""


MEMORY = Path("/dev/shm")
"""Where there is such a folder its files are real and quick: what a crash of the machine does is not played here."""


class Quick(Store):
    """A store that does not wait for the disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._db.execute("PRAGMA synchronous=OFF")


@dataclass
class Row:
    """A reservation as the model has it."""

    run: str
    resource: Resource
    month: str
    reserved: int
    bill: int | None = None

    @property
    def settled(self) -> int:
        return 0 if self.bill is None else min(self.bill, self.reserved)

    @property
    def overrun(self) -> int:
        return 0 if self.bill is None else max(0, self.bill - self.reserved)

    @property
    def open(self) -> int:
        return self.reserved if self.bill is None else 0


@dataclass
class Owner:
    """A run, who may write its journal, and what it draws on."""

    store: Store
    """Its process's own connection."""
    epoch: int
    requester: str
    standing: str | None
    budget: int | None
    rows: dict[str, Row] = field(default_factory=dict)

    def draws(self, run: str) -> list[tuple[str, str]]:
        standing = [] if self.standing is None else [("standing", self.standing)]
        return [("run", run), ("month", ""), ("requester", self.requester), *standing]


RUNS = st.sampled_from(("a", "b"))
CALLS = st.sampled_from(("1", "2", "3", "4"))
AMOUNTS = st.integers(0, 120) | st.sampled_from((0, 1, 2**53 + 1, LARGEST - 1, LARGEST))
MONEY: tuple[Resource, ...] = ("usd_micro",) * 5
RESOURCES: st.SearchStrategy[Resource] = st.sampled_from((*MONEY, "gpu_ms", "trials", "tokens"))
STANDING = st.sampled_from((None, "ep"))
LIMITS = st.integers(0, 300) | st.just(LARGEST)
NONSENSE = st.sampled_from(
    (-1, -(2**70), 2**63, 2**70, 0.5, 1.0, float("nan"), float("inf"), float("-inf"), "7", None, True)
)
ATTACKS = (
    "UPDATE ledger SET reserved = reserved + 1",
    "UPDATE ledger SET settled = 0 WHERE settled IS NOT NULL AND settled > 0",
    "UPDATE ledger SET settled = NULL WHERE settled IS NOT NULL",
    "UPDATE ledger SET overrun = 0 WHERE overrun > 0",
    "UPDATE ledger SET month = '1999-12'",
    "UPDATE ledger SET call = call || 'x'",
    "DELETE FROM ledger",
    "DELETE FROM account",
    "DELETE FROM draws",
    "UPDATE draws SET name = 'nobody'",
    "UPDATE account SET settled = bound + 1 WHERE bound < 9223372036854775807",
    "UPDATE account SET reserved = -1",
    "UPDATE account SET reserved = 0.5",
    "REPLACE INTO ledger SELECT run, call, resource, source, at, month, 0, NULL, 0, 0, NULL, NULL FROM ledger",
    "INSERT INTO ledger SELECT 'nobody', call, resource, source, at, month, 1, NULL, 0, 0, NULL, NULL FROM ledger",
)
"""What somebody might try with the file itself: each is refused, or finds nothing to change."""


class LedgerMachine(RuleBasedStateMachine):
    """Runs of a home reserve and settle, crash and are taken over, while the clock and the limits change."""

    store_type: type[Store] = Quick
    refusals: tuple[type[Exception], ...] = (sqlite3.IntegrityError,)
    """What the database answers an attack with."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.path: Path | str = Path(self.folder.name) / "db"
        self.prepare()
        self.store = self.store_type(self.path)
        self.file = self.connected()
        self.now = NEW_YEAR
        self.caps = (Cap(holder="requester", most=200), Cap(holder="month", most=250))
        self.runs: dict[str, Owner] = {}
        self.told: Counter[tuple[str, str, str, int]] = Counter()
        self.bounds: dict[Key, int] = {}

    def prepare(self) -> None:
        """Before the file is opened for the first time."""

    def connected(self) -> Any:
        """A connection past the store, in which every statement is a transaction."""
        return sqlite3.connect(self.path, isolation_level=None)

    def teardown(self) -> None:
        self.file.close()
        for store in (self.store, *(owner.store for owner in self.runs.values())):
            store.close()
        self.folder.cleanup()

    # What happens.

    @initialize(budgets=st.tuples(LIMITS, LIMITS), other=st.sampled_from(("ada", "bob")), standing=STANDING)
    def begin(self, budgets: tuple[int, int], other: str, standing: str | None) -> None:
        self.create("a", "ada", standing, budgets[0])
        self.create("b", other, standing, budgets[1])

    def create(self, run: str, requester: str, standing: str | None, budget: int) -> None:
        bounds: dict[Resource, int] = {"usd_micro": budget} if budget < LARGEST else {}
        store = self.store_type(self.path)
        store.create(
            run=run,
            goal="g",
            started=self.now,
            requester=requester,
            standing=() if standing is None else (standing,),
            bounds=bounds,
        )
        self.bounds |= {("run", run, "", "usd_micro"): budget}
        epoch = store.claim(run, owner="me", gone=())
        self.runs[run] = Owner(store, epoch, requester, standing, bounds.get("usd_micro"))

    @rule(run=RUNS, call=CALLS, amount=AMOUNTS, resource=RESOURCES)
    def reserve(self, run: str, call: str, amount: int, resource: Resource) -> None:
        owner, name = self.runs[run], f"{call}-{resource}"
        row = Row(run, resource, self.month(), amount)
        entry = Entry(call=name, kind="reserve", amount=amount, resource=resource)
        if name in owner.rows:
            self.refused(run, entry)
        elif not self.allowed(run, row):
            self.refused(run, entry, error=OverLimit)
        else:
            self.append(run, entry)
            if amount > 0:
                self.bounds |= {key: most for key, most in self.capped(run, resource)}
            owner.rows[name] = row

    @rule(run=RUNS, call=CALLS, bill=AMOUNTS, resource=RESOURCES)
    def settle(self, run: str, call: str, bill: int, resource: Resource) -> None:
        """Below, at or above what was reserved; again; or without any reservation."""
        row = self.runs[run].rows.get(f"{call}-{resource}")
        entry = Entry(call=f"{call}-{resource}", kind="settle", amount=bill, resource=resource)
        if row is None:
            self.refused(run, entry)
            return
        self.append(run, entry)
        if row.bill is None:
            row.bill = bill

    @rule(run=RUNS, spent=st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=4))
    def spend(self, run: str, spent: list[tuple[int, int]]) -> None:
        """Calls one after the other: each is reserved and billed."""
        for amount, bill in spent:
            call = f"s{len(self.runs[run].rows)}"
            self.reserve(run, call, amount, "usd_micro")
            self.settle(run, call, bill, "usd_micro")

    @rule(run=RUNS, call=CALLS, resource=RESOURCES)
    def release(self, run: str, call: str, resource: Resource) -> None:
        self.settle(run, call, 0, resource)

    @rule(run=RUNS, first=AMOUNTS, second=AMOUNTS)
    def reserve_together(self, run: str, first: int, second: int) -> None:
        """Two calls of one round: both or none."""
        if {"x-usd_micro", "y-usd_micro"} & set(self.runs[run].rows):
            return
        entries = [Entry(call=f"{c}-usd_micro", kind="reserve", amount=a) for c, a in (("x", first), ("y", second))]
        both = Row(run, "usd_micro", self.month(), first + second)
        if not self.allowed(run, both):
            self.refused(run, *entries, error=OverLimit)
            return
        self.append(run, *entries)
        if first or second:
            self.bounds |= {key: most for key, most in self.capped(run, "usd_micro")}
        for entry in entries:
            self.runs[run].rows[entry.call] = Row(run, "usd_micro", both.month, entry.amount)

    @rule(run=RUNS, zombie=st.booleans(), amount=AMOUNTS)
    def crash(self, run: str, zombie: bool, amount: int) -> None:
        """The process dies; another takes over. The old one, should it wake up, changes nothing."""
        owner = self.runs[run]
        old, gone = owner.epoch, owner.store
        owner.store = self.store_type(self.path)
        owner.epoch = owner.store.claim(run, owner="me", gone=("me",))
        if zombie:
            for entry in (
                Entry(call="zombie", kind="reserve", amount=amount),
                *(Entry(call=c, kind="settle", amount=amount, resource=r.resource) for c, r in owner.rows.items()),
            ):
                try:
                    gone.append(run, epoch=old, at=self.now, lines=[("intent", "{}")], money=[entry], caps=self.caps)
                except Busy:
                    continue
                raise AssertionError("a process that is no longer the owner has written")
        gone.close()

    @rule(days=st.sampled_from((-400.0, -31.0, -1.0, -0.000001, 0.0, 0.000001, 1.0, 31.0, 400.0)))
    def jump(self, days: float) -> None:
        self.now = min(max(self.now + days * 86_400.0, 0.0), 2**33)

    @rule(requester=LIMITS, everybody=LIMITS, standing=LIMITS, gpu=LIMITS)
    def change_limits(self, requester: int, everybody: int, standing: int, gpu: int) -> None:
        self.caps = (
            Cap(holder="requester", most=requester),
            Cap(holder="month", most=everybody),
            Cap(holder="standing", most=standing),
            Cap(holder="requester", resource="gpu_ms", most=gpu),
        )

    @rule(amount=NONSENSE)
    def nonsense(self, amount: object) -> None:
        """An amount that is none is no movement."""
        for kind in ("reserve", "settle"):
            try:
                Entry.model_validate({"call": "1", "kind": kind, "amount": amount})
            except ValidationError:
                continue
            raise AssertionError(f"{amount!r} passed for an amount")

    @rule(run=RUNS, at=st.sampled_from((float("nan"), float("inf"), 1e18, -1e18)))
    def mad_clock(self, run: str, at: float) -> None:
        entry = Entry(call="mad", kind="reserve", amount=1)
        try:
            owner = self.runs[run]
            owner.store.append(run, epoch=owner.epoch, at=at, lines=[], money=[entry], caps=self.caps)
        except Broken:
            return
        raise AssertionError(f"a time that no calendar has passed: {at}")

    @precondition(lambda self: any(o.rows for o in self.runs.values()))
    @rule(statement=st.sampled_from(ATTACKS))
    def attack(self, statement: str) -> None:
        try:
            changed = self.file.execute(statement).rowcount
        except self.refusals:
            changed = 0
        assert changed <= 0, statement

    @rule()
    def touch(self) -> None:
        """A statement that changes nothing of a settlement moves nothing either."""
        try:
            self.file.execute("UPDATE ledger SET settled = settled, overrun = overrun WHERE settled IS NOT NULL")
        except self.refusals as error:
            raise AssertionError("it was counted again") from error

    # What it does to the file and to the model.

    def append(self, run: str, *entries: Entry) -> None:
        said: list[Crossing] = []

        def tell(crossing: Crossing) -> tuple[str, str]:
            said.append(crossing)
            return "crossed", crossing.model_dump_json()

        owner, lines = self.runs[run], [("intent", "{}")]
        owner.store.append(run, epoch=owner.epoch, at=self.now, lines=lines, money=entries, caps=self.caps, tell=tell)
        self.told.update((c.holder, c.name, c.month, c.percent) for c in said)

    def refused(self, run: str, *entries: Entry, error: type[Broken] = Broken) -> None:
        before = self.store.lines(run)
        try:
            self.append(run, *entries)
        except error:
            assert self.store.lines(run) == before
            return
        raise AssertionError(f"{entries} was not refused")

    def month(self) -> str:
        with closing(sqlite3.connect(":memory:")) as calendar:
            said = calendar.execute("SELECT strftime('%Y-%m', ?, 'unixepoch')", (math.floor(self.now),))
            return str(said.fetchone()[0])

    def capped(self, run: str, resource: Resource) -> Iterator[tuple[Key, int]]:
        for cap in self.caps:
            for holder, name in self.runs[run].draws(run):
                if (holder, resource) == (cap.holder, cap.resource):
                    yield (holder, name, self.month(), resource), cap.most

    def allowed(self, run: str, new: Row) -> bool:
        bounds = self.bounds | dict(self.capped(run, new.resource))
        for holder, name in self.runs[run].draws(run):
            key = (holder, name, "" if holder == "run" else new.month, new.resource)
            held = self.held(key)
            bound = bounds.get(key, LARGEST)
            if new.reserved and sum(held) + new.reserved > bound:
                return False
        return True

    def held(self, key: Key) -> tuple[int, int, int]:
        """Reserved, settled and overrun of an account, summed over the model's rows."""
        holder, name, month, resource = key
        rows = [
            row
            for run, owner in self.runs.items()
            if (holder, name) in owner.draws(run)
            for row in owner.rows.values()
            if row.resource == resource and month in ("", row.month)
        ]
        overrun = min(LARGEST, sum(r.overrun for r in rows))
        return sum(r.open for r in rows), sum(r.settled for r in rows), overrun

    # What must hold.

    @invariant()
    def every_account_is_within_its_bound_and_says_what_the_rows_say(self) -> None:
        found = self.file.execute(
            "SELECT kind, name, month, resource, reserved, settled, overrun, bound FROM account"
        ).fetchall()
        rows = self.file.execute("SELECT run, call, reserved, settled, overrun FROM ledger").fetchall()
        for *key, reserved, settled, overrun, bound in found:
            assert reserved + settled <= bound
            assert (reserved, settled, overrun) == self.held(tuple(key))
        there = {tuple(key[:4]) for key in found}
        for run, owner in self.runs.items():
            for row in owner.rows.values():
                if row.reserved or row.overrun:
                    for holder, name in owner.draws(run):
                        assert (holder, name, "" if holder == "run" else row.month, row.resource) in there
        model = {
            (run, call): (row.reserved, None if row.bill is None else row.settled, row.overrun)
            for run, owner in self.runs.items()
            for call, row in owner.rows.items()
        }
        assert {(run, call): tuple(rest) for run, call, *rest in rows} == model

    @invariant()
    def the_run_says_the_same_and_an_overrun_freezes_it(self) -> None:
        for run, owner in self.runs.items():
            row, held = self.store.row(run), self.held(("run", run, "", "usd_micro"))
            assert (row.reserved, row.settled, row.overrun) == held
            assert row.budget == owner.budget
            bills = [r.bill or 0 for r in owner.rows.values() if r.resource == "usd_micro"]
            if sum(bills) <= LARGEST:
                assert sum(self.store.money(run).values()) == sum(bills)
            over = any(r.overrun for r in owner.rows.values() if r.resource != "tokens")
            assert self.store.purse(run, at=self.now, caps=self.caps).frozen == over

    @invariant()
    def each_threshold_is_said_once(self) -> None:
        assert not self.told or max(self.told.values()) == 1
        for holder, name, month, percent in self.told:
            assert percent in THRESHOLDS
            assert sum(self.held((holder, name, month, "usd_micro"))[1:]) > 0
