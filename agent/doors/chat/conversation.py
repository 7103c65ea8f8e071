"""A conversation: goals are stated, corrected and started, runs asked about, changed and answered.

It decides nothing of its own: what a line means is `turns`, what may be done the session says, and what takes effect
was asked for with yes or no, or by a command.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from agent.amend import diff, in_words
from agent.brain.protocol import Context
from agent.brain.rules.amending import stands_alone
from agent.brain.rules.questions import is_question
from agent.contract import Refusal
from agent.doors.chat.driving import Driver
from agent.doors.chat.journal import Draft, Thread, summary
from agent.doors.chat.notices import Notices
from agent.doors.chat.proposals import Awaited, Order, Proposal, lapsed
from agent.doors.chat.told import Gathered, Late, Told, Voice
from agent.doors.chat.turns import At, Posed, Turn, meaning
from agent.errors import GoalkeeperError, InvalidRequest
from agent.goal import Goal
from agent.prospect import Request
from agent.wording import clean, headline, outside
from tools.errors import ToolError
from tools.language import Language, language_of, speaking, tr
from tools.record import Json

if TYPE_CHECKING:
    from agent.documents import Pending, PlanDocument, RunDocument, RunView
    from agent.doors.service import Service

OVER = ("done", "cancelled", "failed")
_LINE = 2000
"""Characters of one line of an answer."""


class Conversation:
    """One conversation of one person."""

    def __init__(
        self,
        *,
        name: str,
        session: Service,
        doing: Service,
        user: str,
        accept: bool,
        folder: str,
        voice: Voice | None,
        late: Late,
    ) -> None:
        """`session` looks, asks and writes; `doing` carries runs out.

        `voice`: None shows nothing before the end of a turn.
        """
        self.name, self.user = name, user
        self.session, self._doing = session, doing
        self._accept, self._folder, self._voice = accept, folder, voice
        self.late = late
        self.driver = Driver(doing, see=self._see, rest=self._rest)
        self.language: Language = "en"
        self.run: str | None = None
        """The run that is talked about."""
        self.draft: Draft | None = None
        self.shown: PlanDocument | None = None
        """The draft's plan."""
        self.proposal: Proposal | None = None
        self.order: Order | None = None
        self.begun: str | None = None
        """A run that was begun with another contract than was shown, and is not driven before that is approved."""
        self.offered = False
        """Going on with the run was offered and not answered."""
        self.over = False
        """The person leaves."""
        self._notices = Notices()
        self.awaited = Awaited()
        self._asked: set[tuple[str, str]] = set()
        self._answered: set[tuple[str, str]] = set()
        self._unwritten: deque[str] = deque()
        """What was said from the other thread and is not in the journal yet."""
        self._turns = 0

    @property
    def begins(self) -> bool:
        """Something was said that can be taken up again."""
        return self._turns > 0

    @property
    def planner(self) -> Service:
        """Who plans: the session that has carried out what there is, unless it is busy."""
        return self.session if self.driver.busy else self._doing

    def speaking(self) -> AbstractContextManager[None]:
        """In the language of what the person said last."""
        return speaking(self.language)

    def standing(self) -> At:
        """What the next line may answer; nothing where the state cannot be read."""
        with suppress(GoalkeeperError, OSError):
            view = self.session.view(self.run) if self.run is not None else None
            posed, question = self._posed(view)
            over = view is not None and view.status in OVER
            run = "" if view is None else "over" if over else "going"
            return At(posed=posed, question=question, run=run, draft=self.draft is not None)
        return At(draft=self.draft is not None)

    def _posed(self, view: RunView | None) -> tuple[Posed, str]:
        if self.order is not None:
            return "order", ""
        if self.proposal is not None and view is not None and view.status not in OVER:
            return ("anew" if self.proposal.anew else "amend"), ""
        if self.begun is not None or (self.draft is not None and startable(self.shown)):
            return "start", ""
        if mine := self.questions(view):
            return "approve", mine[0].id
        if self.offered and view is not None and view.status not in OVER:
            return "resume", ""
        return "", ""

    def questions(self, view: RunView | None) -> list[Pending]:
        """What the run asks and this person may answer, as far as they have not."""
        if view is None:
            return []
        open_ = [p for p in view.pending if (view.id, p.id) not in self._answered]
        return [p for p in open_ if p.may_be_answered_by(self.user)]

    def turn(self, line: str, at: At) -> Told:
        """Take one line in, which was asked for where `at` says."""
        from agent.doors.chat.orders import perform  # it needs this module

        turn = meaning(line, at, asks=is_question, alone=alone)
        self._turns += 1
        if turn.kind in ("question", "amendment", "correction", "goal"):
            self._hear(turn.text)
        told = Gathered(to=self._voice)
        with self.speaking():
            try:
                self._write("person", {"text": _spoken(turn), "kind": turn.kind})
                self._catch_up(told)
                perform(self, turn, at, told)
            except (GoalkeeperError, ToolError, OSError) as error:
                _explain(error, told)
            except Exception as error:  # noqa: BLE001 - a defect of one turn ends neither the conversation nor the run
                told.fault(tr("a defect in Goalkeeper itself: {error}", error=f"{type(error).__name__}: {error}"))
            with suppress(GoalkeeperError, OSError):
                self._write("agent", _answered(told))
        return self._document(turn, told)

    def _document(self, turn: Turn, told: Gathered) -> Told:
        at = self.standing()
        view: RunView | None = None
        with suppress(GoalkeeperError, OSError):
            view = self.session.view(self.run) if self.run is not None else None
        return Told(
            conversation=self.name,
            turn=self._turns,
            kind=f"/{turn.name}" if turn.kind == "command" else turn.kind,
            ok=told.ok,
            text=tuple(told.text),
            run=self.run,
            status=view.status if view is not None else None,
            posed=at.posed,
            question=at.question,
            questions=view.pending if view is not None else (),
            changes=told.changed,
            plan=told.said.get("plan"),
            report=told.said.get("report"),
            view=told.said.get("view"),
        )

    def _hear(self, text: str) -> None:
        if language_of(text) == "zh" or any(c.isalpha() for c in text):
            self.language = language_of(text)

    def _write(self, kind: str, body: Json) -> None:
        """Into the conversation's journal, after what happened meanwhile."""
        while self._unwritten:
            self.session.say(self.name, "agent", {"text": self._unwritten.popleft()})
        self.session.say(self.name, kind, body)

    def note(self, kind: str, **body: object) -> None:
        """Something that has to be there when the conversation is taken up again."""
        self._write(kind, dict(body))

    def goal(self, text: str, told: Gathered) -> None:
        """A goal by itself: what is understood of it is shown."""
        self._plan(Draft(text=text), told)

    def correct(self, text: str, told: Gathered) -> None:
        """The draft, or what the last run was to do, said otherwise."""
        draft, contract = self.draft, self.shown.contract if self.shown is not None else None
        if draft is None and self.run is not None:
            document = self.session.show(self.run)
            draft, contract = Draft(text=document.goal.text), document.contract
        if draft is None or contract is None:
            self.goal(text, told)
            return
        self._plan(Draft(text=text, said=(*draft.said, draft.text), before=contract), told)

    def _plan(self, draft: Draft, told: Gathered) -> None:
        document = self.planner.plan(self.request(draft))
        asked = document.contract.questions if document.contract is not None else ()
        if asked and draft.before is not None and not draft.before.questions:
            for question in asked:
                told.fault(outside(in_words(question.text, draft.before)))
            return  # what was understood before still stands
        if draft.before is not None and document.contract is not None:
            changes = diff(draft.before, document.contract)
            if not changes and not asked:
                told.fault(tr("Nothing of the goal would change by that."))
                return
            told.changes(changes)
        self.lapse(told)
        self.draft, self.shown, self.begun = draft, document, None
        self.note("draft", **draft.model_dump(mode="json"))
        told.plan(document)
        self._unwritten.append(summary(document))
        if not startable(document):
            told.line(tr("It cannot be started like this: say what is to change."))

    def request(self, draft: Draft) -> Request:
        return Request(
            text=draft.text,
            source=f"chat:{self.user}",
            accept=self._accept,
            folder=self._folder,
            said=draft.said,
            before=draft.before,
        )

    def lapse(self, told: Gathered) -> None:
        """What was proposed and not answered is answered by no later yes."""
        if self.proposal is not None or self.order is not None:
            self.proposal = self.order = None
            told.line(lapsed())

    def _catch_up(self, told: Gathered) -> None:
        """What became of changes that were left, and of a proposal whose run is over."""
        for line in self.awaited.heard(self.session):
            told.line(line)
        if self.proposal is not None and self.session.view(self.proposal.run).status in OVER:
            self.lapse(told)

    def about(self, run: str, told: Gathered) -> None:
        """From now on that run is talked about."""
        if run != self.run:
            self.lapse(told)
            self.run = run
            self.note("about", run=run)

    def drive(self, run: str, told: Gathered) -> bool:
        """Carry a run on beside the conversation; whether it is."""
        self.offered = False
        if not self.driver.busy:
            list(self._notices.of(self.session.view(run)))  # what has happened already is no news
        if self.driver.start(run):
            return True
        self.say_busy(told)
        return False

    def say_busy(self, told: Gathered) -> None:
        run = self.driver.run or ""
        told.fault(tr("run {run} goes on, and one is carried out at a time: /wait or /cancel", run=run))

    def answered(self, run: str, questions: tuple[str, ...]) -> None:
        self._answered |= {(run, one) for one in questions}

    def take_up(self, thread: Thread) -> Told:
        """Go on where a conversation was left: its run, and the goal that was not started."""
        told = Gathered(to=self._voice)
        self._turns, self.run = thread.turns, thread.run
        for who, text in thread.latest:
            said = " / ".join(clean(line) for line in text.splitlines()[:2])
            told.line(f"{'> ' if who == 'person' else '  '}{outside(said, limit=200)}")
            self._hear(text if who == "person" else "")
        with self.speaking():
            try:
                if thread.draft is not None:
                    self._plan(thread.draft, told)
                self._offer(told)
            except (GoalkeeperError, ToolError, OSError) as error:
                _explain(error, told)
        return self._document(Turn(kind="command", name="resume"), told)

    def _offer(self, told: Gathered) -> None:
        if self.run is None:
            return
        view = self.session.view(self.run)
        if view.status in OVER:
            told.line(tr("Run {run} is over: /report shows how.", run=self.run))
            return
        told.view(view)
        self.offered = True

    def leave(self) -> str | None:
        """Let go of what is carried out; its id when something was. The conversation's journal is complete."""
        run = self.driver.leave()
        with suppress(GoalkeeperError, OSError):
            self.note("left", run=run or "")
        return run

    def _see(self, view: RunView) -> None:
        with speaking(language_of(view.goal)):
            for line in self._notices.of(view):
                self.late.notice(line)
            for line in self.awaited.heard(self._doing, view.id):
                self._say_late(line)
            for pending in view.pending:
                if (view.id, pending.id) not in self._asked:
                    self._asked.add((view.id, pending.id))
                    self._lapse_late()
                    self.late.question(pending)

    def _say_late(self, line: str) -> None:
        self._unwritten.append(line)
        self.late.notice(line)

    def _lapse_late(self) -> None:
        """Something else is asked from now on."""
        if self.proposal is not None or self.order is not None:
            self.proposal = self.order = None
            self._say_late(lapsed())

    def _rest(self, run: str, result: RunDocument | BaseException) -> None:
        with self.speaking(), suppress(GoalkeeperError, OSError):
            for line in self.awaited.heard(self._doing, run):
                self._say_late(line)
            if not isinstance(result, BaseException) and result.run.status in OVER:
                self._lapse_late()
        if isinstance(result, BaseException):
            told = Gathered()
            with self.speaking():
                _explain(result, told)
            for line in told.text:
                self.late.notice(line)
            self._unwritten.extend(told.text)
        elif result.run.status in OVER:
            with speaking(language_of(result.goal.text)):
                word, why = headline(result)
                self._unwritten.append(f"{tr('run {run}', run=run)}{tr(': ')}{tr(word)} {outside(why)}".rstrip())
            self.late.ended(result)
        elif not any(q.may_be_answered_by(self.user) for q in result.questions):
            with speaking(language_of(result.goal.text)):
                self.late.notice(tr("run {run} waits: {why}", run=run, why=outside(result.run.reason)))
        self.late.nudge()


def startable(document: PlanDocument | None) -> bool:
    """Whether a plan can be begun with."""
    if document is None or not document.plan.steps:
        return False
    return document.feasibility.verdict in ("feasible", "unknown")


def alone(text: str) -> bool:
    """Whether a text is a goal by itself, as the embedded grammar reads it."""
    from agent.brain.rules.amending import plainly
    from agent.brain.rules.grammar.understand import Rules

    found = Rules().understand(Goal.of(plainly(text), source="chat"), Context(now=0.0))
    return not isinstance(found, Refusal) and stands_alone(found)


def _answered(told: Gathered) -> Json:
    return {
        "text": "\n".join(told.text),
        "shown": sorted(told.said),
        "changes": [str(change) for change in told.changed],
    }


def _spoken(turn: Turn) -> str:
    return f"/{turn.name} {turn.text}".rstrip() if turn.kind == "command" else turn.text or turn.kind


def _explain(error: BaseException, told: Gathered) -> None:
    """A failure in words: cause, place and way out."""
    faults = [str(fault) for fault in error.faults] if isinstance(error, InvalidRequest) else str(error).splitlines()
    for line in faults or [type(error).__name__]:
        told.fault(outside(line, limit=_LINE))
