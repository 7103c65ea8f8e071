"""Bugs to plant in the ledger, each with what it breaks: the machine must find every one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from ledger_model import LedgerMachine, Quick

from agent.errors import Broken
from agent.record.ledger import Cap, Entry
from agent.record.versions import SCHEMA

IN_THE_SCHEMA: Mapping[str, tuple[str, str]] = {
    "nothing bounds an account": ("CONSTRAINT within_bound CHECK (reserved + settled <= bound)", "CHECK (true)"),
    "only what is reserved is bounded": ("CHECK (reserved + settled <= bound)", "CHECK (reserved <= bound)"),
    "what bills had above their reservations leaves room": (
        "NEW.overrun > 0 AND NEW.reserved +",
        "false AND NEW.reserved +",
    ),
    "the account of the month is skipped": (
        "FROM draws d WHERE d.run = NEW.run\n",
        "FROM draws d WHERE d.run = NEW.run AND d.kind != 'month'\n",
    ),
    "the account of the requester is skipped": (
        "FROM draws d WHERE d.run = NEW.run\n",
        "FROM draws d WHERE d.run = NEW.run AND d.kind != 'requester'\n",
    ),
    "the month of everybody never ends": (
        "iif(d.kind = 'run', '', NEW.month)",
        "iif(d.kind IN ('run', 'month'), '', NEW.month)",
    ),
    "a release forgets the reservation": ("reserved = reserved - NEW.reserved", "reserved = reserved"),
    "a settlement is not counted": ("settled = settled + NEW.settled", "settled = settled"),
    "an overrun is hidden": ("overrun = min(overrun + NEW.overrun, 9223372036854775807)", "overrun = overrun"),
    "a large overrun is lost": (
        "overrun = min(overrun + NEW.overrun, 9223372036854775807)",
        "overrun = overrun + NEW.overrun",
    ),
    "a settlement counts as often as it is told": (
        "OLD.settled IS NULL AND NEW.settled IS NOT NULL AND",
        "NEW.settled IS NOT NULL AND",
    ),
    "a settlement can be changed": ("SELECT RAISE(ABORT, 'it is settled already')", "SELECT 1"),
    "a reservation can be changed": ("SELECT RAISE(ABORT, 'a reservation does not change')", "SELECT 1"),
    "a reservation can be replaced": ("SELECT RAISE(ABORT, 'it is reserved already')", "SELECT 1"),
    "a reservation can be deleted": ("SELECT RAISE(ABORT, 'nothing leaves the ledger')", "SELECT 1"),
    "a run without an account can reserve": ("SELECT RAISE(ABORT, 'the run has no account')", "SELECT 1"),
    "an account can be deleted": ("SELECT RAISE(ABORT, 'nothing leaves the accounts')", "SELECT 1"),
    "a run can leave its accounts": (
        "BEFORE DELETE ON draws\nBEGIN\n  SELECT RAISE(ABORT, 'a run draws on its accounts for good')",
        "BEFORE DELETE ON draws\nBEGIN\n  SELECT 1",
    ),
    "a reservation can be negative in an account": ("DEFAULT 0 CHECK (reserved >= 0)", "DEFAULT 0"),
}
"""Text of schema.sql, and what stands in its place."""


class Mutant(Quick):
    """A store whose statements are not those that were meant."""

    def append(self, run: str, **more: Any) -> list[tuple[int, str]]:
        return super().append(run, **self.wrong(run, more))

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        return more


class NoCaps(Mutant):
    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        return more | {"caps": ()}


class OldCaps(Mutant):
    """The first limits that a process hears of are those it keeps to."""

    caps: Sequence[Cap] | None = None

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        self.caps = more["caps"] if self.caps is None else self.caps
        return more | {"caps": self.caps}


class CutBills(Mutant):
    """A bill is cut to what was reserved before anybody sees it."""

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        reserved = {(m.call, m.resource): m.reserved for m in self.movements(run)}
        cut = [
            e.model_copy(update={"amount": min(e.amount, reserved.get((e.call, e.resource), e.amount))})
            if e.kind == "settle"
            else e
            for e in more["money"]
        ]
        return more | {"money": cut}


class NoReleases(Mutant):
    """A call that cost nothing keeps its reservation."""

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        return more | {"money": [e for e in more["money"] if e.kind != "settle" or e.amount]}


class FirstOnly(Mutant):
    """Of a round's reservations the first is stored."""

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        return more | {"money": list(more["money"])[:1]}


class SaidAgain(Mutant):
    """What was told of thresholds is forgotten."""

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        self._db.execute("UPDATE account SET told = 0")
        return more


class Unfenced(Mutant):
    """Whoever writes is taken for the owner."""

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        self._heads.pop(run, None)
        return more | {"epoch": self.row(run).epoch}


class Forgiving(Mutant):
    """What no account allows is stored without the money."""

    def append(self, run: str, **more: Any) -> list[tuple[int, str]]:
        try:
            return super().append(run, **more)
        except Broken:
            return super().append(run, **(more | {"money": [Entry(call="none", kind="end")]}))

    def wrong(self, run: str, more: dict[str, Any]) -> dict[str, Any]:
        return more


IN_THE_CODE: Mapping[str, type[Mutant]] = {
    "limits are not passed on": NoCaps,
    "limits that changed are not heard of": OldCaps,
    "bills are cut to what was reserved": CutBills,
    "a call that cost nothing is not released": NoReleases,
    "the second reservation of a round is lost": FirstOnly,
    "a threshold is said twice": SaidAgain,
    "a process that was replaced writes on": Unfenced,
    "a refused reservation is stored without its money": Forgiving,
}


def planted(name: str) -> type[LedgerMachine]:
    """The machine on a ledger with that bug."""
    if name in IN_THE_CODE:
        return type("Planted", (LedgerMachine,), {"store_type": IN_THE_CODE[name]})
    meant, wrong = IN_THE_SCHEMA[name]
    schema = files("agent.record").joinpath("schema.sql").read_text(encoding="utf-8")
    assert meant in schema, meant

    def prepare(self: LedgerMachine) -> None:
        with sqlite3.connect(self.path) as db:
            db.executescript(schema.replace(meant, wrong) + f"PRAGMA user_version = {SCHEMA};")
        db.close()

    return type("Planted", (LedgerMachine,), {"prepare": prepare})


BUGS = (*IN_THE_SCHEMA, *IN_THE_CODE)
