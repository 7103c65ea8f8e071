"""Journals and the heads that were signed for them, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nacl.signing import SigningKey

from agent.audit.journal import (
    Head,
    Judgement,
    Line,
    Mark,
    chain,
    digest_of,
    head_line,
    judge,
    key_id,
    message,
)
from agent.audit.key import fast

KEY = SigningKey(b"\x01" * 32)
FOREIGN = SigningKey(b"\x02" * 32)
Texts = tuple[str, ...]
Lines = tuple[Line, ...]


def hashed(lines: Sequence[Line]) -> Lines:
    """The lines numbered and chained anew: what anybody can do."""
    found: list[Line] = []
    for seq, line in enumerate(lines, start=1):
        fresh = line._replace(seq=seq)
        found.append(fresh._replace(hash=chain(found[-1].hash if found else "", fresh)))
    return tuple(found)


@dataclass
class Witnessed:
    """A run as its owners write and sign it."""

    run: str = "r"
    key: SigningKey = KEY
    lines: Lines = ()
    heads: Texts = ()
    epoch: int = 0
    snapshots: list[tuple[Lines, Texts]] = field(default_factory=list)
    """How it stood after every head."""

    def write(self, *kinds: str) -> None:
        bare = [
            Line(seq=0, at=1.5 + len(self.lines), kind=k, body=f'{{"n":{len(self.lines)}}}', hash="") for k in kinds
        ]
        self.lines = hashed((*self.lines, *bare))

    def sign(self, mark: Mark) -> None:
        self.epoch += mark == "claimed"
        head = Head(
            run=self.run,
            number=len(self.heads) + 1,
            previous=digest_of(self.heads[-1]) if self.heads else "",
            mark=mark,
            state="complete" if self.lines and self.lines[-1].kind == "finish" else "open",
            seq=len(self.lines),
            hash=self.lines[-1].hash if self.lines else "",
            epoch=self.epoch,
            at=f"2026-03-02T09:00:{len(self.heads) % 60:02}+00:00",
            key=key_id(bytes(self.key.verify_key)),
        )
        signature = self.key.sign(message(head)).signature
        self.heads = (*self.heads, head_line(head, signature))
        self.snapshots.append((self.lines, self.heads))

    def activation(self, *kinds: str, killed: bool = False) -> None:
        self.sign("claimed")
        self.write(*kinds)
        if not killed:
            self.sign("ended")

    def judged(self) -> Judgement:
        return verdict(self.lines, self.heads, run=self.run)


def verdict(lines: Sequence[Line | None], heads: Sequence[str], *, run: str = "r") -> Judgement:
    """What is said of them to somebody who knows the public key."""
    return judge(run, lines, heads, public=bytes(KEY.verify_key), genuine=fast)


def finished(run: str = "r", key: SigningKey = KEY) -> Witnessed:
    """Begun, waited once, then over: ten lines, six heads."""
    made = Witnessed(run=run, key=key)
    made.activation("goal", "contract", "survey", "plan")
    made.activation("verdict", "asked")
    made.activation("answer", "intent", "outcome", "finish")
    return made
