"""Stage 6, act: perform approved calls, look at running ones, and turn whatever happens into an outcome.

It accepts nothing but `Approved`. An unknown outcome is resolved by asking the backend, never by
guessing; what may pass is waited out here, as `agent.patience` bounds it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace

from agent.errors import Busy, GoalkeeperError
from agent.guard import Approved
from agent.patience import Interrupted, Turn, Waits
from agent.state import CallState, Ended
from tools.dispatch import Dispatcher
from tools.errors import Cause, Failed, Invalid, NotFound, Refused, Superseded, ToolError, Transient, Unknown
from tools.jobs import JobFailed
from tools.language import tr
from tools.tool import Call, Done, Outcome, Running

THREADS = 8
OVERDUE_S = 120.0
"""How long after its hard limit a call is given up: the lease of what it made has ended by then."""
WIND_DOWN_S = 20.0
"""How long a cancelled run tries to end what runs and to take back what it made, beside the backend's own time to end
something. What is not seen to end by then is left to its limit and its lease, and reported."""


def perform(approved: Sequence[Approved], dispatcher: Dispatcher, waits: Waits) -> list[Ended]:
    """Start every call, in parallel when there are several; their outcomes in the order given.

    A call without one was handed over: its wait was ended because the process is to stop, and whoever goes on with the
    run finds its intent.
    """
    if len(approved) == 1:
        return _known([_start(approved[0].call, dispatcher, waits)])
    with ThreadPoolExecutor(max_workers=min(THREADS, max(1, len(approved)))) as pool:
        started = [pool.submit(copy_context().run, _start, a.call, dispatcher, waits) for a in approved]
        return _known([one.result() for one in started])


def resume(approved: Approved, dispatcher: Dispatcher, waits: Waits) -> Ended | None:
    """A call whose intent is journalled and whose outcome is not: adopt what is there, else make it now.

    None when the process is to stop before that is known.
    """
    call = approved.call
    return _guarded(call, lambda: _find_or_start(call, dispatcher, waits, waits.of(call)))


def _known(outcomes: Sequence[Ended | None]) -> list[Ended]:
    return [ended for ended in outcomes if ended is not None]


def look(state: CallState, dispatcher: Dispatcher) -> Ended | None:
    """Running work, looked at once; None while it goes on or cannot be seen now."""
    if state.handle is None:
        return None
    handle, call = state.handle, state.call
    try:
        ended = _guarded(call, lambda: dispatcher.follow(call, handle), pass_on=(Transient, Unknown))
    except (Transient, Unknown):
        return None  # a look has no effect: the next one will tell
    return None if ended is None or ended.phase == "running" else ended


def overdue(
    state: CallState, dispatcher: Dispatcher, *, now: float, taken: float = 0.0, wound_at: float | None = None
) -> Ended | None:
    """The failure of work that nobody has seen end long after its hard limit and its lease; None before.

    `taken`: since when this process drives the run. Work that is seen running counts from there at the earliest: what a
    clock that was set meanwhile tells of the time before is not known. `wound_at`: since when a cancelled run winds
    down and what runs was told to end; then that must be seen soon.
    """
    limit, began = state.call.limit_s, state.started_at
    if began is not None and now > began + limit + OVERDUE_S:
        if now <= max(began, taken) + limit + OVERDUE_S and _runs(state, dispatcher):
            return None
        said = tr("it was not seen to end within its limit of {limit:g} s", limit=limit)
    elif wound_at is not None and now > wound_at + WIND_DOWN_S + dispatcher.ending_s(state.call):
        said = tr("it was not seen to end when the run was wound down: its own limit and lease end it")
    else:
        return None
    stop([state], dispatcher)
    return _failed(state.call, "timeout", said).model_copy(update={"handle": state.handle})


def _runs(state: CallState, dispatcher: Dispatcher) -> bool:
    """The backend says that the work goes on."""
    with _as_owner(), _if_possible():
        return state.handle is not None and isinstance(dispatcher.follow(state.call, state.handle), Running)
    return False


def stop(states: Sequence[CallState], dispatcher: Dispatcher) -> None:
    """End running work, as far as it can be ended: in that order, and all at the same time where each takes time."""

    def end(state: CallState, handle: str) -> None:
        with _as_owner(), _if_possible():  # the next look tells; what cannot be ended ends by its own limit
            dispatcher.stop(state.call, handle)

    held = [(state, state.handle) for state in states if state.handle is not None]
    if not any(dispatcher.ending_s(state.call) for state, _ in held):
        for state, handle in held:
            end(state, handle)
        return
    with ThreadPoolExecutor(max_workers=min(THREADS, len(held))) as pool:
        for ended in [pool.submit(copy_context().run, end, state, handle) for state, handle in held]:
            ended.result()


_FOR_THE_RUN = ("bring_model",)
"""What these make is there for their run alone."""


def put_away(states: Sequence[CallState], dispatcher: Dispatcher) -> None:
    """At the end of a run: copies that were made for it alone go with it, unless an endpoint serves from one."""
    served = [s.call.args.get("model") for s in states if s.call.tool == "deploy_model"]
    for state in states:
        key = state.ended.result.get("key") if state.ended is not None and state.ended.result is not None else None
        if state.call.tool in _FOR_THE_RUN and state.started_at is not None and (key is None or key not in served):
            with _as_owner(), _if_possible():  # it lies where only this run's calls look
                dispatcher.stop(state.call, state.handle or "")


def _start(call: Call, dispatcher: Dispatcher, waits: Waits) -> Ended | None:
    turn = waits.of(call)

    def once() -> Outcome:
        try:
            return turn.ask(lambda: dispatcher.start(call))
        except Unknown:
            return _find_or_start(call, dispatcher, waits, turn)

    return _guarded(call, once)


def _find_or_start(call: Call, dispatcher: Dispatcher, waits: Waits, turn: Turn) -> Outcome:
    """Law 3: look first, and again after every answer that was lost. Unknown only when it is known to be absent."""
    lost, more = Unknown(), True
    while True:
        try:
            if (found := _find(call, dispatcher, waits)) is not None:
                return found
            if not more:
                raise lost
            waits.heed()
            return turn.ask(lambda: dispatcher.start(call))
        except Unknown as error:  # also of a look that makes sure of an effect
            if not more:
                raise
            lost = error
        more = turn.again(lost)


def _find(call: Call, dispatcher: Dispatcher, waits: Waits) -> Outcome | None:
    """What the backend knows of the call; a list may lie for a while, so that is waited out before it is believed.

    A cancellation does not end that, within bounds: what was made is known before it is taken back.
    """
    waits = replace(waits, urgent=True)
    turn = waits.of(call)
    try:
        found = turn.ask(lambda: dispatcher.find(call))
        if found is None and (wait := dispatcher.staleness_s(call)):
            waits.settle(wait)
            found = turn.ask(lambda: dispatcher.find(call))
    except (Transient, Interrupted) as error:
        if isinstance(error, Interrupted) and error.why == "stop":
            raise
        # Not a cause that may be tried again: a second attempt could make the same thing twice.
        raise Failed(
            tr("it cannot be seen what became of {call}: {error}", call=call.id, error=error), cause="unknown"
        ) from error
    return found


def _guarded(call: Call, ask: Callable[[], Outcome], *, pass_on: tuple[type[ToolError], ...] = ()) -> Ended | None:
    no_outcome: tuple[type[Exception], ...] = (GoalkeeperError, *pass_on)
    try:
        with _as_owner():
            outcome = ask()
    except no_outcome:
        raise
    except Interrupted as error:
        if error.why == "stop":
            return None
        return _failed(call, "network", tr("the run was cancelled while this waited to be tried again"))
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


@contextmanager
def _if_possible() -> Iterator[None]:
    """What cannot be ended is not, unless that is for another process to do."""
    try:
        yield
    except Superseded:
        raise
    except ToolError:
        return


@contextmanager
def _as_owner() -> Iterator[None]:
    """Busy when another process owns the run by now: that is no outcome of a call, and nothing is written down."""
    try:
        yield
    except Superseded as error:
        raise Busy(str(error)) from error


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
        case Transient():
            return "network" if error.why == "network" else "capacity"
        case Unknown():
            return "network"
        case _:
            return "unknown"


def _failed(
    call: Call, cause: Cause, message: str, *, faults: tuple[str, ...] = (), evidence: tuple[str, ...] = ()
) -> Ended:
    return Ended(call=call.id, phase="failed", cause=cause, message=message, faults=faults, evidence=evidence)
