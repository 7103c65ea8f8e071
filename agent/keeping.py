"""Standing goals of a home: handed over by runs, woken, told of, ended."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from agent import orders
from agent.book import Book
from agent.brain.rules.planning.propose import propose
from agent.conversing import Conversing
from agent.documents import RunDocument, Status
from agent.errors import Busy, Fault, GoalkeeperError, InvalidRequest, NoSuchRun
from agent.goal import Goal
from agent.prospect import Prospect, ordered, unreadable
from agent.record.claims import ENDED
from agent.record.ledger import month_of
from agent.record.nudge import worked
from agent.record.rows import RunRow
from agent.runs import command, said_as
from agent.service_state import Standing
from agent.standing import handover, sources
from agent.standing.issue import issue
from agent.standing.reaction import SOURCE, Child
from agent.standing.telling import Level, Levels, level, story
from agent.standing.waking import Desk, Issue, Visit, next_look, visit
from agent.state import Run
from agent.survey import survey
from agent.upkeep import Reacted, Terms
from policies.engine import Policies
from tools.errors import ToolError
from tools.language import tr

MICRO = 1_000_000


class Keeping(Conversing):
    """Runs of one home, and what looks after their endpoints afterwards."""

    def _hand_over(self, run: Run) -> None:
        """Begin the standing goals that a run leaves. Told again, for a run that was interrupted here, it changes
        nothing."""
        if run.contract is None or run.stated is None:
            return
        folder = run.stated.folder
        trained_on = {
            p.name: sources.content(p, folder)
            for p in run.contract.parts
            if p.upkeep is not None and not sources.changed_since(p, folder, run.started)
        }
        for name, terms in handover.terms(run, at=self._clock.now(), trained_on=trained_on):
            self._open_standing(name, terms)

    def _open_standing(self, name: str, terms: Terms) -> None:
        self._store.create(
            run=name,
            goal=terms.goal.text,
            started=terms.began,
            requester=terms.owner,
            standing=(terms.endpoint,),
            kind="standing",
            due=terms.began + terms.every_s,
        )
        with self._owned(name) as book:
            if book.run.standing is None:
                book.add(terms)
                book.status("waiting")
                book.commit()
            state = book.run.standing
            book.due = None if state is None else next_look(state)
        if state is not None and state.closed is None:
            self._replace(name, state.terms)

    def _replace(self, name: str, terms: Terms) -> None:
        """End those that looked after the same endpoint before, in the same way: two would train and extend twice."""
        for row in self._store.rows("standing"):
            if row.id == name or row.status in ENDED:
                continue
            other = self._fold(row.id).standing
            if other is not None and other.closed is None and handover.replaces(terms, other.terms):
                body = {"who": terms.owner, "instead": name}
                self._post(row.id, "cancel", body, at=self._clock.now(), dedupe=f"{row.id}:cancel")

    def _came_home(self, run: Run) -> None:
        """Tell the standing goal that began this run that it is over; where that is lost, its next check sees it."""
        source = run.stated.goal.source if run.stated is not None else ""
        if source.startswith(SOURCE):
            with suppress(NoSuchRun):
                self._store.wake(source.removeprefix(SOURCE), at=self._clock.now())

    def _look_after(self, run: str, row: RunRow | None = None) -> Visit:
        """Wake a standing goal. Busy when another process does."""
        with self._owned(run, row) as book, said_as(book.run):
            self._same_place(book)
            found = visit(book, self._store, self._desk_of(run))
            book.due = found.due
            return found

    def _same_place(self, book: Book) -> None:
        """A run goes on where it began: its jobs and endpoints are there. InvalidRequest elsewhere, and whoever is
        there finds it at once: what woke it has been taken in here for nothing."""
        run = book.run
        if (stated := run.stated) is None:
            return
        for what, then, now in (
            (tr("backend"), stated.backend, self._settings.backend),
            (tr("runtime folder"), stated.runtime, str(self._settings.runtime)),
        ):
            if then != now:
                book.due = self._clock.now()
                fault = tr("it began with the {what} {then}, and this is {now}", what=what, then=then, now=now)
                raise InvalidRequest(Fault(place=run.id, what=fault, fix=tr("go on with that one")))

    def _desk_of(self, run: str) -> Desk:
        return Desk(
            now=self._clock.now,
            read=self._read,
            begin=self._begin_child,
            issue=self._issue,
            spent=lambda: self._spent(run),
            end=self._end_child,
        )

    def _spent(self, run: str) -> float:
        """USD of this month that all runs on its endpoint took or may take."""
        month = month_of(self._clock.now())
        held = [
            a
            for a in self._store.accounts(run)
            if a.holder == "standing" and a.month == month and a.resource == "usd_micro"
        ]
        return sum(a.settled + a.overrun + a.reserved for a in held) / MICRO

    def _issue(self, asked: Reacted, state: Standing) -> Issue:
        """How the run of a reaction stands. Its journal is read only where its row says that there is something."""
        try:
            row = self._store.row(asked.run)
        except NoSuchRun:
            return Issue(begun=False)
        if row.status in ENDED or row.status == "waiting":
            return issue(asked, self._fold(asked.run), row, state, command=command(self._settings))
        return Issue(begun=bool(self._store.lines(asked.run)) if row.status == "planning" else True)

    def _begin_child(self, child: Child) -> str:
        """Begin the run of a reaction; why it cannot be begun."""
        try:
            found = self._foreseen(child)
            if faults := unreadable(found):
                raise InvalidRequest(*faults)
            self._begin(found, child.run)
        except (InvalidRequest, ToolError) as error:
            return str(error) or type(error).__name__
        return ""

    def _foreseen(self, child: Child) -> Prospect:
        """What the run of a reaction begins with: planned on what is there now, and judged like any other."""
        policies: Policies = self._policies
        at, desk = self._clock.now(), self._desk().model_copy(update={"owner": child.owner})
        if child.lease_s is not None:
            endpoint = child.contract.parts[0].endpoint
            contract, seen, plan = orders.extend(
                endpoint, for_s=child.lease_s, owner=child.owner, read=self._read, at=at
            )
            contract = contract.model_copy(update={"budget_usd": child.usd})
        else:
            contract = child.contract
            if why := self._brain.unsupported(contract):
                raise InvalidRequest(*(Fault(place=child.text, what=reason) for reason in why))
            seen = survey(contract, read=self._read, folder=Path(child.folder), at=at)
            terms = self._terms_in(child.folder).model_copy(update={"owner": child.owner})
            plan = propose(contract, seen, terms)
        found = ordered(child.text, contract, seen, plan, desk=desk, accept=child.accept, policies=policies)
        goal = Goal.of(found.stated.goal.text, source=child.source)
        stated = found.stated.model_copy(update={"goal": goal, "folder": child.folder})
        return found.model_copy(update={"stated": stated})

    def _end_child(self, run: str) -> None:
        body = {"who": self._settings.user}
        with suppress(NoSuchRun):
            self._store.row(run)
            self._post(run, "cancel", body, at=self._clock.now(), dedupe=f"{run}:cancel")

    def goals(self) -> Levels:
        """Every standing goal of this home, newest first."""
        if not self._begun:
            return Levels(goals=())
        found = tuple(self.goal(row.id) for row in self._store.rows(kind="standing"))
        going_on = any(level.state != "ended" for level in found)
        # Over a shared store the worker may be anywhere.
        idle = going_on and self._settings.store is None and not worked(self._settings.home)
        return Levels(goals=found, idle=f"{command(self._settings)} worker" if idle else "")

    def goal(self, name: str) -> Level:
        """One standing goal as it stands."""
        id_ = self._resolve(name)
        state = self._fold(id_)
        with said_as(state):
            return level(id_, state, command=command(self._settings), now=self._clock.now())

    def story(self, name: str) -> str:
        """The whole story of a standing goal, as Markdown."""
        id_ = self._resolve(name)
        lines = self._store.lines(id_)
        state = self._fold(id_)
        with said_as(state):
            shown = level(id_, state, command=command(self._settings), now=self._clock.now())
            return story(shown, lines, home=self._settings.home)

    def stands(self, name: str) -> bool:
        """Whether that is a standing goal, and no run."""
        return self._store.row(self._resolve(name)).kind == "standing"

    def show(self, run: str) -> RunDocument:
        """A run's document. InvalidRequest for a standing goal, which is no run."""
        self._no_goal(run)
        return super().show(run)

    def _no_goal(self, run: str) -> None:
        """InvalidRequest where a standing goal is named and only a run will do."""
        if self.stands(run):
            fix = tr("`{command} goals {run}` shows it", command=command(self._settings), run=run)
            raise InvalidRequest(Fault(place=run, what=tr("is a standing goal, and no run"), fix=fix))

    def _status(self, run: Run) -> Status:
        if run.standing is not None and run.standing.closed is not None:
            return "done" if run.standing.closed.by == "time" else "cancelled"
        return super()._status(run)

    def cancel(self, run: str, who: str) -> str:
        """Leave a cancellation for the run's owner; a standing goal ends at once where nobody drives it."""
        id_ = self._resolve(run)
        if self._store.row(id_).kind != "standing":
            return super().cancel(run, who)
        state = self._fold(id_)
        with said_as(state):
            if state.standing is not None and state.standing.closed is not None:
                raise InvalidRequest(Fault(place=id_, what=tr("it has ended already")))
            self._post(id_, "cancel", {"who": who}, at=self._clock.now(), dedupe=f"{id_}:cancel")
            with suppress(Busy, GoalkeeperError):
                self._look_after(id_)
            return tr("{run} is cancelled: its lease is not extended any more.", run=id_)
