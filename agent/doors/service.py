"""What a door needs of a session, so that any door runs over any session that offers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from agent.audit.bundle import Exported
    from agent.brain.protocol import Answer
    from agent.contract import Contract
    from agent.documents import Answered, Event, Pending, PlanDocument, RunDocument, RunList, RunView, Swept
    from agent.explain import Explanation, Replay
    from agent.prospect import Request
    from agent.record.chained import Line
    from tools.record import Json


class Service(Protocol):
    """A session: plans, drives and answers runs. Runs may be named by a unique prefix of their id."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    def plan(self, request: Request) -> PlanDocument: ...

    def start(self, request: Request) -> str: ...

    def stop(self, endpoint: str, *, accept: bool = False) -> str: ...

    def extend(self, endpoint: str, *, for_s: float, accept: bool = False) -> str: ...

    def rollback(self, endpoint: str, *, to: str | None = None, accept: bool = False) -> str: ...

    def scale(self, endpoint: str, *, replicas: int, accept: bool = False) -> str: ...

    def drive(
        self,
        run: str,
        *,
        watch: Callable[[RunView], None] | None = None,
        ask: Callable[[Pending], bool | None] | None = None,
    ) -> RunDocument: ...

    def view(self, run: str) -> RunView: ...

    def show(self, run: str) -> RunDocument: ...

    def runs(self) -> RunList: ...

    def events(self, run: str, after: int = 0) -> Iterator[Event]: ...

    def answer(self, run: str, *, approve: bool, pending: Sequence[str] = (), who: str) -> Answered: ...

    def cancel(self, run: str, who: str) -> str: ...

    def ask_about(self, run: str, question: str) -> Answer | None: ...

    def corrected(self, run: str, text: str) -> Contract: ...

    def objections(self, run: str, contract: Contract) -> tuple[str, ...]: ...

    def amend(self, run: str, contract: Contract, *, before: Contract, text: str, who: str) -> str: ...

    def say(self, conversation: str, kind: str, body: Json) -> int: ...

    def turns(self, conversation: str) -> list[Line]: ...

    def conversations(self) -> list[tuple[str, float, int]]: ...

    def explain(self, run: str, call: str) -> Explanation: ...

    def replay(self, run: str, folder: Path) -> Replay: ...

    def export(self, run: str, to: Path | None = None) -> Exported: ...

    def sweep(
        self,
        *,
        release: bool,
        run: str | None = None,
        owner: str | None = None,
        ending: Callable[[str, str], None] | None = None,
    ) -> tuple[Swept, ...]: ...
