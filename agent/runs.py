"""What can be asked of a home's runs without driving them: look, list, answer, cancel."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self, cast

from agent.brain.protocol import Brain
from agent.clock import Clock, stamp
from agent.documents import ClauseVerdict, Event, RunDocument, RunLine, RunList, RunReport, RunView, Status
from agent.errors import Fault, InvalidRequest, NoSuchRun
from agent.figures import evaluations, figures
from agent.plan import Plan, total
from agent.record import owner
from agent.record.store import RunRow, Store
from agent.report import compose
from agent.sentences import sentence
from agent.settings import Settings
from agent.state import Decided, Run, fold, parse
from agent.view import view
from policies.limits import Limits
from tools.dispatch import Dispatcher
from tools.errors import ToolError
from tools.language import language_of, speaking, tr
from tools.ports import Backend
from tools.record import Json

MICRO = 1_000_000


class Runs:
    """The runs of one home, as anybody may see them."""

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

    def __enter__(self) -> Self:
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

    @property
    def _reader(self) -> Dispatcher:
        """Reads need no verdict; nothing else passes."""
        return Dispatcher(self._backend, approved=lambda _: None, now=self._clock.now)

    def view(self, run: str) -> RunView:
        """The run now."""
        state = self._fold(self._resolve(run))
        with said_as(state):
            return view(state, status=self._status(state), now=self._clock.now(), progress={})

    def show(self, run: str) -> RunDocument:
        """The run's document: final when it has ended, as it stands otherwise."""
        state = self._fold(self._resolve(run))
        if state.report is not None:
            return document(state, state.report)
        with said_as(state):
            return document(state, self._compose(state, status=self._status(state), decided=None, path=None))

    def runs(self) -> RunList:
        """Every run of this home, newest first."""
        if not self._file.exists():
            return RunList(runs=())
        return RunList(
            runs=tuple(
                RunLine(
                    id=row.id,
                    status=_status(row),
                    goal=row.goal,
                    started=stamp(row.started),
                    spent_usd=(row.settled + row.overrun) / MICRO,
                )
                for row in self._store.rows()
            )
        )

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """The journal's lines in order, each with a sentence for people."""
        id_ = self._resolve(run)
        state = self._fold(id_)
        for line in self._store.lines(id_, after=after):
            with said_as(state):
                text = sentence(parse(line))
            yield Event(seq=line.seq, at=line.at, kind=line.kind, text=text, body=line.body, hash=line.hash)

    def answer(self, run: str, *, approve: bool, pending: str | None, who: str) -> str:
        """Leave an answer for the run's owner. InvalidRequest when nothing of that name is asked."""
        id_ = self._resolve(run)
        state = self._fold(id_)
        with said_as(state):
            return self._answered(state, approve=approve, pending=pending, who=who)

    def _answered(self, state: Run, *, approve: bool, pending: str | None, who: str) -> str:
        id_ = state.id
        if not state.pending or (pending is not None and pending not in state.pending):
            asked = ", ".join(state.pending) or tr("nothing")
            raise InvalidRequest(
                Fault(place=id_, what=tr("it does not wait for that answer; it asks {asked}", asked=asked))
            )
        kind = "approve" if approve else "deny"
        for name in state.pending if pending is None else (pending,):
            body: Json = {"pending": name, "who": who}
            self._store.post(run=id_, kind=kind, body=body, at=self._clock.now(), dedupe=f"{id_}:{name}:{kind}")
        return self._carried_out(id_, tr("Approved" if approve else "Denied"))

    def cancel(self, run: str, who: str) -> str:
        """Leave a cancellation for the run's owner."""
        id_ = self._resolve(run)
        state = self._fold(id_)
        with said_as(state):
            if state.report is not None:
                raise InvalidRequest(Fault(place=id_, what=tr("it has ended already")))
            self._store.post(run=id_, kind="cancel", body={"who": who}, at=self._clock.now(), dedupe=f"{id_}:cancel")
            return self._carried_out(id_, tr("Cancelled"))

    def _carried_out(self, run: str, what: str) -> str:
        driver = self._store.row(run).owner
        if driver is not None and not owner.gone(driver):
            return tr("{what}: the process that drives {run} carries it out.", what=what, run=run)
        resume = f"{command(self._settings)} resume {run}"
        return tr("{what}: `{resume}` carries it out.", what=what, resume=resume)

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

    def _compose(self, run: Run, *, status: Status, decided: Decided | None, path: str | None) -> RunReport:
        report = compose(
            run,
            status=status,
            decided=decided,
            now=self._clock.now(),
            by=self._store.money(run.id),
            report=path,
            command=command(self._settings),
            drawn=figures(run, self._evidence(run)),
        )
        clauses = tuple(self._with_file(c) for c in report.clauses)
        return report.model_copy(update={"clauses": clauses})

    def _evidence(self, run: Run) -> dict[str, Json]:
        """Part → the full report of its latest evaluation, as far as it can be read."""
        found: dict[str, Json] = {}
        for part, key in evaluations(run).items():
            with suppress(ToolError):
                told = self._reader.read("read_evaluation", {"key": key})["document"]
                found |= {part: told} if told is not None else {}
        return found

    def _with_file(self, clause: ClauseVerdict) -> ClauseVerdict:
        """Evidence is named by object key in the journal and by file for people."""
        if clause.evidence is None or clause.evidence.path is None:
            return clause
        with suppress(ToolError):
            file = str(self._backend.objects.fetch(clause.evidence.path))
            return clause.model_copy(update={"evidence": clause.evidence.model_copy(update={"path": file})})
        return clause

    @property
    def _file(self) -> Path:
        return self._settings.home / "goalkeeper.db"


def _status(row: RunRow) -> Status:
    """As stored, except that a run whose process has gone waits to be resumed."""
    stale = row.status in ("planning", "running") and (row.owner is None or owner.gone(row.owner))
    return "waiting" if stale else cast(Status, row.status)


def said_as(run: Run) -> AbstractContextManager[None]:
    """What is said of a run is said in the language of its goal."""
    return speaking(language_of(run.stated.goal.text if run.stated is not None else ""))


def document(run: Run, report: RunReport) -> RunDocument:
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


def command(settings: Settings) -> str:
    """How a shell starts goalkeeper here, on this home: what a report prints must work when pasted."""
    name = Path(sys.executable).with_name("goalkeeper")
    found = shutil.which("goalkeeper")
    if not name.exists():
        words = [sys.executable, "-m", "agent"]
    elif found is not None and os.path.samefile(found, name):
        words = ["goalkeeper"]
    else:
        words = [str(name)]
    if settings.origins.get("runtime", "default") != "default":
        words = ["env", f"GOALKEEPER_RUNTIME_DIR={settings.runtime}", *words]
    if settings.backend != "local":
        words += ["--backend", settings.backend]
    return shlex.join([*words, "--home", str(settings.home)])
