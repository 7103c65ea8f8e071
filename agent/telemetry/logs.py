"""What happens to runs, one line an event, for people or as JSON. A line that cannot be written stops nothing.

The fields are those of `Event` and no others: never an argument, a result, a message, or any text from outside.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Literal, TextIO

from agent.lines import Consulted, Ended, Finished, Intent, Planned, Verdict
from agent.state import Run
from agent.telemetry import names
from agent.telemetry.observer import Activation, WakeCause
from agent.upkeep import Checked, Closed, Concluded, Reacted
from tools.errors import Passing
from tools.record import Record
from tools.redact import Redaction
from tools.tool import Call

BAD = frozenset(("failed", "refused", "breached"))
"""Outcomes that are warned of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the log; what is None is left out."""

    event: Literal[
        "activation",
        "planned",
        "judged",
        "begun",
        "step",
        "model",
        "retry",
        "wake",
        "lost",
        "runs",
        "clock",
        "ended",
        "checked",
        "reacted",
        "concluded",
        "closed",
    ]
    run: str | None = None
    call: str | None = None
    tool: str | None = None
    backend: str | None = None
    owner: str | None = None
    epoch: int | None = None
    seconds: float | None = None
    outcome: str | None = None
    cause: str | None = None
    policy: str | None = None
    runs: Mapping[str, int] | None = None


_NAMES = tuple(field.name for field in fields(Event))


class Logs:
    """An observer that writes."""

    def __init__(
        self,
        stream: TextIO,
        form: Literal["text", "json"],
        *,
        now: Callable[[], float],
        owner: str,
        redaction: Redaction,
    ) -> None:
        self._now = now
        self._owner = owner
        self._policies = names.Policies()
        self._log = logging.Logger("goalkeeper", logging.INFO)
        handler = _Handler(stream)
        handler.setFormatter(_Formatter(form, redaction))
        self._log.addHandler(handler)

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        seen, began = Activation(run=run, epoch=epoch), self._now()
        try:
            yield seen
        finally:
            took = self._now() - began
            known = Event(
                event="activation", run=run, epoch=epoch, seconds=took, outcome=seen.outcome, cause=seen.cause or None
            )
            self._write(known, bad=seen.outcome == "broken")

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        yield

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        for record in records:
            event = self._of(run, record, epoch)
            if event is not None:
                self._write(event, bad=event.outcome in BAD)

    def _of(self, run: Run, record: Record, epoch: int) -> Event | None:
        match record:
            case Planned():
                return Event(event="planned", run=run.id, epoch=epoch, outcome=record.feasibility.verdict)
            case Consulted():
                return Event(event="model", run=run.id, epoch=epoch, seconds=record.seconds, outcome=record.outcome)
            case Finished():
                return Event(event="ended", run=run.id, epoch=epoch, outcome=record.report.status)
            case Verdict() | Intent() | Ended():
                return self._of_call(run, record, epoch)
            case Checked():
                return Event(event="checked", run=run.id, epoch=epoch, outcome=record.health, cause=record.cause)
            case Reacted():
                return Event(event="reacted", run=run.id, epoch=epoch, outcome=record.what, cause=record.trigger)
            case Concluded():
                return Event(event="concluded", run=run.id, epoch=epoch, outcome=record.came)
            case Closed():
                return Event(event="closed", run=run.id, epoch=epoch)
            case _:
                return None

    def _of_call(self, run: Run, record: Verdict | Intent | Ended, epoch: int) -> Event:
        state = run.calls[record.call.id if isinstance(record, Verdict) else record.call]
        event = Event(
            event="begun",
            run=run.id,
            call=names.call(state, run),
            tool=names.tool(state.call.tool),
            backend=names.backend(run),
            epoch=epoch,
        )
        if isinstance(record, Verdict):
            policy = ",".join(map(self._policies.name, record.policies)) or None
            return replace(event, event="judged", outcome=record.ruling, policy=policy)
        if isinstance(record, Intent) or state.started_at is None:
            return event
        took = (state.ended_at or run.last) - state.started_at
        return replace(event, event="step", outcome=record.phase, cause=record.cause, seconds=took)

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        self._write(Event(event="retry", run=call.run, tool=names.tool(call.tool), cause=why, seconds=wait_s))

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        self._write(Event(event="wake", run=run, cause=cause, seconds=late_s))

    def lost(self, run: str, *, epoch: int) -> None:
        self._write(Event(event="lost", run=run, epoch=epoch), bad=True)

    def standing(self, counts: Mapping[str, int]) -> None:
        self._write(Event(event="runs", runs=dict(counts)))

    def jumped(self, seconds: float) -> None:
        """The wall clock was set, by that much; the clock of this process goes on as it was."""
        self._write(Event(event="clock", seconds=seconds), bad=True)

    def _write(self, event: Event, *, bad: bool = False) -> None:
        level = logging.WARNING if bad else logging.INFO
        told = replace(event, owner=self._owner)
        self._log.log(level, event.event, extra={"told": told, "at": self._now()})


class _Handler(logging.StreamHandler[TextIO]):
    """Writes what can be written."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """The pipe is closed or the disk is full: the run goes on."""


class _Formatter(logging.Formatter):
    """One line: an object, or names and values."""

    def __init__(self, form: Literal["text", "json"], redaction: Redaction) -> None:
        super().__init__()
        self._json = form == "json"
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        told: Event = record.__dict__["told"]
        at = datetime.fromtimestamp(record.__dict__["at"], UTC).isoformat(timespec="milliseconds")
        known = {name: value for name in _NAMES if (value := getattr(told, name)) is not None}
        if self._json:
            line = json.dumps({"at": at, "level": record.levelname.lower()} | known)
        else:
            event = known.pop("event")
            line = " ".join([at, f"{event}", *(f"{name}={_said(value)}" for name, value in known.items())])
        return self._redaction.text(line)


def _said(value: object) -> str:
    match value:
        case float():
            return f"{value:.3f}"
        case dict():
            return ",".join(f"{name}:{count}" for name, count in value.items())
        case _:
            return str(value)
