"""The front of a plan: the steps that may begin, and those whose last call was no success, kept as the work goes on."""

from __future__ import annotations

from collections.abc import Callable, Container

from agent.plan import Plan, Step


class Front:
    """The steps of a plan that have not begun, by what they still wait for."""

    def __init__(self, plan: Plan, *, begun: Container[str], done: Callable[[str], bool]) -> None:
        """`begun` and `done`: what the run knows of its steps now."""
        self._place = {step.id: place for place, step in enumerate(plan.steps)}
        self._waits: dict[str, set[str]] = {}
        self._after: dict[str, list[str]] = {}
        self._ready: dict[str, Step] = {}
        self.plan = plan
        for step in plan.steps:
            if step.id not in begun:
                self._wait(step, {need for need in step.needs if not done(need)})

    def _wait(self, step: Step, needs: set[str]) -> None:
        if not needs:
            self._ready[step.id] = step
            return
        self._waits[step.id] = needs
        for need in needs:
            self._after.setdefault(need, []).append(step.id)

    def begin(self, step: str) -> None:
        """A call of that step was judged."""
        self._ready.pop(step, None)
        self._waits.pop(step, None)

    def finish(self, step: str) -> None:
        """The call of that step has succeeded."""
        for later in self._after.pop(step, ()):
            needs = self._waits.get(later)
            if needs is not None:
                needs.discard(step)
                if not needs:
                    del self._waits[later]
                    found = self.plan.step(later)
                    assert found is not None
                    self._ready[later] = found

    def steps(self) -> list[Step]:
        """Those that wait for nothing, in the order of the plan."""
        return sorted(self._ready.values(), key=lambda step: self._place[step.id])
