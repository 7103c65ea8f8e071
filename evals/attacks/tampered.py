"""A backend whose answers hold texts that somebody else wrote: its effects are the real ones.

Each port passes on what it is asked, and puts one text into what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from evals.attacks.seen import Watched
from tools.errors import Failed, Invalid, Refused, ToolError
from tools.ports import EndpointState, Failure, JobSpec, JobState, Owned, Progress, Scope, ServeSpec, Tags
from tools.record import Json

Where = Literal["log", "progress", "detail", "error", "claims"]


class Tampered:
    """The backend, with one text in one place."""

    def __init__(self, inner: Watched, where: Where, text: Any, training: set[str] | None = None) -> None:
        """`training`: jobs that learn, as far as they are known."""
        self._inner = inner
        self._said = (where, text, set[str]() if training is None else training)
        self.jobs = _Jobs(inner, *self._said)
        self.serving = _Serving(inner, where, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def fenced(self, *, run: str, epoch: int) -> Tampered:
        """In the hands of an owner it lies as before."""
        return Tampered(cast(Watched, self._inner.fenced(run=run, epoch=epoch)), *self._said)


class _Port:
    def __init__(self, inner: Any, where: Where, text: Any) -> None:
        self._inner = inner
        self._where = where
        self._text = text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _told(self) -> ToolError:
        """The same text in every error that a backend may answer with, one after the other."""
        return (Refused, Invalid, Failed)[len(str(self._text)) % 3](str(self._text))


class _Jobs(_Port):
    """Jobs whose logs, progress, claims or errors are somebody else's words."""

    def __init__(self, inner: Watched, where: Where, text: Any, training: set[str]) -> None:
        super().__init__(inner.jobs, where, text)
        self._training = training

    def submit(self, *, spec: JobSpec, tags: Tags) -> JobState:
        if self._where == "error" and spec.program == "evaluate":
            raise self._told()
        state: JobState = self._inner.submit(spec=spec, tags=tags)
        if spec.program in ("train", "command"):
            self._training.add(state.id)
        return self._changed(state)

    def poll(self, job: str) -> JobState:
        return self._changed(self._inner.poll(job))

    def find(self, call: str) -> JobState | None:
        found = self._inner.find(call)
        return None if found is None else self._changed(found)

    def logs(self, job: str, *, tail: int = 200) -> Sequence[str]:
        if self._where == "log":
            return str(self._text).splitlines()[-tail:]
        return list(self._inner.logs(job, tail=tail))

    def owned(self, scope: Scope) -> Sequence[Owned]:
        return [_noted(o, self._where, self._text) for o in self._inner.owned(scope)]

    def _changed(self, state: JobState) -> JobState:
        if state.id not in self._training:
            return state
        if self._where == "progress" and state.phase == "running":
            going = Progress(at=state.started or 0.0, message=str(self._text))
            return state.model_copy(update={"progress": going})
        if self._where == "log" and state.phase == "succeeded":
            told = str(self._text)  # whole, as a termination message is
            failure = Failure(cause="user_code_error", message=told, evidence=tuple(told.splitlines()))
            return state.model_copy(update={"phase": "failed", "result": None, "failure": failure})
        if self._where == "claims" and state.phase == "succeeded":
            return state.model_copy(update={"result": {"claimed": self._text}})
        return state


class _Serving(_Port):
    """Endpoints whose versions fail, with somebody else's words for why."""

    def __init__(self, inner: Watched, where: Where, text: Any) -> None:
        super().__init__(inner.serving, where, text)

    def deploy(self, *, spec: ServeSpec, tags: Tags) -> EndpointState:
        return self._changed(self._inner.deploy(spec=spec, tags=tags))

    def state(self, endpoint: str) -> EndpointState:
        return self._changed(self._inner.state(endpoint))

    def split(self, endpoint: str, *, weights: Mapping[str, int], call: str) -> EndpointState:
        return self._changed(self._inner.split(endpoint, weights=weights, call=call))

    def find(self, call: str) -> EndpointState | None:
        found = self._inner.find(call)
        return None if found is None else self._changed(found)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        return [_noted(o, self._where, self._text) for o in self._inner.owned(scope)]

    def _changed(self, state: EndpointState) -> EndpointState:
        if self._where != "detail" or state.name != "tumours":
            return state
        told: Json = {"detail": str(self._text), "state": "failed"}
        versions = tuple(
            v.model_copy(update=told if v.name != "v0" else {"detail": told["detail"]}) for v in state.versions
        )
        return state.model_copy(update={"versions": versions})


def _noted(owned: Owned, where: Where, text: Any) -> Owned:
    return owned.model_copy(update={"detail": str(text)}) if where == "detail" else owned
