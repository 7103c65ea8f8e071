"""What callers send and are told, counted in the bins of the model's reference, and never in their way.

A request costs its caller one place in a bounded queue. Counting takes at most a fifth of the process's time and half a
millisecond at once; what does not fit is not looked at, and the counts say that they are a sample.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.backends.local.router_slots import Slot, Slots, total
from tools.inputs import Binned, Inputs
from tools.recipes.binning import Unbinnable, placer
from tools.recipes.reference import PREDICTION, Reference, read

QUEUE_MOST = 512
BYTES_MOST = 16 * 1024 * 1024
"""Of requests and answers that wait to be counted."""
BODY_MOST = 1024 * 1024
"""Bytes of a request and its answer beyond which they are not taken apart: that could not be interrupted."""
LARGE = 64 * 1024
"""Bytes from which on they are taken apart beside the requests of others, not between them."""
BURST_S = 0.0005
REST = 4.0
"""Times as long as it has worked, counting rests."""
SETTLED_WITHIN_S = 2.0
"""How long a read waits for what is not counted yet; it is counted in the next span then."""
CHUNK = 256
"""Values that are put in bins before others get their turn."""


class Watched:
    """One version: its reference and its counts. The reference is read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: tuple[Reference | None] | None = None
        self.placers: Sequence[Callable[[object], int]] = ()
        """One for each sketch of the reference."""
        self._slots: Slots | None = None
        self._began = time.time()
        self.dropped = 0
        """Requests that were not queued since the last was counted."""

    @property
    def blind(self) -> bool:
        """There is known to be nothing to count by."""
        return self._known == (None,)

    async def reference(self) -> Reference | None:
        if self._known is None:
            found = await asyncio.to_thread(read, self._folder)
            self._known = (found,)
            self.placers = [placer(bins) for bins in found.sketches] if found is not None else ()
        return self._known[0]

    def slot(self, cells: int) -> Slot:
        """The slot to count into now."""
        if self._slots is None:
            self._slots = Slots(cells, began=self._began)
        slot = self._slots.at(time.time())
        slot.requests, slot.unread = slot.requests + self.dropped, slot.unread + self.dropped
        self.dropped = 0
        return slot

    async def inputs(self, version: str, *, since: float, until: float | None) -> Inputs:
        """The counts of a span; read up to now, the next span can begin where this one ends."""
        reference = await self.reference()
        if reference is None:
            return Inputs(version=version, since=since, until=since, rows=0, watched=False)
        cells = sum(bins.size for bins in reference.sketches)
        self.slot(cells)  # what was dropped so far belongs to what is read
        assert self._slots is not None
        now = self._slots.cut(time.time())
        begins, slots = self._slots.span(since, now if until is None else min(until, now))
        ends = now if until is None else slots[-1].ended if slots else begins
        whole = await asyncio.to_thread(total, slots, cells)
        return _inputs(version, reference, whole, since=begins, until=max(begins, ends))


class Seen(NamedTuple):
    """One answered request."""

    watched: Watched
    body: bytes
    answer: bytes

    @property
    def size(self) -> int:
        return len(self.body) + len(self.answer)


class Watching:
    """What waits to be counted, for all versions of an endpoint."""

    def __init__(
        self,
        *,
        queue_most: int = QUEUE_MOST,
        bytes_most: int = BYTES_MOST,
        settled_within_s: float = SETTLED_WITHIN_S,
    ) -> None:
        self.versions: dict[str, Watched] = {}
        self._queue: deque[Seen] = deque()
        self._queue_most = queue_most
        self._bytes_most = bytes_most
        self._settled_within_s = settled_within_s
        self._bytes = 0
        self._hurried = 0
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def note(self, version: str, body: bytes, answer: bytes) -> None:
        """A request that was answered; returns at once."""
        watched = self.versions.get(version)
        if watched is None or watched.blind:
            return
        seen = Seen(watched, body, answer)
        if seen.size > BODY_MOST or len(self._queue) >= self._queue_most or self._bytes + seen.size > self._bytes_most:
            watched.dropped += 1
            return
        self._queue.append(seen)
        self._bytes += seen.size
        self._filled.set()
        self._idle.clear()
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def inputs(self, version: str, *, since: float, until: float | None) -> Inputs:
        """The counts of a version that is known, after what waits has been counted, if that is soon."""
        self._hurried += 1
        try:
            async with asyncio.timeout(self._settled_within_s):
                await self._idle.wait()
        except TimeoutError:
            pass  # what is not counted yet is counted in the next span
        finally:
            self._hurried -= 1
        return await self.versions[version].inputs(version, since=since, until=until)

    async def close(self) -> None:
        """End counting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while True:
            await self._filled.wait()
            began = time.perf_counter()
            while self._queue and time.perf_counter() - began < BURST_S:
                seen = self._queue.popleft()
                self._bytes -= seen.size
                await _count(seen)
            if not self._queue:
                self._filled.clear()
                self._idle.set()
            worked = time.perf_counter() - began
            await asyncio.sleep(0.0 if self._hurried else worked * REST)


async def _count(seen: Seen) -> None:
    """Count one request, as read or as unread. Whatever it holds, counting goes on with the next."""
    reference = await seen.watched.reference()
    if reference is None:
        return
    try:
        found = await _found(reference, seen)
    except Exception:  # noqa: BLE001 - bodies come from outside; one that nobody thought of must not end the counting
        found = None
    slot = seen.watched.slot(sum(bins.size for bins in reference.sketches))
    slot.requests += 1
    if found is None:
        slot.unread += 1
    elif found.places is None:
        slot.unbinned += found.rows
    else:
        slot.rows += found.rows
        for place in found.places:
            slot.cells[place] += 1


class Found(NamedTuple):
    """The rows of one request, and the cells they fall into; None where a value fits no bin."""

    rows: int
    places: list[int] | None


async def _found(reference: Reference, seen: Seen) -> Found | None:
    """None for what is no request of the protocol."""
    large = seen.size >= LARGE
    asked, told = await asyncio.to_thread(_parsed, seen) if large else _parsed(seen)
    given = _tensors(asked, "inputs")
    if not given:
        return None
    rows = max(map(len, given.values()))
    places: list[int] = []
    first = 0
    placers = seen.watched.placers
    for bins, place in zip(reference.features, placers, strict=False):
        values = given.get(bins.name)
        if values is None or len(values) != rows or not await _place(places, place, values, first):
            return Found(rows, None)
        first += bins.size
    answers = _tensors(told, "outputs").get(PREDICTION)
    if reference.prediction is not None and answers is not None and len(answers) == rows:
        await _place(places, placers[-1], answers, first)
    return Found(rows, places)


async def _place(places: list[int], bin_of: Callable[[object], int], values: Sequence[object], first: int) -> bool:
    """Add the cells of these values; False, and nothing is added, where one fits no bin."""
    made: list[int] = []
    try:
        for start in range(0, len(values), CHUNK):
            made += (first + bin_of(value) for value in values[start : start + CHUNK])
            if len(values) > CHUNK:
                await asyncio.sleep(0)
    except Unbinnable:
        return False
    places += made
    return True


def _parsed(seen: Seen) -> tuple[Any, Any]:
    return json.loads(seen.body), json.loads(seen.answer)


def _tensors(document: Any, name: str) -> Mapping[str, Sequence[object]]:
    """Tensor name → its flat values; what is no tensor is left out."""
    tensors = document.get(name) if isinstance(document, dict) else None
    return {
        tensor["name"]: tensor["data"]
        for tensor in (tensors if isinstance(tensors, list) else ())
        if isinstance(tensor, dict) and isinstance(tensor.get("name"), str) and isinstance(tensor.get("data"), list)
    }


def _inputs(version: str, reference: Reference, whole: Slot, *, since: float, until: float) -> Inputs:
    made, first = [], 0
    for bins in reference.sketches:
        served = tuple(whole.cells[first : first + bins.size])
        made.append(Binned(name=bins.name, of=bins.of, reference=bins.counts, served=served))
        first += bins.size
    return Inputs(
        version=version,
        since=since,
        until=until,
        rows=whole.rows,
        unbinned=whole.unbinned,
        requests=whole.requests,
        unread=whole.unread,
        watched=True,
        features=tuple(made[: len(reference.features)]),
        predictions=made[-1] if reference.prediction is not None else None,
        unwatched=reference.unwatched,
    )
