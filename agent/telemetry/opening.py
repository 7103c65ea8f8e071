"""Logs, metrics and spans as the settings switch them on. Nothing heavy is imported for what is off."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TextIO

from agent.record import owner
from agent.settings import Settings, Traces
from agent.telemetry.observer import SILENT, Observer
from agent.telemetry.several import Several
from tools.steady import steady

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

CLOSING_MS = 2000
"""How long spans that are not sent yet may hold up the end of a process."""
EXPORTERS = ("otlp", "console")


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """What is told of this process, and to whom."""

    observer: Observer = SILENT
    registry: CollectorRegistry | None = None
    """Of the metrics, where they are on."""
    close: Callable[[], None] = field(default=lambda: None)
    """Sends what is not sent yet."""


def open_telemetry(
    settings: Settings,
    *,
    now: Callable[[], float],
    metrics: bool = False,
    log: Literal["off", "text", "json"] = "off",
    stream: TextIO | None = None,
) -> Telemetry:
    """What the settings say; `log` holds where they say nothing of it. `now`: epoch seconds of the runs' clock."""
    observers: list[Observer] = []
    registry, close = None, _nothing
    form = settings.log or log
    if form != "off":
        from agent.telemetry.logs import Logs

        told = stream or sys.stderr
        observers.append(Logs(told, form, now=now, owner=owner.me(), redaction=settings.redaction))
    if metrics:
        from agent.telemetry.metrics import Metrics

        counting = Metrics()
        registry = counting.registry
        observers.append(counting)
    if (names := exporters(settings.traces)) and not lacking(settings.traces):
        from agent.telemetry import sdk
        from agent.telemetry.spans import AGENT, Spans

        provider = sdk.provider(tuple(sdk.processors(names)))
        observers.append(Spans(provider.get_tracer(AGENT), now=now, redaction=settings.redaction))
        close = _closing(provider.force_flush)
    if not observers:
        return Telemetry()
    observer = Several(observers)
    steady().jumped = observer.jumped
    return Telemetry(observer=observer, registry=registry, close=close)


def exporters(traces: Traces | None) -> tuple[str, ...]:
    """Where spans are to go, as OpenTelemetry's variables say; empty: nowhere."""
    if traces is None or traces.disabled:
        return ()
    if traces.exporter is None:
        return ("otlp",) if traces.endpoint else ()
    return tuple(name for name in (n.strip() for n in traces.exporter.split(",")) if name not in ("", "none"))


def lacking(traces: Traces | None) -> tuple[str, ...]:
    """What is not there of what spans need, as it is installed or spelt; nothing is traced then."""
    wanted = exporters(traces)
    if not wanted:
        return ()
    if find_spec("opentelemetry.sdk") is None:
        return ("goalkeeper[otel]",)
    from agent.telemetry.sdk import OTLP, installed

    missing = [name for name in wanted if name not in EXPORTERS]
    if "otlp" in wanted and not any(installed(module) for module in OTLP):
        missing.append("opentelemetry-exporter-otlp-proto-http")
    return tuple(missing)


def _nothing() -> None:
    return


def _closing(flush: Callable[[int], bool]) -> Callable[[], None]:
    def close() -> None:
        flush(CLOSING_MS)

    return close
