"""The calls of a run, in the order in which they were first judged, and what is asked of them round after round.

What is asked often is kept as the calls move, so that it costs as much as there is to tell and not as long as the run
has been going.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agent.lines import Ended, Verdict
from tools.tool import Call


@dataclass
class CallState:
    """One call as the journal has it."""

    verdict: Verdict
    phase: Literal["held", "refused", "approved", "intended", "running", "done", "failed"]
    handle: str | None = None
    ended: Ended | None = None
    started_at: float | None = None
    ended_at: float | None = None
    intended_seq: int | None = None
    """Where its intent stands in the journal: nothing is performed before that line is stored."""
    holds: bool = False
    """Its reservation is open although it is over: what it made goes on."""
    settled_micro: int | None = None
    """What it cost, once that is known."""
    seq: int = 0
    place: int = 0
    """Among the calls of its run, by when it was first judged."""

    @property
    def call(self) -> Call:
        return self.verdict.call

    @property
    def live(self) -> bool:
        """The backend may hold something for it that is not settled."""
        return self.phase in ("intended", "running")

    @property
    def committed_micro(self) -> int:
        """What it cost, or may still cost."""
        return self.verdict.reserve_micro if self.settled_micro is None else self.settled_micro


class Calls(dict[str, CallState]):
    """Every call by its id."""

    def __init__(self) -> None:
        super().__init__()
        self._live: set[str] = set()
        self._holding: set[str] = set()
        self._granted: set[str] = set()
        self._steps: dict[str, set[str]] = {}
        self._tools: dict[str, set[str]] = {}

    def judged(self, state: CallState) -> None:
        """A call was judged, for the first time or anew."""
        id_, before = state.call.id, self.get(state.call.id)
        state.place = len(self) if before is None else before.place
        if before is not None:
            self._tools[before.call.tool].discard(id_)
        self[id_] = state
        self._steps.setdefault(state.call.step, set()).add(id_)
        self._tools.setdefault(state.call.tool, set()).add(id_)
        _keep(self._granted, id_, bool(state.verdict.grants) and state.verdict.ruling == "approved")
        self.moved(state)

    def moved(self, state: CallState) -> None:
        """The phase of a call, or what it holds, has changed."""
        _keep(self._live, state.call.id, state.live)
        _keep(self._holding, state.call.id, state.holds)

    @property
    def live(self) -> list[CallState]:
        """Calls that the backend may hold something for which is not settled."""
        return self._in_order(self._live)

    @property
    def holding(self) -> list[CallState]:
        """Calls that are over and whose reservations are open."""
        return self._in_order(self._holding)

    @property
    def granted(self) -> list[CallState]:
        """Calls that somebody's yes let pass."""
        return self._in_order(self._granted)

    def of_step(self, step: str) -> list[CallState]:
        return self._in_order(self._steps.get(step, ()))

    def by(self, *tools: str) -> list[CallState]:
        """Calls of these tools."""
        return self._in_order(id_ for tool in tools for id_ in self._tools.get(tool, ()))

    def _in_order(self, ids: Iterable[str]) -> list[CallState]:
        return sorted((self[id_] for id_ in ids), key=_place)


def _place(state: CallState) -> int:
    return state.place


def _keep(ids: set[str], id_: str, wanted: bool) -> None:
    if wanted:
        ids.add(id_)
    else:
        ids.discard(id_)
