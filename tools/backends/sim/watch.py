"""What a simulated world did by itself, by run: its effect log, read from where the last look stood."""

from __future__ import annotations

from tools.backends.sim.gate import Gate, Moment
from tools.fence import run_of
from tools.watching import Seen, Watch

UNHEARD = frozenset({"job.started", "version.spoilt", "lease.stalled"})
"""Events that nobody waits for, or that no platform tells."""
MOST = 2000
"""Effects that one look reads: the next one goes on there."""


class SimWatch(Watch):
    """Events of a simulated world. A cursor is the sequence of the last effect that was read."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def since(self, cursor: str) -> Seen:
        return self._gate.call("watch.since", "", lambda moment: self._since(cursor, moment))

    def _since(self, cursor: str, moment: Moment) -> Seen:
        del moment
        log = self._gate.state.log
        known = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0
        begin = known if known <= len(log) else 0  # of another world
        read = log[begin : begin + MOST]
        runs = dict.fromkeys(run_of(e.token) for e in read if e.by == "world" and e.kind not in UNHEARD)
        return Seen(cursor=str(begin + len(read)), runs=tuple(run for run in runs if run))
