"""Stage 6, act: perform approved calls, look at running ones, and turn whatever happens into an outcome.

It accepts nothing but `Approved`. An unknown outcome is resolved by asking the backend, never by
guessing; what may pass is waited out here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from agent.clock import Clock
from agent.guard import Approved
from agent.state import CallState, Ended
from tools.dispatch import Dispatcher
from tools.errors import Cause, Failed, Invalid, NotFound, Refused, ToolError, Transient, Unknown
from tools.jobs import JobFailed
from tools.language import tr
from tools.tool import Call, Done, Outcome, Running

T = TypeVar("T")
PATIENCE = 6
"""How often a call that may pass is made before its cause is reported."""
LONGEST_WAIT_S = 30.0
THREADS = 8
OVERDUE_S = 120.0
"""How long after its hard limit a call is given up: the lease of what it made has ended by then."""


def perform(approved: Sequence[Approved], dispatcher: Dispatcher, clock: Clock) -> list[Ended]:
    """Start every call, in parallel when there are several; one outcome each, in the order given."""
    if len(approved) == 1:
        return [_start(approved[0].call, dispatcher, clock)]
    with ThreadPoolExecutor(max_workers=min(THREADS, max(1, len(approved)))) as pool:
        started = [pool.submit(copy_context().run, _start, a.call, dispatcher, clock) for a in approved]
        return [one.result() for one in started]


def resume(approved: Approved, dispatcher: Dispatcher, clock: Clock) -> Ended:
    """A call whose intent is journalled and whose outcome is not: adopt what is there, else make it now."""
    call = approved.call
    return _guarded(call, lambda: _find_or_start(call, dispatcher, clock))


def look(state: CallState, dispatcher: Dispatcher) -> Ended | None:
    """Running work, looked at once; None while it goes on or cannot be seen now."""
    if state.handle is None:
        return None
    handle, call = state.handle, state.call
    try:
        ended = _guarded(call, lambda: dispatcher.follow(call, handle), pass_on=(Transient, Unknown))
    except (Transient, Unknown):
        return None  # a look has no effect: the next one will tell
    return None if ended.phase == "running" else ended


def overdue(state: CallState, dispatcher: Dispatcher, *, now: float) -> Ended | None:
    """The failure of work that nobody has seen end long after its hard limit and its lease; None before."""
    limit = state.call.limit_s
    if state.started_at is None or now <= state.started_at + limit + OVERDUE_S:
        return None
    stop([state], dispatcher)
    return _failed(state.call, "timeout", tr("it was not seen to end within its limit of {limit:g} s", limit=limit))


def stop(states: Sequence[CallState], dispatcher: Dispatcher) -> None:
    """End running work, as far as it can be ended."""
    for state in states:
        if state.handle is not None:
            with suppress(ToolError):  # the next look tells; what cannot be ended ends by its own limit
                dispatcher.stop(state.call, state.handle)


_FOR_THE_RUN = ("bring_model",)
"""What these make is there for their run alone."""


def put_away(states: Sequence[CallState], dispatcher: Dispatcher) -> None:
    """At the end of a run: copies that were made for it alone go with it, unless an endpoint serves from one."""
    served = [s.call.args.get("model") for s in states if s.call.tool == "deploy_model"]
    for state in states:
        key = state.ended.result.get("key") if state.ended is not None and state.ended.result is not None else None
        if state.call.tool in _FOR_THE_RUN and state.started_at is not None and (key is None or key not in served):
            with suppress(ToolError):  # it lies where only this run's calls look
                dispatcher.stop(state.call, state.handle or "")


def _start(call: Call, dispatcher: Dispatcher, clock: Clock) -> Ended:
    def once() -> Outcome:
        try:
            return _patiently(lambda: dispatcher.start(call), clock)
        except Unknown:
            return _find_or_start(call, dispatcher, clock)

    return _guarded(call, once)


def _find_or_start(call: Call, dispatcher: Dispatcher, clock: Clock) -> Outcome:
    """Law 3: look first, and again after every answer that was lost. Unknown only when it is known to be absent."""
    lost = Unknown()
    for _ in range(PATIENCE):
        try:
            found = _find(call, dispatcher, clock)
            return found if found is not None else _patiently(lambda: dispatcher.start(call), clock)
        except Unknown as error:
            lost = error
    if (found := _find(call, dispatcher, clock)) is not None:
        return found
    raise lost


def _find(call: Call, dispatcher: Dispatcher, clock: Clock) -> Outcome | None:
    """What the backend knows of the call; a list may lie for a while, so that is waited out before it is believed."""
    try:
        found = _patiently(lambda: dispatcher.find(call), clock)
        if found is None and (wait := dispatcher.staleness_s(call)):
            clock.sleep(wait)
            found = _patiently(lambda: dispatcher.find(call), clock)
    except Transient as error:
        # Not a cause that may be tried again: a second attempt could make the same thing twice.
        raise Failed(
            tr("it cannot be seen what became of {call}: {error}", call=call.id, error=error), cause="unknown"
        ) from error
    return found


def _patiently(ask: Callable[[], T], clock: Clock) -> T:
    """Ask; if the backend says that it may pass, wait as long as it says and ask again, a few times."""
    try:
        return ask()
    except Transient as error:
        first = _seconds(error)
    retrying = Retrying(
        stop=stop_after_attempt(PATIENCE - 1),
        wait=lambda state: _seconds(state.outcome.exception() if state.outcome is not None else None),
        retry=retry_if_exception_type(Transient),
        sleep=clock.sleep,
        reraise=True,
    )
    clock.sleep(first)
    return retrying(ask)


def _seconds(error: BaseException | None) -> float:
    return min(LONGEST_WAIT_S, error.retry_after_s if isinstance(error, Transient) else 1.0)


def _guarded(call: Call, ask: Callable[[], Outcome], *, pass_on: tuple[type[ToolError], ...] = ()) -> Ended:
    try:
        outcome = ask()
    except pass_on:
        raise
    except JobFailed as error:
        failed = _failed(call, error.cause, str(error), faults=error.faults, evidence=error.evidence)
        return failed.model_copy(update={"billed_micro": error.usd_micro})
    except ToolError as error:
        return _failed(call, _cause(error), str(error), faults=error.faults if isinstance(error, Invalid) else ())
    except Exception as error:  # noqa: BLE001 - recorded as a typed failure; an unrecorded one would leave the intent open
        return _failed(call, "unknown", f"{type(error).__name__}: {error}")
    if isinstance(outcome, Running):
        return Ended(call=call.id, phase="running", handle=outcome.handle)
    assert isinstance(outcome, Done)
    return Ended(call=call.id, phase="done", result=outcome.result, billed_micro=outcome.usd_micro)


def _cause(error: ToolError) -> Cause:
    match error:
        case Failed():
            return error.cause
        case Refused():
            return "permission"
        case NotFound():
            return "data_missing"
        case Invalid():
            return "data_invalid"
        case Transient() | Unknown():
            return "network"
        case _:
            return "unknown"


def _failed(
    call: Call, cause: Cause, message: str, *, faults: tuple[str, ...] = (), evidence: tuple[str, ...] = ()
) -> Ended:
    return Ended(call=call.id, phase="failed", cause=cause, message=message, faults=faults, evidence=evidence)
