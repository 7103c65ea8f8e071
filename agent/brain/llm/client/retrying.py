"""When a server is asked once more: only for what may pass, as it says or later and later, never beyond the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from agent.brain.llm.client.errors import Unavailable
from tools.language import tr

ATTEMPTS = 3
_LATER = wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.5)

T = TypeVar("T")


def repeated(ask: Callable[[], T], *, left: Callable[[], float], sleep: Callable[[float], None] = time.sleep) -> T:
    """What `ask` returns, after at most ATTEMPTS tries. Its own errors.

    `left`: seconds until the answer must be there. A server that asks for more patience than that is given up at once.
    """

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= left()

    again = Retrying(retry=retry_if_exception_type(Unavailable), wait=_wait, stop=stop, sleep=sleep, reraise=True)
    try:
        return again(ask)
    except Unavailable as error:
        if error.retry_after_s is None or error.retry_after_s < left():
            raise
        why = tr("{why}; it asks to be left alone for {wait:.0f} s", why=error.why, wait=error.retry_after_s)
        raise Unavailable(why, retry_after_s=error.retry_after_s, worked=error.worked) from error


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    said = error.retry_after_s if isinstance(error, Unavailable) else None
    return _LATER(state) if said is None else said
