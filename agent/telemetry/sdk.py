"""OpenTelemetry's SDK, where it is installed: its provider with our ids, and the exporters that its variables name."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

from agent.telemetry.spans import AGENT, wanted

OTLP = ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.exporter.otlp.proto.grpc")


class RunIds(IdGenerator):
    """The ids that a run's spans are to have; any for the others."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def generate_trace_id(self) -> int:
        ids = wanted.get()
        return ids[0] if ids is not None else self._random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        ids = wanted.get()
        return ids[1] if ids is not None else self._random.getrandbits(64) or 1


def provider(processors: Sequence[SpanProcessor]) -> TracerProvider:
    """A provider of ours, not the process's: nothing else is traced through it."""
    resource = Resource({SERVICE_NAME: AGENT}).merge(OTELResourceDetector().detect())
    made = TracerProvider(resource=resource, id_generator=RunIds())
    for processor in processors:
        made.add_span_processor(processor)
    return made


def processors(exporters: Sequence[str]) -> Iterator[SpanProcessor]:
    """One for each exporter that there is; `agent.telemetry.opening.lacking` says which there are not."""
    for name in exporters:
        if name == "console":
            yield SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr))
        elif name == "otlp" and (exporter := _otlp()) is not None:
            yield BatchSpanProcessor(exporter)


def _otlp() -> SpanExporter | None:
    """OpenTelemetry's own exporter, which reads the rest of its variables itself; None where it is not installed."""
    from importlib import import_module

    for module in OTLP:
        if installed(module):
            made: SpanExporter = import_module(f"{module}.trace_exporter").OTLPSpanExporter()
            return made
    return None


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
