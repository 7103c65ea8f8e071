"""Somebody who asks a model server over HTTP, and what they ask: small records, short patience, a counting account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pytest
from pydantic import SecretStr

from agent.brain.llm.client.asking import Asker
from agent.brain.llm.client.endpoint import Endpoint
from agent.settings import ModelForm
from evals.model_server.asked import Asked
from evals.model_server.parameters import Lack, Serves
from evals.model_server.replies import Model, Reply
from evals.model_server.server import KEY, ModelServer
from prompts.load import load
from tools.record import Record
from tools.redact import Redaction

PROMPT = "answer"


class Patience(NamedTuple):
    """Longest silence, and longest time for an answer; seconds."""

    gap_s: float
    deadline_s: float


SHORT = Patience(0.3, 0.45)
"""For a server that will not answer: the time is up before anything is tried again."""
LONG = Patience(30.0, 60.0)
"""For everything else, however slow this machine is just now."""


def sampled(names: Iterable[str], every: int = 2) -> list[object]:
    """All of them as parameters; those between every so many are slow."""
    return [pytest.param(n, marks=[pytest.mark.slow] if k % every else []) for k, n in enumerate(names)]


class Verdict(Record):
    """What is asked for here."""

    verdict: Literal["yes", "no"]
    reason: str
    sure: float | None


GOOD = {"verdict": "yes", "reason": "because", "sure": 0.5}


@dataclass
class Purse:
    """An account that counts."""

    reserved: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)

    def reserve(self, call: str, *, tokens: int, usd_micro: int) -> None:
        assert tokens > 0
        assert usd_micro >= 0
        assert call not in self.reserved
        self.reserved[call] = tokens

    def settle(self, call: str, *, tokens: int, usd_micro: int) -> None:
        assert tokens >= 0
        assert usd_micro >= 0
        assert call in self.reserved
        assert call not in self.settled
        self.settled[call] = tokens


@contextmanager
def serving(model: Model, *lacks: Lack, context_tokens: int = 128_000) -> Iterator[ModelServer]:
    """A strict server that must not have refused anything but what it was told to lack."""
    with ModelServer(model, serves=Serves(lacks=frozenset(lacks), context_tokens=context_tokens)) as server:
        yield server
        assert server.wrong == []


def endpoint(url: str, *, form: ModelForm = "schema", patience: Patience = LONG) -> Endpoint:
    return Endpoint(
        url=url,
        key=SecretStr(KEY),
        model="scripted",
        form=form,
        gap_s=patience.gap_s,
        deadline_s=patience.deadline_s,
        price=(1.0, 2.0),
    )


def asker(url: str, *, form: ModelForm = "schema", patience: Patience = LONG) -> Asker:
    return Asker(endpoint(url, form=form, patience=patience), redaction=Redaction({}))


def asked_for_a_verdict(one: Asker) -> Verdict:
    variables = dict.fromkeys(load(PROMPT).variables, "Is it so?")
    return one.ask("answer", PROMPT, variables, Verdict)


def in_turn(replies: Sequence[Reply]) -> Callable[[Asked], Reply]:
    """One reply after the other; the last for ever."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]
