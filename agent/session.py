"""The one way in for every door: plan a goal, start it, drive it, look at it, decide about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent import accounts, act, markdown
from agent.advance import World
from agent.answering import elsewhere
from agent.approving.approvals import overtaken, yes_or_no
from agent.book import Book
from agent.brain.protocol import Brain
from agent.clock import Clock, FixedClock, WallClock, stamp
from agent.consulting import taken_over
from agent.conversing import Conversing
from agent.decide import wound_down
from agent.documents import (
    Pending,
    RunDocument,
    RunReport,
    RunView,
    Status,
    Swept,
)
from agent.errors import Fault, InvalidRequest
from agent.memory import outcomes
from agent.pages import page
from agent.prospect import Request
from agent.revise import revise
from agent.runs import document, in_force, said_as
from agent.screen import Screen
from agent.settings import Settings
from agent.state import Decided, Finished, Run
from agent.wording import outside
from policies.limits import Limits
from tools.dispatch import Dispatcher, Place, clock_of, open_backend, sweep_place
from tools.language import tr
from tools.sweep import Whose

if TYPE_CHECKING:
    from agent.brain.llm.client.asking import Progress

__all__ = ["Request", "Session"]

LOOK_EVERY_S = 0.1
"""How often a waiting foreground run looks at its jobs, at first."""
LONGEST_PAUSE_S = 0.5
LONGEST_WAIT_S = 60.0
"""How long it waits for anything to end before it asks whether something is overdue."""
MICRO = 1_000_000
Watch = Callable[[RunView], None]
Ask = Callable[[Pending], bool | None]


class Session(Conversing):
    """Goals and runs of one home, for one person, on one backend."""

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        consent: Callable[[str], bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Session:
        """A session on what the settings name. Nothing is created before something is started.

        `consent`: asks whoever is there whether a model without a known price may be asked. `progress`: hears of its
        answers while they come.
        """
        policies = in_force(settings.policies)
        brain = _brain(settings, policies.limits, consent, progress)
        backend = open_backend(_place(settings))
        clock: Clock = FixedClock(settings.now) if settings.now is not None else WallClock()
        return cls(settings=settings, backend=backend, brain=brain, clock=clock_of(backend) or clock, policies=policies)

    def drive(self, run: str, *, watch: Watch | None = None, ask: Ask | None = None) -> RunDocument:
        """Operate the run until it is decided, or until it waits for a person and none can be asked.

        An interruption leaves it resumable. Busy when another process drives it.
        """
        id_ = self._resolve(run)
        if self._fold(id_).report is not None:
            return self.show(id_)
        self._same_place(id_)
        from agent.graph import activate  # LangGraph takes a second to import: only who drives pays for it

        with self._owned(id_) as book, said_as(book.run):
            self._brain.draws_on(self._account(id_, planned=True))
            screen = Screen(watch, self._clock, self._settings.redaction, self._burn)
            book.watch = screen.journal
            world = self._world(book)
            book.status("running")
            while True:
                decision = activate(
                    world, revise=lambda d: self._revise(book, d), finish=lambda d: self._finish(book, d)
                )
                if isinstance(decision, Decided):
                    break
                self._signing.sign(book, "reached")
                if decision.for_person and not book.run.live_calls():
                    if self._ask(book, ask, screen):
                        continue
                    book.status("waiting")
                    book.commit()
                    break
                self._wait(world, screen)
            screen.show(book.run, force=True)
        return self.show(id_)

    def _same_place(self, run: str) -> None:
        """A run goes on where it began: its jobs and endpoints are there. InvalidRequest elsewhere."""
        state, settings = self._fold(run), self._settings
        if (stated := state.stated) is None:
            return
        with said_as(state):
            for what, then, now in (
                (tr("backend"), stated.backend, settings.backend),
                (tr("runtime folder"), stated.runtime, str(settings.runtime)),
            ):
                if then != now:
                    fault = tr("it began with the {what} {then}, and this is {now}", what=what, then=then, now=now)
                    raise InvalidRequest(Fault(place=run, what=fault, fix=tr("go on with that one")))

    def _world(self, book: Book) -> World:
        def approved(call: str) -> str | None:
            state = book.run.calls.get(call)
            stored = state is not None and state.intended_seq is not None and state.intended_seq <= book.stored
            return state.call.digest if state is not None and stored and state.verdict.ruling == "approved" else None

        return World(
            book=book,
            store=self._store,
            dispatcher=Dispatcher(self._backend, approved=approved, now=self._clock.now),
            policies=self._policies,
            clock=self._clock,
            brain=self._brain,
            amend=lambda message: self._amend(book, message, self._terms(book.run)),
        )

    def _revise(self, book: Book, decision: Decided) -> None:
        """The plan's next version, when the decision asks for one; both are one commit."""
        revised = revise(
            book.run,
            decision,
            brain=self._brain,
            policies=self._policies,
            purse=book.purse(),
            terms=self._terms(book.run),
            read=self._read,
        )
        for line in taken_over(self._brain.consulted(), revised.instead if revised is not None else ""):
            book.add(line)
        if revised is not None:
            for record in (*revised.looked, revised.planned):
                book.add(record)
        book.commit()

    def _finish(self, book: Book, decision: Decided) -> None:
        """The report, as Markdown beside the journal and as the journal's last line."""
        run = book.run
        world = self._world(book)
        for settled in accounts.closing(run, self._clock.now()):
            book.add(settled)
        for question in list(run.pending.values()):
            book.add(overtaken(question))
        act.put_away(tuple(run.calls.values()), world.dispatcher)
        book.commit()  # the report reads what was spent from the store
        status: Status = "cancelled" if any(d.action == "cancel" for d in run.decisions) else "done"
        folder = self._settings.home / "runs" / run.id
        report = self._compose(run, status=status, decided=decision, path=str(folder / "report.md"))
        self._publish(run, report, folder)
        if problem := self._mirrored(run, report):
            report = report.model_copy(update={"findings": (*report.findings, problem)})
            self._publish(run, report, folder)
        book.add(Finished(report=report))
        book.status(report.status)
        book.commit()
        learnt = [(past.call, past.model_dump(mode="json")) for past in outcomes(run)]
        self._store.remember(run.id, learnt, at=run.last)

    def _publish(self, run: Run, report: RunReport, folder: Path) -> None:
        """The report as people pass it on."""
        folder.mkdir(parents=True, exist_ok=True)
        told = self._settings.redaction.record(document(run, report))
        (folder / "report.md").write_text(markdown.render(told), encoding="utf-8")
        (folder / "report.html").write_text(page.render(told), encoding="utf-8")

    def _mirrored(self, run: Run, report: RunReport) -> str:
        """Copy the run to the tracking server, when one is set; what went wrong, which changes nothing else."""
        settings = self._settings
        if settings.tracking_uri is None:
            return ""
        from agent.tracking.mirror import mirror
        from agent.tracking.mlflow import Client, Credentials, TrackingError

        credentials = Credentials(
            user=settings.tracking_user, password=settings.tracking_password, token=settings.tracking_token
        )
        try:
            client = Client(settings.tracking_uri, credentials, redaction=settings.redaction)
            mirror(run, report, client, files=self._pages(run.id))
        except TrackingError as error:
            said = settings.redaction.text(outside(str(error)))
            return tr("the run was not mirrored to MLflow: {error}", error=said)
        return ""

    def _pages(self, run: str) -> dict[str, Path]:
        """What is shown of a run to people: no rows."""
        folder = self._settings.home / "runs" / run
        return {path.name: path for path in sorted(folder.glob("report.*"))}

    def _ask(self, book: Book, ask: Ask | None, screen: Screen) -> bool:
        """Put those of the open questions that are theirs to the person at the door; whether any was answered."""
        run, user, answered = book.run, self._settings.user, False
        for question in [q for q in self._open(run) if q.may_be_answered_by(user)]:
            screen.show(run, force=True)
            said = ask(question) if ask is not None else None
            if said is None:
                break
            if said and (self._clock.now() >= question.expires or elsewhere(self._store.messages(run.id), question)):
                return True  # it is too late, or somebody else was faster: the next round takes that in
            at = max(self._clock.now(), run.last)
            book.add(yes_or_no(question, approve=said, who=user, at=at, uid=os.getuid()))
            answered = True
            if not said:
                break
        book.commit()
        return answered

    def _wait(self, world: World, screen: Screen) -> None:
        """Until something that runs has ended, somebody left a message, or it is time to look at everything again."""
        run = world.book.run
        pause = LOOK_EVERY_S
        until = self._until(run)
        while not self._store.messages(run.id):
            for state in run.live_calls():
                if state.handle is None or not screen.follow(state, world.dispatcher):
                    return
            if self._clock.now() > until:
                return
            screen.show(run)
            self._clock.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE_S)

    def _until(self, run: Run) -> float:
        """When a decision may be due although nothing has ended."""
        now = self._clock.now()
        if wound_down(run) is not None:
            return now
        deadline = run.contract.deadline_s if run.contract is not None else None
        return now + LONGEST_WAIT_S if deadline is None else min(now + LONGEST_WAIT_S, run.started + deadline)

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
