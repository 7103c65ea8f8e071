"""One pass over a run, from a wake-up until it waits or has ended, by whoever drives it."""

from __future__ import annotations

from pathlib import Path

from agent import accounts, act, markdown
from agent.advance import Wait, World
from agent.approving.approvals import overtaken
from agent.book import Book
from agent.consulting import taken_over
from agent.decide import wound_down
from agent.documents import RunReport, Status
from agent.keeping import Keeping
from agent.memory import outcomes
from agent.pages import page
from agent.record.claims import ENDED
from agent.record.nudge import nudge, worked
from agent.record.rows import RunRow
from agent.revise import revise
from agent.runs import command, document, said_as
from agent.state import Decided, Finished, Run
from agent.wording import outside
from tools.dispatch import Dispatcher
from tools.language import tr
from tools.record import Record

LOOK_AGAIN_S = 60.0
"""How long a run whose work goes on is left alone when nothing is heard of it."""
WINDING_S = 0.5
"""The same while it winds down."""


class Suspended(Record):
    """What a wake-up came to."""

    run: str
    ended: bool
    due: float | None = None
    """Epoch seconds, on the run's clock, at which it is to be looked at again; None: only a message wakes it."""
    waits: bool = False
    """For a person."""


class Driving(Keeping):
    """Runs of one home, operated."""

    def wake(self, run: str, row: RunRow | None = None) -> Suspended:
        """Look at the run now, do what can be done, and leave it to its row. Busy when another process drives it.

        `row`: as it was read just now. A wake-up that comes twice, late or for nothing changes nothing.
        """
        row = row or self._store.row(run)
        if row.status in ENDED:
            return Suspended(run=run, ended=True)
        if row.kind == "standing":
            seen = self._look_after(run, row)
            return Suspended(run=run, ended=seen.ended, due=seen.due, waits=seen.waits)
        with self._owned(run, row) as book, said_as(book.run):
            if book.run.report is not None:  # since its row was read
                book.due = None
                return Suspended(run=run, ended=True)
            self._same_place(book)
            decision = self._activated(self._world(book))
            if isinstance(decision, Decided):
                book.due = None
                return Suspended(run=run, ended=True)
            if self._leaves():
                book.due = self._clock.now()
                return Suspended(run=run, ended=False, due=book.due)
            waits = decision.for_person and not book.run.live_calls()
            if row.status != (status := _status(waits)):
                book.status(status)
                book.commit()
            book.due = self._due(book)
            return Suspended(run=run, ended=False, due=book.due, waits=waits)

    def leave(self, run: str) -> str:
        """Leave a run that nobody drives to whatever worker there is; what will carry it out."""
        id_ = self._resolve(run)
        self._store.wake(id_, at=self._clock.now())
        nudge(self._settings.home, id_)
        with said_as(self._fold(id_)):
            if worked(self._settings.home):
                return tr("{run} is begun: the worker that drives this home carries it out.", run=id_)
            program = command(self._settings)
            return tr("{run} is begun: `{worker}` carries it out.", run=id_, worker=f"{program} worker")

    def _activated(self, world: World) -> Decided | Wait:
        """One activation."""
        book = world.book
        from agent.graph import activate  # LangGraph takes a second to import: only who drives pays for it

        self._brain.draws_on(self._account(book.run.id, planned=True))
        with self._observer.activation(book.run.id, epoch=book.epoch) as activation:
            decision = activate(world, revise=lambda d: self._revise(book, d), finish=lambda d: self._finish(world, d))
            activation.outcome = "ended" if isinstance(decision, Decided) else "stopped" if self._leaves() else "waits"
        if isinstance(decision, Wait):
            self._signing.sign(book, "reached")
        return decision

    def _leaves(self) -> bool:
        """This process was asked to stop."""
        return self._stopping is not None and self._stopping.asked

    def _due(self, book: Book) -> float | None:
        """When a decision may be due although nothing is heard of what the run waits for, on this session's clock."""
        run, now, times = book.run, book.clock.now(), [q.expires for q in book.run.pending.values()]
        if run.live_calls():
            times.append(now + (WINDING_S if wound_down(run) is not None else LOOK_AGAIN_S))
        if run.contract is not None and run.contract.deadline_s is not None:
            times.append(run.started + run.contract.deadline_s)
        return max(now, min(times)) - (now - self._clock.now()) if times else None

    def _world(self, book: Book) -> World:
        def approved(call: str) -> str | None:
            state = book.run.calls.get(call)
            stored = state is not None and state.intended_seq is not None and state.intended_seq <= book.stored
            return state.call.digest if state is not None and stored and state.verdict.ruling == "approved" else None

        return World(
            book=book,
            store=self._store,
            dispatcher=Dispatcher(
                self._backend,
                approved=approved,
                now=self._clock.now,
                epoch=book.epoch,
                current=lambda: self._store.holds(book.run.id, epoch=book.epoch),
            ),
            policies=self._policies,
            clock=book.clock,
            brain=self._brain,
            amend=lambda message: self._amend(book, message, self._terms(book.run)),
            stopping=self._leaves,
            taken=book.taken,
        )

    def _revise(self, book: Book, decision: Decided) -> None:
        """The plan's next version, when the decision asks for one; both are one commit."""
        with self._observer.planning(book.run.id):
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

    def _finish(self, world: World, decision: Decided) -> None:
        """The report, as Markdown beside the journal and as the journal's last line."""
        book, run = world.book, world.book.run
        for settled in accounts.closing(run, book.clock.now()):
            book.add(settled)
        for question in list(run.pending.values()):
            book.add(overtaken(question))
        act.put_away(tuple(run.calls.values()), world.dispatcher)
        book.commit()  # the report reads what was spent from the store
        status: Status = "cancelled" if any(d.action == "cancel" for d in run.decisions) else "done"
        self._hand_over(run)
        folder = self._settings.home / "runs" / run.id
        report = self._compose(run, status=status, decided=decision, path=str(folder / "report.md"))
        self._publish(run, report, folder)
        if problem := self._mirrored(run, report):
            report = report.model_copy(update={"findings": (*report.findings, problem)})
            self._publish(run, report, folder)
        book.add(Finished(report=report))
        book.status(report.status)
        book.commit()
        self._came_home(run)
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
        if settings.tracking is None:
            return ""
        from agent.tracking.mirror import mirror
        from agent.tracking.mlflow import Client, Credentials, TrackingError

        credentials = Credentials(
            user=settings.tracking.user, password=settings.tracking.password, token=settings.tracking.token
        )
        try:
            client = Client(settings.tracking.uri, credentials, redaction=settings.redaction)
            mirror(run, report, client, files=self._pages(run.id))
        except TrackingError as error:
            said = settings.redaction.text(outside(str(error)))
            return tr("the run was not mirrored to MLflow: {error}", error=said)
        return ""

    def _pages(self, run: str) -> dict[str, Path]:
        """What is shown of a run to people: no rows."""
        folder = self._settings.home / "runs" / run
        return {path.name: path for path in sorted(folder.glob("report.*"))}


def _status(waits: bool) -> Status:
    return "waiting" if waits else "running"
