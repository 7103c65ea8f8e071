"""The one way in for every door: plan a goal, start it, drive it, look at it, decide about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from agent.advance import World
from agent.answering import elsewhere
from agent.approving.approvals import yes_or_no
from agent.book import Book
from agent.brain.protocol import Brain
from agent.clock import Clock, FixedClock, SteadyClock, stamp
from agent.documents import (
    Pending,
    RunDocument,
    RunView,
    Swept,
)
from agent.driving import Driving
from agent.prospect import Request
from agent.record.nudge import Listener
from agent.runs import in_force, said_as
from agent.screen import Screen
from agent.settings import LogForm, Settings
from agent.state import Decided
from agent.stopping import Stopping
from agent.telemetry.opening import open_telemetry
from policies.limits import Limits
from tools.dispatch import Place, clock_of, open_backend, sweep_place
from tools.sweep import Whose

if TYPE_CHECKING:
    from agent.brain.llm.client.asking import Progress

__all__ = ["Request", "Session"]

LOOK_EVERY_S = 0.1
"""How often a waiting foreground run looks at its jobs, at first."""
LONGEST_PAUSE_S = 0.5
MICRO = 1_000_000
Watch = Callable[[RunView], None]
Ask = Callable[[Pending], bool | None]


class Session(Driving):
    """Goals and runs of one home, for one person, on one backend."""

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        consent: Callable[[str], bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
        metrics: bool = False,
        log: LogForm = "off",
    ) -> Self:
        """A session on what the settings name. Nothing is created before something is started.

        `consent`: asks whoever is there whether a model without a known price may be asked. `progress`: hears of its
        answers while they come. `metrics`: count what happens. `log`: where the settings say nothing of it.
        """
        policies = in_force(settings.policies)
        brain = _brain(settings, policies.limits, consent, progress)
        backend = open_backend(_place(settings))
        real: Clock = FixedClock(settings.now) if settings.now is not None else SteadyClock()
        clock = clock_of(backend) or real
        telemetry = open_telemetry(settings, now=clock.now, metrics=metrics, log=log)
        return cls(settings=settings, backend=backend, brain=brain, clock=clock, policies=policies, telemetry=telemetry)

    def sibling(self) -> Self:
        """Another session on the same store and backend, with a brain of its own: one for each thread of a worker.

        It closes nothing; this one is closed last.
        """
        brain = _brain(self._settings, self._policies.limits, None, None)
        other = type(self)(
            settings=self._settings,
            backend=self._backend,
            brain=brain,
            clock=self._clock,
            policies=self._policies,
            telemetry=self.telemetry,
        )
        other._store_, other.lease_s, other._signing = self._store, self.lease_s, self._signing
        other._clocks = self._clocks
        return other

    def drive(
        self, run: str, *, watch: Watch | None = None, ask: Ask | None = None, stopping: Stopping | None = None
    ) -> RunDocument:
        """Operate the run until it is decided, or until it waits for a person and none can be asked.

        An interruption leaves it resumable: KeyboardInterrupt once `stopping` was asked and the step under way is over.
        Busy when another process drives it.
        """
        self._stopping = stopping or self._stopping
        id_ = self._resolve(run)
        self._no_goal(id_)
        if self._fold(id_).report is not None:
            return self.show(id_)
        with self._owned(id_) as book, said_as(book.run), Listener(self._settings.home) as nudged:
            if book.run.report is not None:  # another ended it just now
                book.due = None
                return self.show(id_)
            self._same_place(book)
            screen = Screen(watch, self._clock, self._settings.redaction, self._burn)
            book.watch = screen.journal
            book.status("running")
            book.due = self._clock.now()  # interrupted: a worker goes on
            world = self._world(book)
            while not isinstance(decision := self._activated(world), Decided):
                if self._leaves():
                    raise KeyboardInterrupt
                if decision.for_person and not book.run.live_calls():
                    if self._ask(book, ask, screen):
                        continue
                    book.status("waiting")
                    book.commit()
                    book.due = self._due(book)
                    break
                self._wait(world, screen, nudged)
            else:
                book.due = None
            screen.show(book.run, force=True)
        return self.show(id_)

    def _ask(self, book: Book, ask: Ask | None, screen: Screen) -> bool:
        """Put those of the open questions that are theirs to the person at the door; whether any was answered."""
        run, user, answered = book.run, self._settings.user, False
        for question in [q for q in self._open(run) if q.may_be_answered_by(user)]:
            screen.show(run, force=True)
            said = ask(question) if ask is not None else None
            if said is None:
                break
            if said and (book.clock.now() >= question.expires or elsewhere(self._store.messages(run.id), question)):
                return True  # it is too late, or somebody else was faster: the next round takes that in
            at = max(book.clock.now(), run.last)
            book.add(yes_or_no(question, approve=said, who=user, at=at, uid=os.getuid()))
            answered = True
            if not said:
                break
        book.commit()
        return answered

    def _wait(self, world: World, screen: Screen, nudged: Listener) -> None:
        """Until something that runs has ended, somebody left a message, or it is time to look at everything again."""
        run = world.book.run
        pause = LOOK_EVERY_S
        until = self._due(world.book) or 0.0
        while not self._store.messages(run.id) and not self._leaves():
            for state in run.live_calls():
                if state.handle is None or not screen.follow(state, world.dispatcher):
                    return
            if self._clock.now() > until:
                return
            screen.show(run)
            self._pause(pause, nudged)
            pause = min(pause * 1.2, LONGEST_PAUSE_S)

    def _pause(self, seconds: float, nudged: Listener) -> None:
        """Wait on the clock of the backend; where that is real, a nudge ends it."""
        if clock_of(self._backend) is None:
            nudged.wait(seconds, *([self._stopping] if self._stopping is not None else []))
        else:
            self._clock.sleep(seconds)

    def sweep(
        self,
        *,
        release: bool,
        run: str | None = None,
        owner: str | None = None,
        ending: Callable[[str, str], None] | None = None,
    ) -> tuple[Swept, ...]:
        """What runs own; with `release`, what nobody needs is ended, each told by kind and id to `ending` before."""
        found = sweep_place(
            _place(self._settings),
            release=release,
            now=self._clock.now(),
            whose=Whose(run=run, owner=owner),
            ending=lambda owned: ending(owned.kind, owned.id) if ending is not None else None,
        )
        return tuple(
            Swept(
                kind=f.owned.kind,
                id=f.owned.id,
                run=f.owned.run,
                owner=f.owned.owner,
                lease_until=stamp(f.owned.lease_until),
                detail=f.owned.detail,
                unowned=f.unowned,
                released=f.released,
                failed=f.failed,
            )
            for f in found
        )


def _brain(
    settings: Settings,
    limits: Limits,
    consent: Callable[[str], bool] | None,
    progress: Callable[[Progress], None] | None,
) -> Brain:
    """What understands here. InvalidRequest when no model is named and one is wanted."""
    if settings.brain == "rules":
        from agent.brain.rules.brain import Rules

        return Rules()
    from agent.brain.llm.brain import Llm  # the client of a model is imported by whoever has one

    return Llm.open(settings, limits, consent=consent, progress=progress)


def _place(settings: Settings) -> Place:
    return Place(
        name=settings.backend,
        home=str(settings.home),
        runtime=str(settings.runtime),
        usd_micro_per_hour=round(settings.local_usd_per_hour * MICRO),
        start=settings.now,
    )
