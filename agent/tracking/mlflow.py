"""A client of MLflow's REST API, as far as a mirror needs it. MLflow itself is not imported.

Endpoints and limits as documented for `/api/2.0/mlflow`: at most 1000 metrics, 100 parameters and 100 tags a batch.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import Request

from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from tools import reach
from tools.language import tr
from tools.record import Json, Record
from tools.redact import Redaction

T = TypeVar("T")
Status = Literal["FINISHED", "FAILED", "KILLED"]
WITHIN_S = 10.0
ATTEMPTS = 3
LARGEST_FILE = 64 * 1024 * 1024
_PROXIED = "mlflow-artifacts"


class TrackingError(Exception):
    """The tracking server cannot be used; the message says why and what to do."""


class _Passing(Exception):
    """A failure that may pass."""


class Metric(Record):
    key: str
    value: float
    timestamp_ms: int
    step: int = 0


class Credentials(Record):
    """How the server knows who writes; all None for an open server."""

    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None

    def header(self) -> Mapping[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        if self.user is None:
            return {}
        secret = self.password.get_secret_value() if self.password is not None else ""
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{secret}".encode()).decode()}


class Client:
    """One tracking server."""

    def __init__(self, uri: str, credentials: Credentials | None = None, *, redaction: Redaction | None = None) -> None:
        """`redaction`: what is taken out of everything that is sent."""
        try:
            parts = reach.checked(uri)
        except reach.OutOfReachError as error:
            raise TrackingError(tr("MLFLOW_TRACKING_URI: {error}", error=error)) from error
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        # The operator names the server, so it may stand on this machine or in a network of their own.
        self._opener = reach.opener(private=True)
        self._redaction = redaction or Redaction()
        self._headers = dict((credentials or Credentials()).header())

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, made when there is none."""
        try:
            found = self._get("experiments/get-by-name", experiment_name=name)
            return str(found["experiment"]["experiment_id"])
        except TrackingError:
            return str(self._post("experiments/create", {"name": name})["experiment_id"])

    def find(self, experiment: str, tag: str, value: str) -> str | None:
        """The id of the run that carries a tag."""
        wanted = f"tags.`{tag}` = '{value}'"
        body: Json = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
        runs = self._post("runs/search", body).get("runs") or []
        return str(runs[0]["info"]["run_id"]) if runs else None

    def create(self, experiment: str, *, name: str, started_ms: int, tags: Mapping[str, str]) -> str:
        body: Json = {
            "experiment_id": experiment,
            "run_name": name,
            "start_time": started_ms,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        return str(self._post("runs/create", body)["run"]["info"]["run_id"])

    def log(self, run: str, *, params: Mapping[str, str], metrics: Sequence[Metric]) -> None:
        """Parameters and metrics; what stands there already with the same value changes nothing."""
        measured = [{"key": m.key, "value": m.value, "timestamp": m.timestamp_ms, "step": m.step} for m in metrics]
        for told in _chunks(measured, 1000):
            self._batch(run, metrics=told)
        for named in _chunks([{"key": k, "value": v[:6000]} for k, v in params.items()], 100):
            self._batch(run, params=named)

    def end(self, run: str, *, status: Status, ended_ms: int) -> None:
        self._post("runs/update", {"run_id": run, "status": status, "end_time": ended_ms})

    def put(self, run: str, path: str, source: Path) -> None:
        """A file among the run's artefacts. TrackingError when the server does not take files over HTTP."""
        place = str(self._get("runs/get", run_id=run)["run"]["info"]["artifact_uri"])
        parts = urlsplit(place)
        if parts.scheme != _PROXIED:
            raise TrackingError(
                tr(
                    "artefacts lie at {scheme}: start the server with --serve-artifacts",
                    scheme=parts.scheme or "a path",
                )
            )
        if source.stat().st_size > LARGEST_FILE:
            raise TrackingError(tr("{name} is larger than {most} MiB", name=source.name, most=LARGEST_FILE >> 20))
        target = f"{self._base}/api/2.0/mlflow-artifacts/artifacts{quote(parts.path)}/{quote(path)}"
        self._send("PUT", target, source.read_bytes(), "application/octet-stream")

    def _batch(self, run: str, **what: Sequence[Mapping[str, object]]) -> None:
        self._post("runs/log-batch", {"run_id": run, **what})

    def _get(self, path: str, **query: str) -> Json:
        asked = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        return _object(self._send("GET", f"{self._base}/api/2.0/mlflow/{path}?{asked}", None, None))

    def _post(self, path: str, body: Json) -> Json:
        content = json.dumps(self._redaction.value(body)).encode()
        return _object(self._send("POST", f"{self._base}/api/2.0/mlflow/{path}", content, "application/json"))

    def _send(self, method: str, url: str, content: bytes | None, kind: str | None) -> bytes:
        """The answer's body; what may pass is tried again a few times."""
        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        try:
            return retrying(self._once, method, url, content, kind)
        except _Passing as error:
            raise TrackingError(str(error)) from error

    def _once(self, method: str, url: str, content: bytes | None, kind: str | None) -> bytes:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        try:
            request = Request(url, data=content, headers=headers, method=method)
            with self._opener.open(request, timeout=WITHIN_S) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            told = tr(
                "{method} {path} was answered with {code}: {said}",
                method=method,
                path=urlsplit(url).path,
                code=error.code,
                said=_said(error),
            )
            if 300 <= error.code < 400:
                raise TrackingError(f"{told}; it sends elsewhere: set MLFLOW_TRACKING_URI to where it is") from error
            if error.code >= 500 or error.code == 429:
                raise _Passing(told) from error
            raise TrackingError(told) from error
        except HTTPException as error:
            raise _Passing(f"{method} {urlsplit(url).path} was cut off: {type(error).__name__}") from error
        except (URLError, OSError) as error:
            raise _Passing(
                tr("the tracking server cannot be reached: {reason}", reason=getattr(error, "reason", error))
            ) from error


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    queue = iter(items)
    while chunk := list(islice(queue, size)):
        yield chunk


def _object(body: bytes) -> Json:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise TrackingError(tr("the tracking server's answer is not JSON: is this an MLflow server?")) from error
    if not isinstance(told, dict):
        raise TrackingError(tr("the tracking server's answer is not an object: is this an MLflow server?"))
    return told


def _said(error: HTTPError) -> str:
    try:
        told = json.loads(error.read(4096))
        return str(told.get("message", ""))[:300] if isinstance(told, dict) else ""
    except (ValueError, OSError, RecursionError):
        return str(error.reason)[:300]
