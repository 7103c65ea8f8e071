"""Several observers as one. Whatever goes wrong in one of them stops neither the work nor the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TypeVar

from agent.errors import Busy
from agent.state import Run
from agent.telemetry.observer import Activation, Observer, WakeCause
from tools.errors import Passing
from tools.record import Record
from tools.tool import Call

T = TypeVar("T")


class Several:
    """Tells each of them."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        seen = Activation(run=run, epoch=epoch)
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(_alike(seen, observer))
            try:
                yield seen
            except BaseException as error:
                seen.outcome = "busy" if isinstance(error, Busy) else "broken"
                seen.cause = type(error).__name__
                if isinstance(error, Busy):  # it was ours when the activation began
                    self.lost(run, epoch=epoch)
                raise

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(_around(observer.planning(run)))
            yield

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        for one in self._observers:
            _tell(one.committed, run, records, epoch=epoch, seconds=seconds)

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        for one in self._observers:
            _tell(one.retried, call, why, wait_s)

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        for one in self._observers:
            _tell(one.woken, run, cause, late_s=late_s)

    def lost(self, run: str, *, epoch: int) -> None:
        for one in self._observers:
            _tell(one.lost, run, epoch=epoch)

    def standing(self, counts: Mapping[str, int]) -> None:
        for one in self._observers:
            _tell(one.standing, counts)

    def jumped(self, seconds: float) -> None:
        for one in self._observers:
            _tell(one.jumped, seconds)


def _tell(hear: Callable[..., object], *told: object, **more: object) -> None:
    with suppress(Exception):  # what is told of the work is no part of it
        hear(*told, **more)


@contextmanager
def _alike(seen: Activation, observer: Observer) -> Iterator[None]:
    """The observer's own activation, which comes to what `seen` comes to."""
    with _around(observer.activation(seen.run, epoch=seen.epoch)) as own:
        try:
            yield
        finally:
            if own is not None:
                own.outcome, own.cause = seen.outcome, seen.cause


@contextmanager
def _around(context: AbstractContextManager[T]) -> Iterator[T | None]:
    """The context; None where it cannot be entered. What fails in it passes, what it fails with does not."""
    entered: T | None = None
    failed = False
    try:
        entered = context.__enter__()
    except Exception:  # noqa: BLE001 - as above
        failed = True
    try:
        yield entered
    finally:
        if not failed:
            _tell(lambda: context.__exit__(None, None, None))
