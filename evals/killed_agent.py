"""`python -m evals.killed_agent FOLDER HOLD`: drives the run `run` of a store until it starts a call, or is killed.

Says on stdout when its imports were done and when it starts a call: JSON with seconds of the machine's monotonic clock.
With HOLD above 0 it goes on and stays in the call of that number, whose intent is stored and whose outcome is not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import agent.session  # noqa: F401 - all that a process imports which drives runs
from agent.graph import activate
from agent.record.owner import me
from agent.record.store import Store
from agent.state import Decided
from evals.bench_agent import opened
from tools.dispatch import Dispatcher
from tools.tool import Call, Outcome

STAY_S = 600.0
"""Longer than whoever kills it waits."""


class Told(Dispatcher):
    """Says when it starts a call; with `hold` it stays in the one of that number."""

    hold = 0
    started = 0

    def start(self, call: Call) -> Outcome:
        self.started += 1
        if self.started >= max(1, self.hold):
            _say("started", call=call.id)
            if not self.hold:
                sys.exit(0)
            time.sleep(STAY_S)
        return super().start(call)


def main(argv: Sequence[str]) -> int:
    """Drive it; the exit code."""
    _say("imported")
    folder, Told.hold = Path(argv[0]), int(argv[1])
    with closing(Store(folder / "runs.db")) as store:
        world = opened(store, "run", owner=me(), by=Told)
        activate(world, revise=_never, finish=lambda _: world.book.commit())
    return 1


def _never(decision: Decided) -> None:
    raise RuntimeError(f"nothing of this run is revised: {decision.why}")


def _say(what: str, **more: str) -> None:
    print(json.dumps({what: time.monotonic(), **more}), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
