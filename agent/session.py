"""The one way in for every door: plan a goal, start it, drive it, look at it, decide about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread

from agent import accounts, act, markdown, orders
from agent.advance import World
from agent.answering import elsewhere
from agent.approvals import overtaken, yes_or_no
from agent.book import Book
from agent.brain.protocol import Terms
from agent.brain.rules.planning.propose import propose
from agent.clock import Clock, FixedClock, WallClock, stamp
from agent.contract import Contract
from agent.decide import wound_down
from agent.documents import (
    Pending,
    PlanDocument,
    RunDocument,
    RunReport,
    RunView,
    Status,
    Swept,
)
from agent.errors import Fault, InvalidRequest
from agent.owned import owned
from agent.pages import page
from agent.plan import Plan
from agent.prospect import Desk, Prospect, Request, ordered, prospect, unreadable
from agent.record.ledger import Cap, Purse, allowed
from agent.revise import revise
from agent.runs import Runs, document, in_force, said_as
from agent.screen import Screen
from agent.settings import Settings
from agent.state import Decided, Finished, Run
from agent.survey import Survey, survey
from agent.wording import outside
from tools.dispatch import Dispatcher, Place, clock_of, open_backend, sweep_place
from tools.language import language_of, speaking, tr
from tools.sweep import Whose

__all__ = ["Request", "Session"]

LOOK_EVERY_S = 0.1
"""How often a waiting foreground run looks at its jobs, at first."""
LONGEST_PAUSE_S = 0.5
LONGEST_WAIT_S = 60.0
"""How long it waits for anything to end before it asks whether something is overdue."""
MICRO = 1_000_000
Watch = Callable[[RunView], None]
Ask = Callable[[Pending], bool | None]


class Session(Runs):
    """Goals and runs of one home, for one person, on one backend."""

    @classmethod
    def open(cls, settings: Settings) -> Session:
        """A session on what the settings name. Nothing is created before something is started."""
        from agent.brain.rules.brain import Rules

        backend = open_backend(_place(settings))
        clock: Clock = FixedClock(settings.now) if settings.now is not None else WallClock()
        return cls(
            settings=settings,
            backend=backend,
            brain=Rules(),
            clock=clock_of(backend) or clock,
            policies=in_force(settings.policies),
        )

    def plan(self, request: Request) -> PlanDocument:
        """Contract, plan, approvals and feasibility: no effect. InvalidRequest for contradictions."""
        return self._prospect(request).document()

    def start(self, request: Request) -> str:
        """A new run's id. InvalidRequest when data cannot be used; then nothing is left behind."""
        found = self._prospect(request)
        if faults := unreadable(found):
            raise InvalidRequest(*faults)
        return self._begin(found)

    def stop(self, endpoint: str, *, accept: bool = False) -> str:
        """A new run that ends an endpoint; its id. InvalidRequest when there is no such endpoint."""
        order = orders.stop(endpoint, read=self._read, at=self._clock.now())
        return self._order(f"stop {endpoint}", order, accept)

    def extend(self, endpoint: str, *, for_s: float, accept: bool = False) -> str:
        """A new run that lets an endpoint live for that long from now on; its id."""
        order = orders.extend(endpoint, for_s=for_s, owner=self._settings.user, read=self._read, at=self._clock.now())
        return self._order(f"extend {endpoint} for {for_s:g} s", order, accept)

    def rollback(self, endpoint: str, *, to: str | None = None, accept: bool = False) -> str:
        """A new run that gives an endpoint back to a version, or to what it was left with before; its id."""
        where = f" to {to}" if to else ""
        return self._planned(f"roll back {endpoint}{where}", orders.rollback(endpoint, to=to), accept)

    def scale(self, endpoint: str, *, replicas: int, accept: bool = False) -> str:
        """A new run that sets the number of an endpoint's servers; its id."""
        return self._planned(f"scale {endpoint} to {replicas}", orders.scale(endpoint, replicas=replicas), accept)

    def _planned(self, text: str, contract: Contract, accept: bool) -> str:
        """An order whose steps depend on what runs. InvalidRequest for what cannot be done or is not there."""
        if why := self._brain.unsupported(contract):
            raise InvalidRequest(*(Fault(place=text, what=reason) for reason in why))
        folder = str(Path.cwd())
        seen = survey(contract, read=self._read, folder=Path(folder), at=self._clock.now())
        plan = propose(contract, seen, self._terms_in(folder))
        found = ordered(text, contract, seen, plan, desk=self._desk(), accept=accept, policies=self._policies)
        if faults := unreadable(found):
            raise InvalidRequest(*faults)
        return self._begin(found)

    def _order(self, text: str, order: tuple[Contract, Survey, Plan], accept: bool) -> str:
        contract, seen, plan = order
        return self._begin(
            ordered(text, contract, seen, plan, desk=self._desk(), accept=accept, policies=self._policies)
        )

    def _begin(self, found: Prospect) -> str:
        run = self._signing.name()
        self._store.create(
            run=run,
            goal=found.stated.goal.text,
            started=self._clock.now(),
            requester=found.stated.owner,
            standing=sorted(found.survey.endpoints) if found.survey is not None else (),
            bounds=accounts.bounds(found.understood.contract),
        )
        with self._owned(run) as book:
            for record in (found.stated, found.understood, found.survey, found.planned):
                if record is not None:
                    book.add(record)
            book.commit()
        return run

    def _prospect(self, request: Request) -> Prospect:
        """Secrets are taken out before anything is understood: what is planned is what will be journalled."""
        request = self._settings.redaction.record(request)
        Thread(target=self._policies.prepare, daemon=True).start()  # while the data are looked at
        with speaking(language_of(request.text)):
            return prospect(request, desk=self._desk(), brain=self._brain, read=self._read, policies=self._policies)

    def _purse(self) -> Purse:
        """What the accounts of this home allow a new run now, also where nothing has run yet."""
        if not self._begun:
            return allowed(self._caps)
        return self._store.purse(at=self._clock.now(), requester=self._settings.user, caps=self._caps)

    def _desk(self) -> Desk:
        settings = self._settings
        return Desk(
            owner=settings.user,
            backend=settings.backend,
            runtime=str(settings.runtime),
            now=self._clock.now(),
            utc_offset_s=0 if settings.now is not None else time.localtime().tm_gmtoff,
            load_rps=settings.load_rps,
            lease_s=settings.endpoint_lease_s,
            budget_usd=settings.budget_usd,
            purse=self._purse(),
        )

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
        )

    def _revise(self, book: Book, decision: Decided) -> None:
        """The plan's next version, when the decision asks for one; both are one commit."""
        planned = revise(
            book.run,
            decision,
            brain=self._brain,
            policies=self._policies,
            purse=book.purse(),
            terms=self._terms(book.run),
        )
        if planned is not None:
            book.add(planned)
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

    @property
    def _caps(self) -> tuple[Cap, ...]:
        return accounts.caps(self._policies.limits)

    def _owned(self, run: str) -> AbstractContextManager[Book]:
        """The run's journal, owned by this process as long as the block lasts."""
        return owned(
            run,
            store=self._store,
            clock=self._clock,
            signing=self._signing,
            redaction=self._settings.redaction,
            caps=self._caps,
        )

    def _terms(self, run: Run) -> Terms:
        return self._terms_in(run.stated.folder if run.stated is not None else ".")

    def _terms_in(self, folder: str) -> Terms:
        settings = self._settings
        return Terms(load_rps=settings.load_rps, lease_s=settings.endpoint_lease_s, owner=settings.user, folder=folder)


def _place(settings: Settings) -> Place:
    return Place(
        name=settings.backend,
        home=str(settings.home),
        runtime=str(settings.runtime),
        usd_micro_per_hour=round(settings.local_usd_per_hour * MICRO),
        start=settings.now,
    )
