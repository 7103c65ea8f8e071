"""What asking a language model costs a run, entered before and after each request; also before there is a journal."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from agent.accounts import caps
from agent.clock import Clock
from agent.record.ledger import Cap, model_call
from agent.record.store import Store
from policies.limits import Limits


class RunAccount:
    """The accounts of one run, for its brain. Until there is a contract it has what the operator allows before one."""

    def __init__(
        self, run: str, *, store: Callable[[], Store], requester: str, clock: Clock, limits: Limits, planned: bool
    ) -> None:
        """`store`: opened by the first request, so that nothing is made where no model is asked."""
        self._run = run
        self._store = store
        self._requester = requester
        self._clock = clock
        self._caps = _allowed(limits, planned=planned)
        self._activation = secrets.token_hex(3)

    def reserve(self, call: str, *, tokens: int, usd_micro: int) -> None:
        """OverLimit when an account of the run does not allow it."""
        self._enter(call, tokens, usd_micro, settle=False)

    def settle(self, call: str, *, tokens: int, usd_micro: int) -> None:
        """What was used; more than was reserved is an overrun, which is kept as one."""
        self._enter(call, tokens, usd_micro, settle=True)

    def _enter(self, call: str, tokens: int, usd_micro: int, *, settle: bool) -> None:
        # Another process that goes on with the run counts its calls from one again.
        name = f"model/{call}/{self._activation}"
        money = model_call(name, tokens=tokens, usd_micro=usd_micro, settle=settle)
        at = self._clock.now()
        self._store().enter(self._run, requester=self._requester, at=at, money=money, caps=self._caps)


def _allowed(limits: Limits, *, planned: bool) -> Sequence[Cap]:
    """The operator's limits, the run's own the narrower one as long as nobody knows what the goal is."""
    if planned:
        return caps(limits)
    first = Cap(holder="run", resource="tokens", most=min(limits.tokens.before_contract, limits.tokens.per_run))
    return (*(c for c in caps(limits) if (c.holder, c.resource) != ("run", "tokens")), first)
