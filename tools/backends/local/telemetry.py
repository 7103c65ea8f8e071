"""Latency, errors and agreement of a version, exact, from what the router of its endpoint measured."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple
from urllib.parse import quote

from pydantic import ValidationError

from tools import latency
from tools.backends.local.endpoint_records import VERSION_NAME
from tools.backends.local.router_tally import COPIES
from tools.backends.local.serving_client import Control
from tools.errors import NotFound, Transient, Unknown
from tools.inputs import Inputs
from tools.language import tr
from tools.ports import Agreement, Telemetry, Traffic


class _Read(NamedTuple):
    """What the router gave: numbers of a span."""

    since: float
    until: float
    numbers: array[float]
    waiting: int
    """Copies that are on their way now."""


class LocalTelemetry(Telemetry):
    """Asks the router for its samples and counts here, so that counting never delays a request."""

    def __init__(self, *, runtime: Path) -> None:
        self._runtime = runtime

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        """What was answered at or after `since`, without the first `skip` requests of that span.

        `Traffic.since` is later than asked for when the router no longer keeps samples that old.
        """
        read = self._read(endpoint, version, "samples", since)
        return latency.traffic(version, read.since, read.until, read.numbers[max(0, skip) :], thresholds_ms)

    def agreement(self, endpoint: str, *, version: str, since: float) -> Agreement:
        """What was compared at or after `since`; all zero for a version that was no shadow then."""
        read = self._read(endpoint, version, "comparisons", since)
        return agreement(version, read.numbers, waiting=read.waiting)

    def inputs(self, endpoint: str, *, version: str, since: float, until: float | None = None) -> Inputs:
        """What the router counted of requests and answers. A host that is older than counting watches nothing."""
        if not VERSION_NAME.fullmatch(version):
            raise NotFound(
                tr("endpoint {endpoint} has measured no version {version}", endpoint=endpoint, version=version)
            )
        ends = "" if until is None else f"&until={until!r}"
        path = f"/versions/{quote(version, safe='')}/inputs?since={since!r}{ends}"
        try:
            return Inputs.model_validate_json(Control(self._runtime, endpoint).ask("GET", path).body)
        except Unknown:  # it does not know the question
            return Inputs(version=version, since=since, until=since, rows=0, watched=False)
        except ValidationError as error:
            raise Transient(
                tr(
                    "the router of endpoint {endpoint} gave {what} that cannot be read",
                    endpoint=endpoint,
                    what="inputs",
                )
            ) from error

    def _read(self, endpoint: str, version: str, what: Literal["samples", "comparisons"], since: float) -> _Read:
        path = f"/versions/{quote(version, safe='')}/{what}?since={since!r}"
        answer = Control(self._runtime, endpoint).ask("GET", path)
        try:
            start, until = float(answer.headers["x-since"]), float(answer.headers["x-until"])
            return _Read(start, until, array("d", answer.body), int(answer.headers["x-waiting"]))
        except (KeyError, ValueError) as error:
            raise Transient(
                tr("the router of endpoint {endpoint} gave {what} that cannot be read", endpoint=endpoint, what=what)
            ) from error


def agreement(version: str, pairs: Sequence[float], *, waiting: int = 0) -> Agreement:
    """Counts of comparisons, which come as pairs: the place of the outcome in `COPIES`, and the difference or NaN."""
    counts = Counter(COPIES[int(place)] for place in pairs[::2])
    differences = [apart for apart in pairs[1::2] if not math.isnan(apart)]
    return Agreement(
        version=version,
        compared=counts["agreed"] + counts["differed"],
        agreed=counts["agreed"],
        unanswered=counts["unanswered"],
        dropped=counts["dropped"],
        waiting=waiting,
        difference=fmean(differences) if differences else None,
    )
