"""A backend in the hands of a run's owner: before every single change the owner is asked whether it still is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from tools.ports import Backend

CHANGES: Mapping[str, frozenset[str]] = {
    "jobs": frozenset({"submit", "cancel"}),
    "serving": frozenset({"deploy", "split", "mirror", "scale", "withdraw", "extend", "remove"}),
    "objects": frozenset({"put", "remove"}),
    "compute": frozenset({"provision", "release"}),
}
"""Port → its methods that change the world; the others look at it."""


def held(backend: Backend, ask: Callable[[], None]) -> Backend:
    """The same backend; `ask` is called right before each change, and prevents it by raising."""
    return cast("Backend", _Held(backend, ask))


class _Held:
    def __init__(self, backend: Backend, ask: Callable[[], None]) -> None:
        self._backend = backend
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        return found if name not in CHANGES else _Port(found, CHANGES[name], self._ask)


class _Port:
    def __init__(self, inner: object, changes: frozenset[str], ask: Callable[[], None]) -> None:
        self._inner = inner
        self._changes = changes
        self._ask = ask

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._changes:
            return found

        def change(*args: object, **more: object) -> object:
            self._ask()
            return found(*args, **more)

        return change
