"""What asking costs: reserved before every request, settled after it. Nothing is free because its price is unknown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from agent.brain.llm.client.endpoint import Endpoint
from agent.brain.llm.client.errors import Spent, Unpriced
from agent.brain.llm.client.streamed import Usage
from agent.brain.protocol import Account
from agent.errors import OverLimit
from tools.language import tr
from tools.record import Json

_TEMPLATE = 512
"""Tokens that a server may put around what is asked."""
_CHARACTERS = 3
"""To a token, where the server does not count: more tokens than most texts have."""
_MOST_CHARACTERS = 10
"""To a token of any vocabulary, over a whole prompt: what a server counts below that is not believed."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What one request may use at most."""

    call: str
    read: int
    written: int
    least: int = 0
    """What its messages cannot be fewer than."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What it used."""

    read: int = 0
    written: int = 0
    usd_micro: int | None = 0
    """None: no price is known."""
    counted: bool = True
    """By the server; else it is our estimate."""


def most_read(body: Json) -> int:
    """Tokens of a request: at most one a byte, since no vocabulary has smaller pieces, and what is put around it."""
    return len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass")) + _TEMPLATE


def estimated(asked: Json, answered: int) -> Usage:
    """What an answer of so many characters came to where the server does not say."""
    told = len(json.dumps(asked, ensure_ascii=False))
    return Usage(read=math.ceil(told / _CHARACTERS), written=math.ceil(answered / _CHARACTERS))


class Meter:
    """Draws on an account for one endpoint. Safe to use from several threads, as far as its account is."""

    def __init__(self, endpoint: Endpoint, consent: Callable[[str], bool] | None) -> None:
        self._endpoint, self._consent = endpoint, consent
        self._lock = Lock()
        self._agreed: bool | None = None
        self.account: Account | None = None

    def reserve(self, call: str, body: Json) -> Reservation:
        """Room for one request. Spent, Unpriced."""
        self._priced()
        least = len(json.dumps(body.get("messages"), ensure_ascii=False)) // _MOST_CHARACTERS
        reserved = Reservation(call=call, read=most_read(body), written=self._endpoint.most_tokens, least=least)
        if self.account is not None:
            tokens, usd = reserved.read + reserved.written, self._usd(reserved.read, reserved.written) or 0
            try:
                self.account.reserve(call, tokens=tokens, usd_micro=usd)
            except OverLimit as error:
                raise Spent(tr("what a model may cost here is used up")) from error
        return reserved

    def settle(self, reserved: Reservation, usage: Usage | None, *, counted: bool = True, worked: bool = True) -> Used:
        """Pay for it. `usage`: None where nobody knows: then it is what was reserved. `worked`: it was not refused."""
        read, written = (reserved.read, reserved.written) if usage is None else (usage.read, usage.written)
        if worked:  # a server that says less has not counted what it was sent
            read = max(read, reserved.least)
        usd = self._usd(read, written)
        if self.account is not None:
            self.account.settle(reserved.call, tokens=read + written, usd_micro=usd or 0)
        return Used(read=read, written=written, usd_micro=usd, counted=counted and usage is not None)

    def _usd(self, read: int, written: int) -> int | None:
        """Micro-USD: dollars per million tokens are micro-dollars per token."""
        price = self._endpoint.price
        return None if price is None else math.ceil(read * price[0] + written * price[1])

    def _priced(self) -> None:
        """Unpriced unless the price is known, or somebody agreed to ask without. They are asked once."""
        if self._endpoint.price is not None:
            return
        with self._lock:
            if self._agreed is None:
                self._agreed = self._consent is not None and self._consent(self._question())
            if not self._agreed:
                raise Unpriced(
                    tr("what {model} costs is not known: set GOALKEEPER_MODEL_PRICE", model=self._endpoint.model)
                )

    def _question(self) -> str:
        model, url = self._endpoint.model, self._endpoint.url
        return tr(
            "What {model} at {url} costs is not known. Ask it all the same, with its money not counted?",
            model=model,
            url=url,
        )
