"""Planning goals and beginning runs: what every door asks before anything is driven."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread

from agent import accounts, orders
from agent.book import Book
from agent.brain.protocol import Terms
from agent.brain.rules.planning.propose import propose
from agent.clock import SteadyClock
from agent.contract import Contract
from agent.documents import PlanDocument
from agent.errors import Fault, InvalidRequest, OverLimit
from agent.lines import Consulted
from agent.owned import LEASE_S, owned
from agent.past import Past, recalled
from agent.plan import Plan
from agent.prospect import Desk, Prospect, Request, ordered, prospect, unreadable
from agent.record.ledger import Cap, Purse, allowed
from agent.record.rows import RunRow
from agent.runs import Runs
from agent.state import Run
from agent.survey import Survey, survey
from agent.tokens import RunAccount
from tools.language import language_of, speaking, tr

RECALLED = 400
"""How much past work is looked through: the newest of this home."""


class Starting(Runs):
    """Goals of one home, up to the first line of a run's journal."""

    lease_s: float = LEASE_S
    """How long this session may not be heard of before another goes on with a run of its."""
    _shown: tuple[Request, Prospect, str] | None = None
    """What was planned last and not begun, and the name that what it was asked of a model is entered under."""

    def plan(self, request: Request) -> PlanDocument:
        """Contract, plan, approvals and feasibility: no effect. InvalidRequest for contradictions."""
        run = self._signing.name()
        found = self._prospect(request, run)
        self._shown = (request, found, run)
        return found.document()

    def start(self, request: Request) -> str:
        """A new run's id. InvalidRequest when data cannot be used; then nothing is left behind.

        What this session has shown is what begins: the same words are not understood a second time.
        """
        run, asked = self._signing.name(), tuple[Consulted, ...]()
        if self._shown is not None and request.same_words(self._shown[0]):
            _, shown, run = self._shown
            request, asked = request.model_copy(update={"answer": shown.answer}), shown.consulted
        found = self._prospect(request, run)
        if faults := unreadable(found):
            raise InvalidRequest(*faults)
        self._shown = None
        return self._begin(found.model_copy(update={"consulted": (*asked, *found.consulted)}), run)

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

    def _begin(self, found: Prospect, name: str | None = None) -> str:
        run = name or self._signing.name()
        try:
            self._store.create(
                run=run,
                goal=found.stated.goal.text,
                started=self._clock.now(),
                requester=found.stated.owner,
                standing=sorted(found.survey.endpoints) if found.survey is not None else (),
                bounds=accounts.bounds(found.understood.contract),
            )
        except OverLimit as error:  # a new run has nothing reserved but what asking a model took
            what = tr("asking the model has cost more already than the goal allows")
            raise InvalidRequest(
                Fault(place="budget_usd", what=what, fix=tr("allow more, or use --brain rules"))
            ) from error
        with self._owned(run) as book:
            seen = (found.stated, *found.consulted, found.understood, found.survey, *found.looked, found.planned)
            if book.run.seq == 0:  # a run that another had begun before it was interrupted begins once
                for record in seen:
                    if record is not None:
                        book.add(record)
                book.commit()
        return run

    def _prospect(self, request: Request, run: str) -> Prospect:
        """Secrets are taken out before anything is understood: what is planned is what will be journalled. `run`: who
        pays for what a model is asked."""
        request = self._settings.redaction.record(request)
        Thread(target=self._policies.prepare, daemon=True).start()  # while the data are looked at
        self._brain.draws_on(self._account(run, planned=False))
        with speaking(language_of(request.text)), self._observer.planning(run):
            found = prospect(request, desk=self._desk(), brain=self._brain, read=self._read, policies=self._policies)
            return found.with_consulted(self._brain.consulted())

    def _account(self, run: str, *, planned: bool) -> RunAccount:
        return RunAccount(
            run,
            store=lambda: self._store,
            requester=self._settings.user,
            clock=SteadyClock(),  # a model is paid for in real months, also by a simulated world
            limits=self._policies.limits,
            planned=planned,
        )

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
            past=self._past(),
        )

    def _past(self) -> tuple[Past, ...]:
        return recalled(self._store.remembered(RECALLED)) if self._begun else ()

    @property
    def _caps(self) -> tuple[Cap, ...]:
        return accounts.caps(self._policies.limits)

    def _owned(self, run: str, row: RunRow | None = None) -> AbstractContextManager[Book]:
        """The run's journal, owned by this process as long as the block lasts. `row`: as it was read just now."""
        return owned(
            run,
            store=self._store,
            clocks=self._clocks,
            signing=self._signing,
            redaction=self._settings.redaction,
            caps=self._caps,
            lease_s=self.lease_s,
            observer=self._observer,
            row=row,
        )

    def _terms(self, run: Run) -> Terms:
        return self._terms_in(run.stated.folder if run.stated is not None else ".")

    def _terms_in(self, folder: str) -> Terms:
        settings = self._settings
        return Terms(load_rps=settings.load_rps, lease_s=settings.endpoint_lease_s, owner=settings.user, folder=folder)
