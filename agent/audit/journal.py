"""Whether a run's journal is what was signed, told from its lines, its signed heads and a public key alone.

Standard library only: it is a part of the verifier that every bundle holds. It knows no store and trusts none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

HEAD_OF = b"goalkeeper journal head 1\n"
"""What is signed begins with what it is: a signature of one thing never serves as one of another."""
_KIND = re.compile(r"[a-z_]{1,40}")


class Remark(NamedTuple):
    """A sentence, kept as its English template and fields so that a door may say it in another language."""

    template: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        return self.template.format(**self.fields)


def tr(template: str, /, **fields: object) -> Remark:
    """A sentence that is said later."""
    return Remark(template, fields)


class Line(NamedTuple):
    """One journal line as it is stored."""

    seq: int
    at: float
    kind: str
    body: str
    hash: str


Mark = Literal["claimed", "reached", "ended"]
"""Why a head is signed: the run was taken up, an activation within that came to its end, the run was let go."""


class Head(NamedTuple):
    """Where a journal stood, as it is signed."""

    run: str
    number: int
    """Of the head in its log, from 1."""
    previous: str
    """sha256 of the log's line before it; empty for the first."""
    mark: str
    state: str
    """`open`, or `complete` when the run was over."""
    seq: int
    """Of the journal's last line; 0 when there was none."""
    hash: str
    """Of that line."""
    epoch: int
    """How often the run had been taken up."""
    at: str
    """RFC 3339, as the signer's clock said."""
    key: str
    """Id of the key it was signed with."""


class Judgement(NamedTuple):
    """What can be said of a journal, and no more."""

    run: str
    to: int
    """The last line that a signed head answers for, with all before it."""
    complete: bool
    since: str
    """When that head was signed; empty when there is none."""
    unsigned: tuple[int, int] | None
    """First and last line after the last head."""
    lines: int
    heads: int
    key: str
    faults: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()

    @property
    def ruling(self) -> Literal["verified", "not verified", "no head"]:
        if self.faults:
            return "not verified"
        return "verified" if self.heads else "no head"

    @property
    def exit_code(self) -> int:
        return {"verified": 0, "not verified": 1, "no head": 4}[self.ruling]

    @property
    def headline(self) -> Remark:
        if self.ruling == "no head":
            return tr("there is no signed head: nothing can be said of the {lines} lines", lines=self.lines)
        if self.faults and not self.since:
            return tr("not verified")
        if self.faults:
            return tr("not verified beyond sequence {to}, signed {since}", to=self.to, since=self.since)
        if self.complete:
            return tr("verified to sequence {to}, complete", to=self.to)
        return tr("verified to sequence {to}, open since {since}", to=self.to, since=self.since)


Genuine = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) → whether the key's owner signed that message."""
Remarks = tuple[Remark, ...]


def chain(previous: str, line: Line) -> str:
    """The hash of a line: sha256 over the previous hash and every stored column; empty where no bytes read so."""
    text = f"{previous}\n{line.seq}\n{line.at!r}\n{line.kind}\n{line.body}"
    try:
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    except UnicodeEncodeError:
        return ""


def line_of(fields: Sequence[object]) -> Line | None:
    """A line of these columns; None when they make none."""
    if [type(f) for f in fields] != [int, float, str, str, str]:
        return None
    line = Line(*fields)  # type: ignore[arg-type]
    # Neither holds what separates the columns: so no other line has that hash.
    return line if _KIND.fullmatch(line.kind) and "\n" not in line.body else None


def chained(lines: Sequence[Line | None]) -> tuple[list[str], Remarks]:
    """The hash of every line, made anew, up to the first that does not hold; then what is wrong there."""
    hashes: list[str] = []
    previous = ""
    for expected, line in enumerate(lines, start=1):
        if line is None:
            return hashes, (tr("line {line} of the journal cannot be read", line=expected),)
        if line.seq > expected:
            return hashes, (tr("lines {first} to {last} are missing", first=expected, last=line.seq - 1),)
        if line.seq < expected:
            return hashes, (tr("line {line} stands where line {expected} belongs", line=line.seq, expected=expected),)
        previous = chain(previous, line)
        if previous != line.hash:
            return hashes, (tr("line {line} has been altered", line=expected),)
        hashes.append(previous)
    return hashes, ()


def canonical(value: object) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def key_id(public: bytes) -> str:
    """What a public key is called."""
    return hashlib.sha256(public).hexdigest()[:16]


def message(head: Head) -> bytes:
    """What is signed of a head."""
    return HEAD_OF + canonical(head._asdict()).encode()


def head_line(head: Head, signature: bytes) -> str:
    """A head as its log holds it."""
    return canonical({"head": head._asdict(), "signature": signature.hex()})


def head_of(text: str) -> tuple[Head, bytes] | None:
    """A line of a log of heads; None for anything that is not exactly one."""
    try:
        outer = json.loads(text)
        head, signature = Head(**outer["head"]), bytes.fromhex(outer["signature"])
        kinds = {name: int if name in ("number", "seq", "epoch") else str for name in Head._fields}
        typed = all(type(value) is kinds[name] for name, value in head._asdict().items())
        return (head, signature) if typed and head_line(head, signature) == text else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def digest_of(text: str) -> str:
    """sha256 of a log's line, by which the next one names it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def signed(texts: Sequence[str], *, run: str, public: bytes, genuine: Genuine) -> tuple[list[Head], Remarks]:
    """The heads of a log up to the first that does not hold; then what is wrong with it."""
    heads: list[Head] = []
    previous = ""
    for number, text in enumerate(texts, start=1):
        found = head_of(text)
        if found is None:
            return heads, (tr("head {number} cannot be read", number=number),)
        head, signature = found
        if head.key != (key := key_id(public)):
            told = tr("head {number} was signed with key {other}, not {key}", number=number, other=head.key, key=key)
            return heads, (told,)
        if not genuine(public, message(head), signature):
            return heads, (tr("the signature of head {number} is not genuine", number=number),)
        if head.run != run:
            return heads, (tr("head {number} is of run {other}", number=number, other=head.run),)
        if (head.number, head.previous) != (number, previous):
            return heads, (tr("heads before the one numbered {number} are missing", number=head.number),)
        if heads and (head.seq < heads[-1].seq or head.epoch < heads[-1].epoch):
            return heads, (tr("head {number} goes back behind the one before it", number=number),)
        heads.append(head)
        previous = digest_of(text)
    return heads, ()


def judge(
    run: str, lines: Sequence[Line | None], texts: Sequence[str], *, public: bytes, genuine: Genuine
) -> Judgement:
    """What the heads say of the lines. `texts` is the log of heads, one text a head."""
    hashes, broken = chained(lines)
    heads, wrong = signed(texts, run=run, public=public, genuine=genuine)
    held, departed = _held(heads, hashes, len(lines))
    faults, notes = [*broken, *wrong, *departed], list[Remark]()
    for before, head in zip([None, *heads], heads, strict=False):
        _between(before, head, faults, notes)
    last = heads[-1].seq if heads else 0
    unsigned = (last + 1, len(lines)) if heads and len(lines) > last else None
    if unsigned and not (wrong or departed):
        _after(heads[-1], unsigned, faults, notes)
    return Judgement(
        run=run,
        to=held.seq if held else 0,
        complete=held is not None and held.state == "complete" and held.seq == len(lines),
        since=held.at if held else "",
        unsigned=unsigned,
        lines=len(lines),
        heads=len(texts),
        key=key_id(public),
        faults=tuple(faults),
        notes=tuple(notes),
    )


def _held(heads: Sequence[Head], hashes: Sequence[str], lines: int) -> tuple[Head | None, Remarks]:
    """The last head that the journal answers to; then what is wrong with the next."""
    held: Head | None = None
    for head in heads:
        n, at = head.number, head.seq
        if at > lines:
            return held, (
                tr("the journal ends at line {end}: head {n} was signed at line {at}", end=lines, n=n, at=at),
            )
        if at > len(hashes):
            return held, ()  # the chain is broken before it, and that is said
        if (hashes[at - 1] if at else "") != head.hash:
            first = held.seq + 1 if held else 1
            return held, (
                tr("lines {first} to {at} are not those that head {n} was signed for", first=first, at=at, n=n),
            )
        held = head
    return held, ()


def _between(before: Head | None, head: Head, faults: list[Remark], notes: list[Remark]) -> None:
    """Lines that no head of their own activation answers for."""
    first, last = (before.seq if before else 0) + 1, head.seq
    if head.mark != "claimed" or last < first:
        return
    if before is None:
        told = tr("lines {first} to {last} were there before the first head, {at}", first=first, last=last, at=head.at)
        notes.append(told)
    elif before.mark == "ended":
        n = before.number
        told = tr("lines {first} to {last} were added after head {n} had let the run go", first=first, last=last, n=n)
        faults.append(told)
    else:
        told = tr(
            "an activation was cut off: its lines {first} to {last} were signed {at}",
            first=first,
            last=last,
            at=head.at,
        )
        notes.append(told)


def _after(last: Head, unsigned: tuple[int, int], faults: list[Remark], notes: list[Remark]) -> None:
    """Lines beyond the last head: nothing is claimed of them."""
    first, end = unsigned
    notes.append(tr("unsigned since {first}: nothing is said of lines {first} to {end}", first=first, end=end))
    if last.mark == "ended":
        faults.append(
            tr(
                "line {first} follows head {n}, which let the run go: later heads are missing",
                first=first,
                n=last.number,
            )
        )
