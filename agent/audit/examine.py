"""Whether a run of this home is what was signed for it: its raw rows beside the heads that lie elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from agent.audit import raw
from agent.audit.heads import Heads
from agent.audit.journal import Judgement, Line, Remark, judge, tr
from agent.audit.key import Unsignable, fast, public_key
from agent.errors import NoSuchRun
from agent.record.chained import Line as Stored
from agent.record.engine import Unreachable
from agent.state import fold
from tools import language
from tools.record import Record

Trusted = Literal["given", "folder", "bundle"]
"""Where the public key comes from: the person, the audit folder, or the very bundle that is verified."""
_LOOKS = 5


class Span(Record):
    """Lines of a journal, both ends included."""

    first: int
    last: int


class Audit(Record):
    """`audit verify --json`."""

    run: str
    ruling: Literal["verified", "not verified", "no head"]
    to: int
    """The last line that a signed head answers for, with all before it."""
    complete: bool
    since: str
    """When that head was signed; empty when there is none."""
    unsigned: Span | None
    """After the last head: nothing is said of these lines."""
    lines: int
    heads: int
    key: str
    trusted: Trusted
    said: str
    """The ruling in one sentence."""
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    exit_code: int


def told(found: Judgement, trusted: Trusted) -> Audit:
    """The judgement in the language that is spoken now."""
    return Audit(
        run=found.run,
        ruling=found.ruling,
        to=found.to,
        complete=found.complete,
        since=found.since,
        unsigned=Span(first=found.unsigned[0], last=found.unsigned[1]) if found.unsigned else None,
        lines=found.lines,
        heads=found.heads,
        key=found.key,
        trusted=trusted,
        said=_said(found.headline),
        faults=tuple(_said(remark) for remark in found.faults),
        notes=tuple(_said(remark) for remark in found.notes),
        exit_code=found.exit_code,
    )


def _said(remark: Remark) -> str:
    return language.tr(remark.template, **remark.fields)


def find(name: str, home: Path, heads: Heads, *, store: str | None = None) -> str:
    """The full id of a run named by it, or by a unique beginning or ending: of the home, else by its heads alone."""
    try:
        own = raw.names(store or home)
    except Unreachable:
        own = ()
    for known in (own, heads.runs()):
        alike = [r for r in known if name and (r.startswith(name) or r.endswith(name))]
        found = [name] if name in known else alike
        if len(found) == 1:
            return found[0]
        if found:
            raise NoSuchRun(_said(tr("{name} is not unique: {found}", name=repr(name), found=", ".join(found[:5]))))
    raise NoSuchRun(_said(tr("there is no run {name} in {home}, and no head of one", name=repr(name), home=str(home))))


def language_of_run(run: str, home: Path, store: str | None = None) -> language.Language:
    """The language of its goal, as far as the store says it."""
    try:
        goal = (raw.rows(store or home, run).run or {}).get("goal")
    except Unreachable:
        goal = None
    return language.language_of(goal if isinstance(goal, str) else "")


def examine(run: str, home: Path, heads: Heads, *, given: bytes | None = None, store: str | None = None) -> Judgement:
    """What can be said of a run; `given` is the public key as it is known from elsewhere."""
    try:
        public = public_key(heads.folder) if given is None else given
        texts, rows = _seen(run, home, heads, store)
    except (Unreachable, OSError, Unsignable) as error:
        return _unseen(run, tr("it cannot be read: {error}", error=str(error)))
    if public is None and texts:
        return _unseen(run, tr("there are signed heads and no public key in {folder}", folder=str(heads.folder)))
    found = judge(run, rows.lines, texts, public=public or b"", genuine=fast)
    gone = (
        () if rows.lines or not texts else (tr("there is nothing of it in {home}: is that its home?", home=str(home)),)
    )
    faults = (*found.faults, *_ends(rows), *_ledger(run, rows, found))
    return found._replace(faults=faults, notes=(*gone, *found.notes))


def _unseen(run: str, why: Remark) -> Judgement:
    return Judgement(run, 0, False, "", None, 0, 0, "", faults=(why,))


def _seen(run: str, home: Path, heads: Heads, store: str | None) -> tuple[tuple[str, ...], raw.Rows]:
    """Heads and rows of one time: of a run that goes on, neither is newer than the other."""
    texts = heads.texts(run)
    for _ in range(_LOOKS):
        rows = raw.rows(store or home, run)
        after = heads.texts(run)
        if after == texts:
            break
        texts = after
    return texts, rows


def _ends(rows: raw.Rows) -> Iterator[Remark]:
    """The store says itself where the journal ends."""
    last = rows.lines[-1] if rows.lines else None
    if rows.run is None or (rows.lines and last is None):
        return
    said, end = (rows.run.get("head_seq"), rows.run.get("head_hash")), (len(rows.lines), last.hash if last else "")
    if said != end:
        yield tr("the store says that the journal ends at line {said}; it ends at {end}", said=said[0], end=end[0])


def _ledger(run: str, rows: raw.Rows, found: Judgement) -> Iterator[Remark]:
    """The ledger is a view of the journal: its sums are made anew. Of a journal that does not hold they say nothing."""
    if found.faults or not rows.lines:
        return
    try:
        state = fold(run, [_line(run, line) for line in rows.lines if line is not None])
        journal = Sums(state.reserved_micro, state.settled_micro)
        ledger, account = _moved(rows), _accounted(rows)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        yield tr("the ledger cannot be compared with the journal: {error}", error=f"{type(error).__name__}: {error}")
        return
    if ledger != journal:
        yield tr("the ledger has {sums} micro-USD, the journal {journal}", sums=str(ledger), journal=str(journal))
    if account != journal:
        yield tr("the account has {sums} micro-USD, the journal {journal}", sums=str(account), journal=str(journal))


def _line(run: str, line: Line) -> Stored:
    return Stored(run=run, seq=line.seq, at=line.at, kind=line.kind, body=json.loads(line.body), hash=line.hash)


class Sums(NamedTuple):
    """Micro-USD of a run."""

    reserved: int
    settled: int
    """With what bills had above their reservations."""

    def __str__(self) -> str:
        return f"{self.settled} + {self.reserved}"


def _moved(rows: raw.Rows) -> Sums:
    """Of every row of the ledger."""
    money = [row for row in rows.ledger if row.get("resource", "usd_micro") == "usd_micro"]
    return Sums(
        sum(row["reserved"] for row in money if row["settled"] is None),
        sum(row["settled"] + row["overrun"] for row in money if row["settled"] is not None),
    )


def _accounted(rows: raw.Rows) -> Sums:
    """Of the run's account; of one that nothing has moved there may be none. An old store has it in the run."""
    if rows.run is not None and "reserved" in rows.run:
        return Sums(rows.run["reserved"], rows.run["settled"] + rows.run["overrun"])
    own = [row for row in rows.accounts if row["resource"] == "usd_micro"]
    return Sums(sum(row["reserved"] for row in own), sum(row["settled"] + row["overrun"] for row in own))
