"""The one way in for every door: plan a goal, start it, drive it, look at it, decide about it."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import cast

from agent import markdown
from agent.advance import World
from agent.book import Book
from agent.brain.protocol import Brain, Terms
from agent.clock import Clock, FixedClock, WallClock, stamp
from agent.documents import (
    ClauseVerdict,
    Event,
    Pending,
    PlanDocument,
    RunDocument,
    RunLine,
    RunList,
    RunReport,
    RunView,
    Status,
    Swept,
)
from agent.errors import Busy, Fault, InvalidRequest, NoSuchRun
from agent.plan import Plan, total
from agent.prospect import Desk, Prospect, Request, prospect, unreadable
from agent.record import owner
from agent.record.store import Store
from agent.report import compose
from agent.revise import revise
from agent.screen import Screen
from agent.sentences import sentence
from agent.settings import Settings
from agent.state import Answer, Decided, Finished, Run, fold, parse
from agent.view import view
from policies.limits import Limits, load_limits
from tools.dispatch import Dispatcher, Place, clock_of, open_backend, sweep_place
from tools.errors import ToolError
from tools.ports import Backend
from tools.record import Json

__all__ = ["Request", "Session"]

LOOK_EVERY_S = 0.1
"""How often a waiting foreground run looks at its jobs, at first."""
LONGEST_PAUSE_S = 0.5
MICRO = 1_000_000
Watch = Callable[[RunView], None]
Ask = Callable[[Pending], bool | None]


class Session:
    """Goals and runs of one home, for one person, on one backend."""

    def __init__(
        self,
        *,
        settings: Settings,
        backend: Backend,
        brain: Brain,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._brain = brain
        self._clock = clock
        self._limits = limits
        self._store_: Store | None = None

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
            limits=load_limits(),
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._store_ is not None:
            self._store_.close()

    @property
    def _store(self) -> Store:
        if self._store_ is None:
            self._store_ = Store(self._settings.home / "goalkeeper.db")
        return self._store_

    def plan(self, request: Request) -> PlanDocument:
        """Contract, plan, approvals and feasibility: no effect. InvalidRequest for contradictions."""
        return self._prospect(request).document()

    def start(self, request: Request) -> str:
        """A new run's id. InvalidRequest when data cannot be used; then nothing is left behind."""
        found = self._prospect(request)
        if faults := unreadable(found):
            raise InvalidRequest(*faults)
        run = f"{datetime.fromtimestamp(self._clock.now()):%Y%m%d}-{secrets.token_hex(3)}"
        contract = found.understood.contract
        budget = None if contract is None or contract.budget_usd is None else round(contract.budget_usd * MICRO)
        self._store.create(run=run, goal=request.text, started=self._clock.now(), budget=budget)
        with self._owned(run) as book:
            for record in (found.stated, found.understood, found.survey, found.planned):
                if record is not None:
                    book.add(record)
            book.commit()
        return run

    def _prospect(self, request: Request) -> Prospect:
        settings = self._settings
        desk = Desk(
            owner=settings.user,
            backend=settings.backend,
            now=self._clock.now(),
            utc_offset_s=0 if settings.now is not None else time.localtime().tm_gmtoff,
            load_rps=settings.load_rps,
            lease_s=settings.endpoint_lease_s,
            budget_usd=settings.budget_usd,
        )
        reader = Dispatcher(self._backend, approved=lambda _: None, now=self._clock.now)
        return prospect(request, desk=desk, brain=self._brain, read=reader.read, limits=self._limits)

    def drive(self, run: str, *, watch: Watch | None = None, ask: Ask | None = None) -> RunDocument:
        """Operate the run until it is decided, or until it waits for a person and none can be asked.

        An interruption leaves it resumable. Busy when another process drives it.
        """
        id_ = self._resolve(run)
        if self._fold(id_).report is not None:
            return self.show(id_)
        from agent.graph import activate  # LangGraph takes a second to import: only who drives pays for it

        with self._owned(id_) as book:
            screen = Screen(watch, self._clock)
            book.watch = screen.journal
            world = self._world(book)
            while True:
                decision = activate(
                    world, revise=lambda d: self._revise(book, d), finish=lambda d: self._finish(book, d)
                )
                if isinstance(decision, Decided):
                    break
                if decision.for_person and not book.run.live_calls() and not self._ask(book, ask, screen):
                    book.status("waiting")
                    book.commit()
                    break
                self._wait(world, screen)
            screen.show(book.run, force=True)
        return self.show(id_)

    def _world(self, book: Book) -> World:
        def approved(call: str) -> str | None:
            state = book.run.calls.get(call)
            return state.call.digest if state is not None and state.verdict.ruling == "approved" else None

        return World(
            book=book,
            store=self._store,
            dispatcher=Dispatcher(self._backend, approved=approved, now=self._clock.now),
            limits=self._limits,
            clock=self._clock,
            usd_micro_per_hour=book.run.survey.usd_micro_per_hour if book.run.survey is not None else None,
        )

    def _revise(self, book: Book, decision: Decided) -> None:
        """The plan's next version, when the decision asks for one."""
        planned = revise(book.run, decision, brain=self._brain, limits=self._limits, terms=self._terms(book.run))
        if decision.change == "wind_down":
            dispatcher = self._world(book).dispatcher
            for state in book.run.live_calls():
                if state.handle is not None:
                    dispatcher.stop(state.call, state.handle)
        if planned is not None:
            book.add(planned)
            book.commit()

    def _finish(self, book: Book, decision: Decided) -> None:
        """The report, as Markdown beside the journal and as the journal's last line."""
        run = book.run
        status: Status = "cancelled" if any(d.action == "cancel" for d in run.decisions) else "done"
        path = self._settings.home / "runs" / run.id / "report.md"
        report = self._compose(run, status=status, decided=decision, path=str(path))
        document = _document(run, report)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markdown.render(document), encoding="utf-8")
        book.add(Finished(report=report))
        book.status(report.status)
        book.commit()

    def _compose(self, run: Run, *, status: Status, decided: Decided | None, path: str | None) -> RunReport:
        report = compose(
            run,
            status=status,
            decided=decided,
            now=self._clock.now(),
            by=self._store.money(run.id),
            report=path,
            command=_command(self._settings),
        )
        clauses = tuple(self._with_file(c) for c in report.clauses)
        return report.model_copy(update={"clauses": clauses})

    def _with_file(self, clause: ClauseVerdict) -> ClauseVerdict:
        """Evidence is named by object key in the journal and by file for people."""
        if clause.evidence is None or clause.evidence.path is None:
            return clause
        with suppress(ToolError):
            file = str(self._backend.objects.fetch(clause.evidence.path))
            return clause.model_copy(update={"evidence": clause.evidence.model_copy(update={"path": file})})
        return clause

    def _ask(self, book: Book, ask: Ask | None, screen: Screen) -> bool:
        """Put the open questions to the person at the door; False when nobody answers."""
        for pending in list(book.run.pending.values()):
            screen.show(book.run, force=True)
            answer = ask(pending) if ask is not None else None
            if answer is None:
                return False
            book.add(Answer(pending=pending.id, approve=answer, who=self._settings.user))
        book.commit()
        return True

    def _wait(self, world: World, screen: Screen) -> None:
        """Until something that runs has ended, somebody left a message, or the deadline is due."""
        run = world.book.run
        contract = run.contract
        pause = LOOK_EVERY_S
        while not self._store.messages(run.id):
            for state in run.live_calls():
                if state.handle is None or not screen.follow(state, world.dispatcher):
                    return
            if contract is not None and contract.deadline_s and self._clock.now() > run.started + contract.deadline_s:
                return
            screen.show(run)
            self._clock.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE_S)

    def view(self, run: str) -> RunView:
        """The run now."""
        state = self._fold(self._resolve(run))
        return view(state, status=self._status(state), now=self._clock.now(), progress={})

    def show(self, run: str) -> RunDocument:
        """The run's document: final when it has ended, as it stands otherwise."""
        state = self._fold(self._resolve(run))
        if state.report is not None:
            return _document(state, state.report)
        return _document(state, self._compose(state, status=self._status(state), decided=None, path=None))

    def runs(self) -> RunList:
        """Every run of this home, newest first."""
        if not self._file.exists():
            return RunList(runs=())
        return RunList(
            runs=tuple(
                RunLine(
                    id=row.id,
                    status=cast(Status, row.status),
                    goal=row.goal,
                    started=stamp(row.started),
                    spent_usd=(row.settled + row.overrun) / MICRO,
                )
                for row in self._store.rows()
            )
        )

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """The journal's lines in order, each with a sentence for people."""
        for line in self._store.lines(self._resolve(run), after=after):
            yield Event(
                seq=line.seq, at=line.at, kind=line.kind, text=sentence(parse(line)), body=line.body, hash=line.hash
            )

    def answer(self, run: str, *, approve: bool, pending: str | None, who: str) -> str:
        """Leave an answer for the run's owner. InvalidRequest when nothing of that name is asked."""
        id_ = self._resolve(run)
        state = self._fold(id_)
        if not state.pending or (pending is not None and pending not in state.pending):
            asked = ", ".join(state.pending) or "nothing"
            raise InvalidRequest(Fault(place=id_, what=f"it does not wait for that answer; it asks {asked}"))
        kind = "approve" if approve else "deny"
        names = ",".join(sorted([pending] if pending is not None else state.pending))
        body: Json = {"pending": pending, "who": who}
        self._store.post(run=id_, kind=kind, body=body, at=self._clock.now(), dedupe=f"{id_}:{names}:{kind}")
        return self._carried_out(id_, "Approved" if approve else "Denied")

    def cancel(self, run: str, who: str) -> str:
        """Leave a cancellation for the run's owner."""
        id_ = self._resolve(run)
        if self._fold(id_).report is not None:
            raise InvalidRequest(Fault(place=id_, what="it has ended already"))
        self._store.post(run=id_, kind="cancel", body={"who": who}, at=self._clock.now(), dedupe=f"{id_}:cancel")
        return self._carried_out(id_, "Cancelled")

    def _carried_out(self, run: str, what: str) -> str:
        driver = self._store.row(run).owner
        if driver is not None and not owner.gone(driver):
            return f"{what}: the process that drives {run} carries it out."
        return f"{what}: `{_command(self._settings)} resume {run}` carries it out."

    def sweep(self, *, release: bool) -> tuple[Swept, ...]:
        """What runs own; with `release`, what nobody needs is ended."""
        found = sweep_place(_place(self._settings), release=release, now=self._clock.now())
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
            )
            for f in found
        )

    @property
    def _file(self) -> Path:
        return self._settings.home / "goalkeeper.db"

    def _fold(self, run: str) -> Run:
        return fold(run, self._store.lines(run))

    def _status(self, run: Run) -> Status:
        if run.report is not None:
            return run.report.status
        if run.pending:
            return "waiting"
        driver = self._store.row(run.id).owner
        return "running" if driver is not None and not owner.gone(driver) else "waiting"

    def _resolve(self, run: str) -> str:
        """The full id of a run named by a unique prefix or ending."""
        known = [line.id for line in self.runs().runs]
        if run in known:
            return run
        found = [id_ for id_ in known if run and (id_.startswith(run) or id_.endswith(run))]
        if len(found) == 1:
            return found[0]
        if found:
            raise NoSuchRun(f"{run!r} is not unique: {', '.join(found[:5])}")
        newest = f"; the newest are {', '.join(known[:3])}" if known else f"; there are none in {self._settings.home}"
        raise NoSuchRun(f"there is no run {run!r}{newest}")

    @contextmanager
    def _owned(self, run: str) -> Iterator[Book]:
        """The run's journal, owned by this process as long as the block lasts."""
        before = self._store.row(run).owner
        gone = (before,) if before is not None and owner.gone(before) else ()
        epoch = self._store.claim(run, owner=owner.me(), gone=gone)
        book = Book(store=self._store, run=self._fold(run), epoch=epoch, clock=self._clock)
        try:
            yield book
        finally:
            with suppress(Busy):
                self._store.release(run, epoch=epoch)

    def _terms(self, run: Run) -> Terms:
        settings = self._settings
        folder = run.stated.folder if run.stated is not None else "."
        return Terms(load_rps=settings.load_rps, lease_s=settings.endpoint_lease_s, owner=settings.user, folder=folder)


def _place(settings: Settings) -> Place:
    return Place(
        name=settings.backend,
        home=str(settings.home),
        runtime=str(settings.runtime),
        usd_micro_per_hour=round(settings.local_usd_per_hour * MICRO),
        start=settings.now,
    )


def _document(run: Run, report: RunReport) -> RunDocument:
    """The run's document, from its journal alone."""
    assert run.stated is not None
    planned = run.plans[-1] if run.plans else None
    plan = planned.plan if planned is not None else Plan(version=1, steps=())
    return RunDocument(
        now=run.stated.plan_now,
        goal=run.stated.goal,
        contract=run.contract,
        plan=plan,
        approvals=run.plans[0].approvals,
        feasibility=run.plans[0].feasibility,
        estimate=total(plan.steps),
        run=report,
    )


def _command(settings: Settings) -> str:
    """How a shell starts goalkeeper here, on this home: what a report prints must work when pasted."""
    name = Path(sys.executable).with_name("goalkeeper")
    found = shutil.which("goalkeeper")
    if not name.exists():
        words = [sys.executable, "-m", "agent"]
    elif found is not None and os.path.samefile(found, name):
        words = ["goalkeeper"]
    else:
        words = [str(name)]
    if settings.backend != "local":
        words += ["--backend", settings.backend]
    return shlex.join([*words, "--home", str(settings.home)])
