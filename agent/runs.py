"""What can be asked of a home's runs without driving them: look, list, answer, cancel."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self, cast

from agent.answering import choose
from agent.audit.bundle import Exported, export
from agent.audit.examine import find
from agent.audit.heads import Heads
from agent.brain.protocol import Brain
from agent.clock import Clock, RunClocks, stamp
from agent.documents import (
    Answered,
    ClauseVerdict,
    Event,
    Pending,
    RunDocument,
    RunLine,
    RunList,
    RunReport,
    RunView,
    Status,
)
from agent.errors import Broken, Fault, InvalidRequest, NoSuchRun, NotTheirs
from agent.explain import Explanation, Replay, explain, replay
from agent.figures import evaluations, figures
from agent.owned import Signing
from agent.plan import Plan, total
from agent.posed import waits
from agent.record import owner
from agent.record.ledger import Burn
from agent.record.nudge import nudge, worked
from agent.record.store import RunRow, Store, open_store
from agent.report import compose
from agent.sentences import sentence
from agent.settings import Settings
from agent.state import Decided, Run, fold, parse
from agent.stopping import Stopping
from agent.telemetry.observer import Observer
from agent.telemetry.opening import Telemetry
from agent.view import view
from policies.engine import Policies
from policies.faults import PolicyFaults
from policies.load import load_policies
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
        policies: Policies,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.telemetry = telemetry or Telemetry()
        self._stopping: Stopping | None = None
        """Whether this process was asked to stop; None: nobody asks."""
        self._settings = settings
        self._backend = backend
        self._brain = brain
        self._clock = clock
        self._clocks = RunClocks(clock)
        self._policies = policies
        self._store_: Store | None = None
        self._signing = Signing(Heads(settings.audit_folder), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.telemetry.close()
        if self._store_ is not None:
            self._store_.close()

    @property
    def _observer(self) -> Observer:
        return self.telemetry.observer

    @property
    def _store(self) -> Store:
        if self._store_ is None:
            where = self._settings.store_address or self._file
            self._store_ = open_store(where, redaction=self._settings.redaction)
        return self._store_

    @property
    def _reader(self) -> Dispatcher:
        """Reads need no verdict; nothing else passes."""
        return Dispatcher(self._backend, approved=lambda _: None, now=self._clock.now)

    def _read(self, name: str, args: Json) -> Json:
        """What a tool that reads says, without the secrets that may stand in it."""
        told: Json = self._settings.redaction.value(self._reader.read(name, args))
        return told

    def view(self, run: str) -> RunView:
        """The run now."""
        state = self._fold(self._resolve(run))
        with said_as(state):
            now = self._clock.now()
            seen = view(state, status=self._status(state), now=now, progress={}, burn=self._burn(state.id))
            return seen.model_copy(update={"pending": self._open(state)})

    def show(self, run: str) -> RunDocument:
        """The run's document: final when it has ended, as it stands otherwise."""
        state = self._fold(self._resolve(run))
        if state.report is not None:
            return document(state, self._signed_for(state.id, state.report))
        with said_as(state):
            told = document(state, self._compose(state, status=self._status(state), decided=None, path=None))
            return told.model_copy(update={"questions": self._open(state)})

    def runs(self) -> RunList:
        """Every run of this home, newest first."""
        if not self._begun:
            return RunList(runs=())
        return RunList(
            runs=tuple(
                RunLine(
                    id=row.id,
                    status=_status(row),
                    goal=row.goal,
                    started=stamp(row.started),
                    spent_usd=(row.settled + row.overrun) / MICRO,
                    reserved_usd=row.reserved / MICRO,
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

    def answer(self, run: str, *, approve: bool, pending: Sequence[str] = (), who: str) -> Answered:
        """Leave an answer for the run's owner: to the questions named, else to every open one that is theirs.

        InvalidRequest when nothing of that name is open; NotTheirs when somebody else has to answer.
        """
        state = self._fold(self._resolve(run))
        with said_as(state):
            messages = self._store.messages(state.id)
            now = max(self._clock.now(), state.last)
            chosen = choose(state, pending, who=who, approve=approve, waiting=messages, now=now)
            left = tuple(self._waits(q, state) for q in chosen.others)
            if not chosen.theirs:
                raise NotTheirs("\n".join(left))
            for question in chosen.theirs:
                self._leave(question, state, approve=approve, who=who)
            told = self._carried_out(state.id, tr("Approved" if approve else "Denied"))
            return Answered(questions=tuple(q.id for q in chosen.theirs), message=told, left=left)

    def _leave(self, question: Pending, run: Run, *, approve: bool, who: str) -> None:
        kind, at = "approve" if approve else "deny", max(self._clock.now(), run.last)
        body: Json = {"pending": question.id, "who": who, "uid": os.getuid(), "digest": question.digest}
        dedupe = f"{run.id}:{question.id}:{kind}:{who}:{question.digest}"
        self._post(run.id, kind, body, at=at, dedupe=dedupe)

    def _post(self, run: str, kind: str, body: Json, *, at: float, dedupe: str) -> None:
        """Leave a message for the run's owner, and tell whoever drives runs here that it is there."""
        self._store.post(run=run, kind=kind, body=body, at=at, dedupe=dedupe)
        nudge(self._settings.home, run)

    def _open(self, run: Run) -> tuple[Pending, ...]:
        """The open questions, each with the command that answers it from here."""
        program = command(self._settings)
        commands = {q.id: f"{program} approve {run.id} {q.id}" for q in run.pending.values()}
        return tuple(q.model_copy(update={"answer": commands[q.id]}) for q in run.pending.values())

    def _waits(self, question: Pending, run: Run) -> str:
        program = command(self._settings)
        return waits(question, approve=f"{program} approve {run.id} {question.id}", resume=f"{program} resume {run.id}")

    def cancel(self, run: str, who: str) -> str:
        """Leave a cancellation for the run's owner."""
        id_ = self._resolve(run)
        state = self._fold(id_)
        with said_as(state):
            if state.report is not None:
                raise InvalidRequest(Fault(place=id_, what=tr("it has ended already")))
            self._post(id_, "cancel", {"who": who}, at=self._clock.now(), dedupe=f"{id_}:cancel")
            return self._carried_out(id_, tr("Cancelled"))

    def export(self, run: str, to: Path | None = None) -> Exported:
        """Write the run's audit bundle there, else into this folder; also of a run that the store refuses to open."""
        home, heads = self._settings.home, self._signing.heads
        store = self._settings.store_address
        id_ = find(run, home, heads, store=store)
        to = Path(f"{id_}.audit.zip") if to is None else to
        return export(id_, home=home, store=store, heads=heads, fetch=self._backend.objects.fetch, to=to)

    def explain(self, run: str, call: str) -> Explanation:
        """Which policies decided about a call of the run, with the facts they saw."""
        return explain(self._fold(self._resolve(run)), call)

    def replay(self, run: str, folder: Path) -> Replay:
        """What the policies of a folder would have answered to every call. InvalidRequest for their faults."""
        return replay(self._fold(self._resolve(run)), in_force(folder))

    def _carried_out(self, run: str, what: str) -> str:
        driver = self._store.row(run).owner
        if driver is not None and not owner.gone(driver):
            return tr("{what}: the process that drives {run} carries it out.", what=what, run=run)
        if worked(self._settings.home):
            return tr("{what}: the worker that drives this home carries it out.", what=what)
        resume = f"{command(self._settings)} resume {run}"
        return tr("{what}: `{resume}` carries it out.", what=what, resume=resume)

    def _fold(self, run: str) -> Run:
        """From the last line on that says all before it; a run has none, a standing goal one in a hundred checks."""
        return fold(run, self._store.lines(run, after=self._store.row(run).chapter))

    def _status(self, run: Run) -> Status:
        if run.report is not None:
            return run.report.status
        if run.pending:
            return "waiting"
        driver = self._store.row(run.id).owner
        return "running" if driver is not None and not owner.gone(driver) else "waiting"

    def _resolve(self, run: str) -> str:
        """The full id of a run named by a unique prefix or ending."""
        known = [row.id for row in self._store.rows(None)] if self._begun else []
        if run in known:
            return run
        found = [id_ for id_ in known if run and (id_.startswith(run) or id_.endswith(run))]
        # A standing goal is named after its run, and the runs it begins after it: the shortest of a family is meant.
        found = [id_ for id_ in found if not any(id_.startswith((f"{f}.", f"{f}-")) for f in found)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NoSuchRun(f"{run!r} is not unique: {', '.join(found[:5])}")
        newest = f"; the newest are {', '.join(known[:3])}" if known else f"; there are none in {self._settings.home}"
        raise NoSuchRun(f"there is no run {run!r}{newest}")

    def _burn(self, run: str) -> Burn:
        """What goes on now, of the run and of the home, and what it comes to."""
        return self._store.burn(run, at=self._clock.now())

    def _compose(self, run: Run, *, status: Status, decided: Decided | None, path: str | None) -> RunReport:
        report = compose(
            run,
            status=status,
            decided=decided,
            now=self._clock.now(),
            by=self._store.money(run.id),
            burn=self._burn(run.id),
            report=path,
            command=command(self._settings),
            drawn=figures(run, self._evidence(run)),
        )
        if status == "waiting" and run.pending:
            asks = tr("; ").join(self._waits(q, run) for q in run.pending.values())
            report = report.model_copy(update={"reason": asks})
        clauses = tuple(self._with_file(c) for c in report.clauses)
        return self._signed_for(run.id, report.model_copy(update={"clauses": clauses}))

    def _signed_for(self, run: str, report: RunReport) -> RunReport:
        """The report with what this session could not sign for."""
        problem = self._signing.problems.get(run)
        if problem is None or problem in report.findings:
            return report
        return report.model_copy(update={"findings": (*report.findings, problem)})

    def _evidence(self, run: Run) -> dict[str, Json]:
        """Part → the full report of its latest evaluation, as far as it can be read."""
        found: dict[str, Json] = {}
        for part, key in evaluations(run).items():
            with suppress(ToolError):
                told = self._read("read_evaluation", {"key": key})["document"]
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
    def _begun(self) -> bool:
        """Something may have run in this home. Broken when it is somebody else's and not shared."""
        if self._settings.store is not None:
            return True
        try:
            return self._file.exists()
        except PermissionError as error:
            raise Broken(
                tr(
                    "{home} is somebody else's: they share it with a group (`chgrp GROUP`, `chmod 2770` on the folder "
                    "and `chmod 660` on the database in it)",
                    home=self._settings.home,
                )
            ) from error

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


def in_force(folder: Path | None) -> Policies:
    """The policies of a folder, or the shipped ones. InvalidRequest lists every fault of theirs."""
    try:
        return load_policies(folder)
    except PolicyFaults as error:
        raise InvalidRequest(*error.faults) from error


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
    folders = {
        "GOALKEEPER_RUNTIME_DIR": ("runtime", settings.runtime),
        "GOALKEEPER_AUDIT_DIR": ("audit", settings.audit),
    }
    given = [
        f"{name}={at}" for name, (field, at) in folders.items() if settings.origins.get(field, "default") != "default"
    ]
    words = ["env", *given, *words] if given else words
    if settings.backend != "local":
        words += ["--backend", settings.backend]
    return shlex.join([*words, "--home", str(settings.home)])
