"""Asking a model for a record: one prompt, one typed answer, at most one round of mending, all of it bounded.

What leaves is redacted first. Whatever a server or a model does, the caller gets a record that passed every check, or
`NoAnswer`; and the journal gets one line for each question.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel

from agent.brain.llm.client.breaker import Breaker
from agent.brain.llm.client.endpoint import Endpoint
from agent.brain.llm.client.errors import Declined, NoAnswer, Nonsense, Spent, Unavailable, Unpriced
from agent.brain.llm.client.habits import habits_of
from agent.brain.llm.client.metering import Meter
from agent.brain.llm.client.reading import read
from agent.brain.protocol import Account
from agent.lines import Consulted, Purpose
from prompts.load import Prompt, load
from tools.language import tr
from tools.record import Record
from tools.redact import Redaction

if TYPE_CHECKING:
    from agent.brain.llm.client.exchange import Exchange, Question, Tally
    from agent.brain.llm.client.forms import Said

R = TypeVar("R", bound=BaseModel)
Outcome = Literal["answered", "invalid", "declined", "failed", "skipped"]


class Progress(Record):
    """How far an answer has come."""

    purpose: Purpose
    seconds: float
    """Since it was asked."""
    characters: int
    """Received so far, of the request that is under way."""


def _no_faults(_: object) -> tuple[str, ...]:
    return ()


class Asker:
    """Asks one endpoint. Safe to use from several threads, as far as its account is."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        redaction: Redaction,
        consent: Callable[[str], bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`consent` is asked, once, whether a model may be asked whose price is not known. `now`: seconds."""
        self.endpoint = endpoint
        self._redaction, self._progress, self._now = redaction, progress, now
        self._meter = Meter(endpoint, consent)
        self._breaker = Breaker(now)
        self._turns = BoundedSemaphore(endpoint.concurrency)
        self._lock = Lock()
        self._asked: Counter[Purpose] = Counter()
        self._lines: list[Consulted] = []

    def draws_on(self, account: Account) -> None:
        """From now on what is asked is paid from there."""
        self._meter.account = account

    def ask(
        self,
        purpose: Purpose,
        prompt: str,
        variables: Mapping[str, str],
        answer: type[R],
        *,
        check: Callable[[R], tuple[str, ...]] = _no_faults,
    ) -> R:
        """The model's answer to `prompts/PROMPT.md`, without a fault that the record or `check` finds.

        An answer with faults is sent back once, with all of them. NoAnswer for whatever a server or a model does.
        """
        loaded = load(prompt)
        user = self._redaction.text(loaded.render(variables))
        from agent.brain.llm.client.exchange import (  # the SDK is loaded when the first question is asked
            Question,
            Tally,
        )

        with self._noted(purpose, loaded, tally := Tally()) as id_:
            started = self._now()
            question = Question(
                id=id_,
                system=self._redaction.text(loaded.system),
                user=user,
                answer=answer,
                left=lambda: started + self.endpoint.deadline_s - self._now(),
                beat=lambda characters: self._beat(purpose, started, characters),
                tally=tally,
            )
            with self._turn(question):
                return self._mended(question, answer, check)

    def consulted(self) -> tuple[Consulted, ...]:
        """What was asked since the last look."""
        with self._lock:
            lines, self._lines = tuple(self._lines), []
        return lines

    def note_instead(self, purpose: Purpose) -> None:
        """The embedded brain did what was asked last for this purpose."""
        with self._lock:
            for place in range(len(self._lines) - 1, -1, -1):
                if self._lines[place].purpose == purpose:
                    self._lines[place] = self._lines[place].model_copy(update={"instead": True})
                    return

    def _mended(self, question: Question, answer: type[R], check: Callable[[R], tuple[str, ...]]) -> R:
        """The first answer without a fault, of two at most."""
        said = self._exchange.answer(question)
        found, faults = _judged(said, answer, check)
        if found is not None:
            return found
        before, told = said, tuple(self._redaction.text(fault) for fault in faults)
        shown = self._exchange.answer(question, (self._without_secrets(before), told))
        found, faults = _judged(shown, answer, check)
        if found is not None:
            return found
        if shown.text.strip() == before.text.strip():
            raise Nonsense(tr("the model gave the same answer again, and it cannot be used"), *faults)
        raise Nonsense(tr("the model's answers cannot be used"), *faults)

    def _without_secrets(self, said: Said) -> Said:
        """An answer as it may be shown to its own model again: a server may be another one by then."""
        from dataclasses import replace

        clean = self._redaction.text(said.text)
        return said if clean == said.text else replace(said, text=clean, called=False)

    @cached_property
    def _exchange(self) -> Exchange:
        from agent.brain.llm.client.exchange import Exchange
        from agent.brain.llm.client.wire import Wire

        endpoint = self.endpoint
        return Exchange(Wire(endpoint), habits_of(endpoint.url, endpoint.model, endpoint.form), self._meter)

    def _beat(self, purpose: Purpose, started: float, characters: int) -> None:
        if self._progress is not None:
            self._progress(Progress(purpose=purpose, seconds=self._now() - started, characters=characters))

    @contextmanager
    def _turn(self, question: Question) -> Iterator[None]:
        """A turn with the server, unless it is left alone; how it went counts. Unavailable when there is none."""
        if (rests := self._breaker.rests()) is not None:
            why = tr("the model's server failed several times and is left alone for {rests:.0f} s", rests=rests)
            raise Unavailable(why, retry_after_s=rests)
        if not self._turns.acquire(timeout=max(0.0, question.left())):
            self._breaker.undecided()
            raise Unavailable(tr("too many questions to the model are under way"))
        try:
            yield
        except (Spent, Unpriced):
            self._breaker.undecided()
            raise
        except Declined:
            self._breaker.worked()
            raise
        except NoAnswer:
            self._breaker.failed()
            raise
        except BaseException:
            self._breaker.undecided()
            raise
        else:
            self._breaker.worked()
        finally:
            self._turns.release()

    @contextmanager
    def _noted(self, purpose: Purpose, prompt: Prompt, tally: Tally) -> Iterator[str]:
        """One line for the journal, however it ends."""
        with self._lock:
            self._asked[purpose] += 1
            id_ = f"{purpose}-{self._asked[purpose]}"
        started = self._now()
        outcome: Outcome = "failed"
        why = tr("it was interrupted")
        try:
            yield id_
            outcome, why = "answered", ""
        except NoAnswer as error:
            outcome, why = _outcome(error, tally), error.why
            raise
        finally:
            if any(not used.counted for used in tally.used):
                why = "; ".join(
                    filter(None, [why, tr("its server did not say how many tokens it used: they are estimated")])
                )
            line = Consulted(
                id=id_,
                purpose=purpose,
                model=self.endpoint.model,
                prompt=prompt.title,
                outcome=outcome,
                why=why,
                form=tally.form,
                requests=tally.requests,
                tokens_in=sum(used.read for used in tally.used),
                tokens_out=sum(used.written for used in tally.used),
                usd_micro=tally.usd_micro,
                seconds=round(self._now() - started, 3),
            )
            with self._lock:
                self._lines.append(line)


def _judged(said: Said, answer: type[R], check: Callable[[R], tuple[str, ...]]) -> tuple[R | None, tuple[str, ...]]:
    """The record, or every fault of the answer: of its form, or else of what it says."""
    try:
        found, faults = read(said.text, answer)
        if found is None or (said.faults and said.called):
            return None, (*said.faults, *faults)
        wrong = check(found)
    except Exception as error:  # noqa: BLE001 - what a check stumbles over is a fault of the answer, and told as one
        return None, (f"the answer cannot be checked ({type(error).__name__})",)
    return (None, wrong) if wrong else (found, ())


def _outcome(error: NoAnswer, tally: Tally) -> Outcome:
    if tally.requests == 0:
        return "skipped"
    if isinstance(error, Declined):
        return "declined"
    return "invalid" if isinstance(error, Nonsense) else "failed"
