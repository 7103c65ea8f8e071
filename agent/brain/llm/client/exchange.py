"""One answer of a model, over as many requests as it takes: metered, repeated, stepped down to what a server takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from langchain_core.messages import AIMessage
from langsmith import tracing_context
from pydantic import BaseModel

from agent.brain.llm.client import forms
from agent.brain.llm.client.chat import Chat
from agent.brain.llm.client.errors import Declined, NoAnswer, Spent, Unavailable, Unfit
from agent.brain.llm.client.forms import Said
from agent.brain.llm.client.habits import Habits
from agent.brain.llm.client.metering import Meter, Used, estimated
from agent.brain.llm.client.retrying import repeated
from agent.brain.llm.client.streamed import Usage
from agent.brain.llm.client.wire import Wire
from agent.lines import Form
from tools.language import tr
from tools.record import Json

MOST_REQUESTS = 10
"""Over HTTP, for one answer with all that is repeated."""


@dataclass
class Tally:
    """What one answer has come to so far."""

    form: Form | None = None
    requests: int = 0
    used: list[Used] = field(default_factory=list)

    @property
    def usd_micro(self) -> int | None:
        sums = [used.usd_micro for used in self.used]
        return None if None in sums else sum(usd or 0 for usd in sums)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and what it draws on."""

    id: str
    system: str
    user: str
    answer: type[BaseModel]
    left: Callable[[], float]
    """Seconds until the answer must be there."""
    beat: Callable[[int], None]
    tally: Tally


class Exchange:
    """Asks one endpoint."""

    def __init__(self, wire: Wire, habits: Habits, meter: Meter) -> None:
        self._wire, self._habits, self._meter = wire, habits, meter

    def answer(self, question: Question, repair: tuple[Said, Sequence[str]] | None = None) -> Said:
        """What the model says. NoAnswer. A form that the server refuses, or ignores, is given up for a laxer one."""
        while True:
            form = self._habits.form
            question.tally.form = form
            try:
                message = repeated(partial(self._request, question, form, repair), left=question.left)
            except Unfit as refused:
                if not self._habits.learn(refused.says, form):
                    raise
                continue
            said = forms.said(form, message)
            if not (said.is_prose and repair is None and self._habits.ignored(form)):
                return said

    def _request(self, question: Question, form: Form, repair: tuple[Said, Sequence[str]] | None) -> AIMessage:
        """One request over HTTP."""
        left, tally = question.left(), question.tally
        if left <= 0 or tally.requests >= MOST_REQUESTS:
            raise Spent(tr("the model had its time and its tries for this answer"))
        chat = Chat(wire=self._wire, habits=self._habits, left_s=left, beat=question.beat)
        talk = forms.messages(form, question.system, question.user, question.answer, repair)
        options = forms.options(form, question.answer)
        body = chat.body(talk, **options)
        reserved = self._meter.reserve(f"{question.id}/{tally.requests + 1}", body)
        tally.requests += 1
        usage, counted, worked = None, True, True
        try:
            with tracing_context(enabled=False):  # what is asked goes to the model and to nobody else
                message = chat.invoke(talk, **options)
            usage, counted = _usage(message, body)
            _willing(message)
            return message
        except NoAnswer as error:
            worked = error.worked
            usage = usage if worked else Usage(read=0, written=0)
            raise self._refusal(error, form) from error
        finally:
            tally.used.append(self._meter.settle(reserved, usage, counted=counted, worked=worked))

    def _refusal(self, error: NoAnswer, form: Form) -> NoAnswer:
        """Some servers break where others refuse: what names a parameter is a refusal."""
        if isinstance(error, Unavailable) and error.says and self._habits.names(error.says, form):
            return Unfit(error.why, says=error.says)
        return error


def _usage(message: AIMessage, body: Json) -> tuple[Usage, bool]:
    """What the server says that it used, and True; or what it must have been about, and False."""
    told, length = message.usage_metadata, len(message.text) + sum(len(str(c["args"])) for c in message.tool_calls)
    if told is None or (told["output_tokens"] == 0 and length):
        return estimated(body, length), False
    return Usage(read=told["input_tokens"], written=told["output_tokens"]), True


def _willing(message: AIMessage) -> None:
    """Declined when the model, or a filter, does not want to."""
    if message.additional_kwargs.get("refusal"):
        raise Declined(tr("the model does not want to answer this"))
    if message.response_metadata.get("finish_reason") == "filtered":
        raise Declined(tr("a filter of the model's server withheld the answer"))
