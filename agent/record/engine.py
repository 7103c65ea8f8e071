"""What a store needs of a database: statements, and transactions that happen wholly or not at all.

Two engines serve the same statements: `embedded` (SQLite) and `server` (PostgreSQL). What the two say differently
stands in their schemas (functions such as `lease_now`), so that a statement is written once, with `?` for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from agent.errors import Broken

T = TypeVar("T")
Word = str | int | float | None
"""A value of a statement."""


class Unreachable(Broken):
    """The database is gone, full or not ours to write: nothing was stored, and nothing can be asked."""


class Found(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Statements(Protocol):
    """An open transaction, or a moment for reading."""

    def execute(self, statement: str, words: Sequence[Word] = ..., /) -> Found: ...
    def executemany(self, statement: str, rows: Sequence[Sequence[Word]], /) -> object: ...


class Engine(Protocol):
    """A database that holds a store. Its threads may be many: nobody sees half a transaction."""

    def execute(self, statement: str, words: Sequence[Word] = ()) -> list[Any]:
        """One statement by itself; its rows."""
        ...

    def read(self, body: Callable[[Statements], T]) -> T:
        """What the body reads, each statement at one instant. It may be called again."""
        ...

    def write(
        self,
        body: Callable[[Statements], T],
        *,
        stored: Callable[[Statements], T | None] | None = None,
        alone: bool = False,
    ) -> T:
        """Run the body as one transaction that sees no other half done, and commit it. `alone`: it is one statement
        that may be carried out twice, which is a transaction by itself.

        The body may be called again where the database says that it did not come through. Where the answer to a commit
        was lost, `stored` looks whether it did and gives what the body would have; without it the body is one that may
        be carried out twice. OverLimit where an account has no room, Unreachable where the database does not answer,
        Broken for everything else that it refuses.
        """
        ...

    def hold(self, db: Statements, names: Sequence[tuple[str, str]]) -> None:
        """Until the commit nobody else goes on who holds one of these names. Always asked for after the run's row and
        before any account: whoever waits holds nothing that the other waits for."""
        ...

    def notify(self, db: Statements, run: str) -> None:
        """Once it is committed, say to whoever listens that the run is wanted."""
        ...

    def listen(self, stop: Callable[[], bool], every_s: float) -> Iterator[str]:
        """The runs that are said to be wanted, until `stop` says so, which is asked every so many seconds.

        An empty name means that some may have been missed. Nothing comes where no other process can say so.
        """
        ...

    def close(self) -> None: ...
