"""What is told of a run while it goes on: each event once, and a line of state for the foot of the screen."""

from __future__ import annotations

from collections.abc import Iterator

from agent.documents import RunView, StepView
from agent.doors.plain import changes
from agent.wording import clean, duration, percent, spent
from tools.language import tr

_QUIET = ("run", "pending")
"""Said elsewhere: when it was started, and as a question."""


class Notices:
    """What of a run was told already."""

    def __init__(self) -> None:
        self._told: set[tuple[str, ...]] = set()

    def of(self, view: RunView) -> Iterator[str]:
        """What is new since the last view: steps that have ended, measurements, revisions."""
        for key, line in changes(view):
            begun = key[0] == "step" and key[2] in ("running", "asking")
            if key[0] in _QUIET or begun or (view.id, *key) in self._told:
                continue
            self._told.add((view.id, *key))
            yield line.strip()


def state_line(view: RunView) -> str:
    """The run at a glance: which step, how far, for how much."""
    going = [step for step in view.steps if step.phase == "running"]
    over = sum(step.phase in ("done", "skipped") for step in view.steps)
    words = [tr("run {run}", run=clean(view.id)), f"{over}/{len(view.steps)}"]
    words += [_step(step) for step in going[:2]]
    if view.pending:
        words.append(tr("waits for an answer"))
    words.append(tr("{usd} spent", usd=spent(view.spent_usd, view.budget_usd)))
    words.append(duration(max(0.0, view.now - view.started)))
    return "   ".join(words)


def _step(step: StepView) -> str:
    share = step.progress.fraction if step.progress is not None else None
    return clean(step.id) + (f" {percent(share)}" if share is not None else "")
