"""Where journals stood, signed: one append-only log a run, outside every home.

Each head names the one before it. A log is only ever added to, under a lock, and a line counts once it is whole.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.audit.journal import Head, Mark, digest_of, head_line, head_of, message
from agent.audit.key import Unsignable, fast, settled, signer
from agent.clock import stamp
from agent.errors import Broken
from tools.language import tr
from tools.record import Record

FOLDER = "heads"
_PAUSE_S = 0.01
_TAIL_BYTES = 1 << 16
"""More than any head has."""
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def plain(run: str) -> bool:
    """Whether a run can be called that, and a file after it."""
    return _RUN.fullmatch(run) is not None


class Stand(Record):
    """Where a journal stands, as the process that writes it knows."""

    run: str
    epoch: int
    """Of the claim under which that process owns the run."""
    seq: int
    hash: str
    complete: bool


class Heads:
    """The logs of one audit folder."""

    def __init__(self, folder: Path, *, wait_s: float = 5.0) -> None:
        """`wait_s`: how long another process may hold a log."""
        self.folder = folder
        self._wait_s = wait_s

    def path(self, run: str) -> Path:
        """The log of a run. Unsignable for a name that is none."""
        if not plain(run):
            raise Unsignable(tr("{run} cannot be the name of a run", run=repr(run)))
        return self.folder / FOLDER / f"{run}.jsonl"

    def runs(self) -> tuple[str, ...]:
        """Every run that has a log."""
        return tuple(sorted(p.stem for p in (self.folder / FOLDER).glob("*.jsonl")))

    def knows(self, run: str) -> bool:
        """Whether there is a log of that name."""
        return os.path.exists(self.path(run))

    def texts(self, run: str) -> tuple[str, ...]:
        """The whole lines of a run's log, oldest first. One that is being written is not there yet."""
        try:
            content = self.path(run).read_bytes()
        except (FileNotFoundError, NotADirectoryError, Unsignable):
            return ()
        return tuple(content[: content.rfind(b"\n") + 1].decode("utf-8", "surrogateescape").split("\n")[:-1])

    def reach(self, run: str) -> int:
        """How many lines of a journal need not be read to check the rest: all before the one that was signed last."""
        head = self._newest(run)
        return 0 if head is None else max(0, head.seq - 1)

    def _newest(self, run: str) -> Head | None:
        """The last head of a run, whatever the length of its log; None when there is none that can be read."""
        try:
            with self.path(run).open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
                tail = log.read()
        except (FileNotFoundError, NotADirectoryError, Unsignable):
            return None
        text = tail[: tail.rfind(b"\n") + 1].rpartition(b"\n")[0].rpartition(b"\n")[2]
        found = head_of(text.decode("utf-8", "surrogateescape")) if text else None
        return None if found is None else found[0]

    def check(self, run: str, hashes: Sequence[str], *, epoch: int, after: int = 0) -> str:
        """What a journal with these hashes of its lines after `after`, just claimed, has beyond its heads; empty when
        nothing.

        Broken when it is not what was signed last.
        """
        head, end = self._newest(run), after + len(hashes)
        if head is None:
            return ""
        known = after < head.seq <= end
        stands = head.hash == (hashes[head.seq - after - 1] if known else "") and (known or head.seq == 0)
        if not stands or head.epoch >= epoch:
            told = tr(
                "the journal of {run} is not what was signed at line {line}, {at}: it was altered, or is an older copy;"
                " `goalkeeper audit verify {run}` says more, and a new run of the goal can go on",
                run=run,
                line=head.seq,
                at=head.at,
            )
            raise Broken(told)
        if head.mark != "ended" or head.seq == end:
            return ""
        return tr(
            "lines {first} to {end} of the journal were not signed for when they were written",
            first=head.seq + 1,
            end=end,
        )

    def sign(self, stand: Stand, mark: Mark, *, at: float) -> None:
        """Add a head. Unsignable or OSError when none can be added; then the log is as it was.

        Nothing is added by a process that has lost the run, nor where an activation has reached nothing new.
        """
        key = signer(self.folder)
        with self._opened(stand.run) as handle:
            text = _last(handle)
            found = head_of(text) if text else None
            if text and (found is None or not fast(key.public, message(found[0]), found[1])):
                raise Unsignable(tr("the heads of {run} were altered, or are not this user's", run=stand.run))
            last = found[0] if found else None
            if last is not None and (last.epoch > stand.epoch or (mark == "reached" and last.seq >= stand.seq)):
                return
            head = Head(
                run=stand.run,
                number=last.number + 1 if last else 1,
                previous=digest_of(text) if last else "",
                mark=mark,
                state="complete" if stand.complete else "open",
                seq=stand.seq,
                hash=stand.hash,
                epoch=stand.epoch,
                at=stamp(at),
                key=key.id,
            )
            _add(handle, head_line(head, key.sign(message(head))).encode() + b"\n")

    @contextmanager
    def _opened(self, run: str) -> Iterator[int]:
        """The run's log, for this process alone."""
        path = self.path(run)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if fresh:
                settled(path.parent)
            _lock(handle, path, self._wait_s)
            yield handle
        finally:
            os.close(handle)


def _lock(handle: int, path: Path, wait_s: float) -> None:
    """Unsignable when another process does not let go of the log: it may have been stopped for good."""
    for _ in range(round(wait_s / _PAUSE_S)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_PAUSE_S)
    raise Unsignable(tr("another process holds {file}", file=path))


def _last(handle: int) -> str:
    """The last line of a log; empty when it has none. What a process that died wrote of a line is taken away."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        os.ftruncate(handle, size - (len(tail) - whole))
    return tail[:whole].rpartition(b"\n")[0].rpartition(b"\n")[2].decode("utf-8", "surrogateescape")


def _add(handle: int, line: bytes) -> None:
    """The whole line, on the disk, or none of it."""
    before = os.fstat(handle).st_size
    try:
        if os.write(handle, line) != len(line):
            raise OSError("the disk took a part of the head only")
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, before)
        raise
