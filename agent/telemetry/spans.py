"""What a run does as OpenTelemetry spans, under the names of the GenAI conventions (status: development).

One run is one trace, whoever works on it: trace and span ids of the run and of its activations are derived from the
run's id and the owner's epoch, so that every process names the same ones without having heard of the others. Content is
never recorded: no argument, result, message or word of a goal.

    invoke_workflow goalkeeper            the run, from its goal to its report; written when it ends
    ├── plan                              the making of a plan
    └── invoke_agent goalkeeper           one activation, linked with the one before it
        ├── goalkeeper.policy.judge       what the policies said of a call
        ├── execute_tool {tool}           a call, from its intent to its outcome, whichever activation it began in
        └── chat {model}                  a question to a language model
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from agent.lines import Consulted, Ended, Finished, Verdict
from agent.state import Run
from agent.telemetry import names
from agent.telemetry.observer import Activation, WakeCause
from tools.errors import Passing
from tools.record import Record
from tools.redact import Redaction
from tools.tool import Call

AGENT = "goalkeeper"
NANO = 1_000_000_000
Attributes = dict[str, str | int | float | bool | Sequence[str]]
wanted: ContextVar[tuple[int, int] | None] = ContextVar("wanted", default=None)
"""Trace and span id that the next span is to have; None: any."""


def identity(*words: object) -> int:
    """64 bits that these words name, never 0."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") or 1


def trace_of(run: str) -> int:
    """The trace of a run, in 128 bits."""
    return (identity("trace", run) << 64) | identity("trace, too", run)


def place(run: str, *words: object) -> SpanContext:
    """Where a span of that run is found: the run's own without more words, an activation's by epoch and number."""
    return SpanContext(trace_of(run), identity("span", run, *words), is_remote=True, trace_flags=TraceFlags(1))


class Spans:
    """An observer that traces."""

    def __init__(self, tracer: Tracer, *, now: Callable[[], float], redaction: Redaction) -> None:
        self._tracer = tracer
        self._now = now
        self._redaction = redaction
        self._inside: ContextVar[tuple[str, Context] | None] = ContextVar("inside", default=None)
        self._last: dict[str, tuple[int, int]] = {}
        """Run → epoch and number of its last activation here."""

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        seen, before = Activation(run=run, epoch=epoch), self._last.get(run, (epoch - 1, 0))
        number = before[1] + 1 if before[0] == epoch else 0
        self._last[run] = (epoch, number)
        links = [Link(place(run, *before))] if before[0] > 0 else []
        told: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": AGENT,
            "gen_ai.agent.name": AGENT,
            "gen_ai.conversation.id": run,
            "goalkeeper.epoch": epoch,
        }
        span = self._start(f"invoke_agent {AGENT}", run, told, links=links, own=place(run, epoch, number))
        token = self._inside.set((run, set_span_in_context(span)))
        try:
            yield seen
        finally:
            self._inside.reset(token)
            if seen.outcome == "ended":
                self._last.pop(run, None)
            span.set_attribute("goalkeeper.activation.outcome", seen.outcome)
            if seen.outcome in ("broken", "busy"):
                _failed(span, seen.cause or seen.outcome)
            span.end(self._at())

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        told: Attributes = {"gen_ai.operation.name": "plan", "gen_ai.agent.name": AGENT, "gen_ai.conversation.id": run}
        span = self._start("plan", run, told)
        try:
            yield
        except BaseException as error:
            _failed(span, type(error).__name__)
            raise
        finally:
            span.end(self._at())

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        for record in records:
            match record:
                case Verdict():
                    self._judged(run, record)
                case Ended() if record.phase != "running":
                    self._ended(run, record)
                case Consulted():
                    self._consulted(run, record)
                case Finished():
                    self._finished(run, record)
                case _:
                    pass

    def _judged(self, run: Run, record: Verdict) -> None:
        state = run.calls[record.call.id]
        told: Attributes = {
            "gen_ai.tool.name": names.tool(record.call.tool),
            "gen_ai.tool.call.id": names.call(state, run),
            "goalkeeper.policy.ruling": record.ruling,
            "goalkeeper.policy.ids": tuple(record.policies),
            "goalkeeper.policy.set": record.policies_digest,
        }
        self._start("goalkeeper.policy.judge", run.id, told, at=run.last).end(_nanos(run.last))

    def _ended(self, run: Run, record: Ended) -> None:
        state = run.calls[record.call]
        began, over = state.started_at or run.last, state.ended_at or run.last
        tool = names.tool(state.call.tool)
        told: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": names.call(state, run),
            "gen_ai.conversation.id": run.id,
            "goalkeeper.tool.effect": names.effect(tool),
            "goalkeeper.tool.attempt": state.call.attempt,
            "goalkeeper.backend": names.backend(run),
        }
        span = self._start(f"execute_tool {tool}", run.id, told, at=began)
        if record.phase == "failed":
            _failed(span, record.cause or "unknown")
        span.end(_nanos(over))

    def _consulted(self, run: Run, record: Consulted) -> None:
        told: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": record.model,
            "gen_ai.usage.input_tokens": record.tokens_in,
            "gen_ai.usage.output_tokens": record.tokens_out,
            "gen_ai.conversation.id": run.id,
            "goalkeeper.model.purpose": record.purpose,
        }
        began = run.last - record.seconds
        span = self._start(f"chat {record.model}", run.id, told, at=began, kind=SpanKind.CLIENT)
        if record.outcome != "answered":
            _failed(span, record.outcome)
        span.end(_nanos(run.last))

    def _finished(self, run: Run, record: Finished) -> None:
        told: Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.conversation.id": run.id,
            "goalkeeper.run.status": record.report.status,
            "goalkeeper.run.exit_code": record.report.exit_code,
        }
        span = self._start(f"invoke_workflow {AGENT}", run.id, told, at=run.started, own=place(run.id), root=True)
        span.end(_nanos(run.last))

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        """Seen in the length of the call's own span."""

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        """Counted and logged."""

    def lost(self, run: str, *, epoch: int) -> None:
        """Counted and logged."""

    def standing(self, counts: Mapping[str, int]) -> None:
        """Counted and logged."""

    def jumped(self, seconds: float) -> None:
        """Logged."""

    def _start(
        self,
        name: str,
        run: str,
        told: Attributes,
        *,
        at: float | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        own: SpanContext | None = None,
        root: bool = False,
    ) -> Span:
        """A span of the run: inside the activation under way, else right beneath the run's own."""
        inside = self._inside.get()
        beneath = set_span_in_context(NonRecordingSpan(place(run)), Context())
        context = inside[1] if inside is not None and inside[0] == run else beneath
        token = wanted.set(None if own is None else (own.trace_id, own.span_id))
        try:
            return self._tracer.start_span(
                self._redaction.text(name),
                Context() if root else context,
                kind,
                attributes={key: self._clean(value) for key, value in told.items()},
                links=links,
                start_time=self._at() if at is None else _nanos(at),
            )
        finally:
            wanted.reset(token)

    def _clean(self, value: str | int | float | bool | Sequence[str]) -> str | int | float | bool | Sequence[str]:
        if isinstance(value, str):
            return self._redaction.text(value)
        return value if isinstance(value, int | float) else tuple(map(self._redaction.text, value))

    def _at(self) -> int:
        return _nanos(self._now())


def _failed(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def _nanos(at: float) -> int:
    return int(at * NANO)
