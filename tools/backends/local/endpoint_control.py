"""The control socket of an endpoint: HTTP in, one call on the host, the published endpoint or a fault out."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tools.backends.local.endpoint_host import EndpointHost
from tools.backends.local.endpoint_records import OWNER, Deployment, Fault, Lease, Mirror, Scale, Split
from tools.backends.local.owners import latest
from tools.backends.local.router_tally import Samples, Tally
from tools.epochs import Tenure
from tools.errors import Conflict, Invalid, NotFound, Refused, Superseded, ToolError, Transient, superseded

STATUS = {Invalid: 422, Refused: 403, Superseded: 403, Conflict: 409, NotFound: 404, Transient: 503}

M = TypeVar("M", bound=BaseModel)
Deed = Callable[[Request], Awaitable[Response]]


class Desk:
    """One method per request."""

    def __init__(self, host: EndpointHost) -> None:
        self._host = host

    async def deploy(self, request: Request) -> Response:
        return _json(self._host.deploy(request.path_params["version"], await _body(request, Deployment)))

    async def withdraw(self, request: Request) -> Response:
        return _json(await self._host.withdraw(request.path_params["version"]))

    async def split(self, request: Request) -> Response:
        return _json(self._host.split(await _body(request, Split)))

    async def mirror(self, request: Request) -> Response:
        return _json(self._host.mirror(await _body(request, Mirror)))

    async def scale(self, request: Request) -> Response:
        return _json(self._host.scale(request.path_params["version"], await _body(request, Scale)))

    async def lease(self, request: Request) -> Response:
        return _json(self._host.lease(await _body(request, Lease)))

    async def state(self, request: Request) -> Response:
        del request
        return _json(self._host.published())

    async def close(self, request: Request) -> Response:
        del request
        self._host.closing.set()
        return _json(self._host.published(), status=202)

    async def samples(self, request: Request) -> Response:
        return _numbers(self._tally(request).since(_time(request, "since")))

    async def comparisons(self, request: Request) -> Response:
        tally = self._tally(request)
        return _numbers(tally.comparisons(_time(request, "since")), waiting=tally.waiting)

    async def inputs(self, request: Request) -> Response:
        until = _time(request, "until") if "until" in request.query_params else None
        return _json(
            await self._host.inputs(request.path_params["version"], since=_time(request, "since"), until=until)
        )

    def _tally(self, request: Request) -> Tally:
        return self._host.tally(request.path_params["version"])


def control_app(host: EndpointHost) -> Starlette:
    desk = Desk(host)

    def change(path: str, method: str, deed: Deed) -> Route:
        return Route(path, _owned(host.runtime, deed), methods=[method])

    routes = [
        Route("/", desk.state, methods=["GET"]),
        change("/", "DELETE", desk.close),
        change("/versions/{version}", "PUT", desk.deploy),
        change("/versions/{version}", "DELETE", desk.withdraw),
        Route("/versions/{version}/samples", desk.samples, methods=["GET"]),
        Route("/versions/{version}/comparisons", desk.comparisons, methods=["GET"]),
        Route("/versions/{version}/inputs", desk.inputs, methods=["GET"]),
        change("/versions/{version}/replicas", "PUT", desk.scale),
        change("/shadow", "PUT", desk.mirror),
        change("/weights", "PUT", desk.split),
        change("/lease", "PUT", desk.lease),
    ]
    app = Starlette(routes=routes, exception_handlers={ToolError: _fault})
    app.router.redirect_slashes = False
    return app


def _owned(runtime: Path, deed: Deed) -> Deed:
    """A change, made only for the latest owner of the run in whose name it is asked for. Superseded."""

    async def ask(request: Request) -> Response:
        await request.body()  # whoever asks may fall asleep before the last byte: nothing is waited for after the check
        if said := request.headers.get(OWNER):
            tenure = Tenure.model_validate_json(said)
            if latest(runtime, tenure.run) > tenure.epoch:
                raise superseded(tenure.run)
        return await deed(request)

    return ask


async def _body(request: Request, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise Invalid(*(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from error


def _time(request: Request, name: str) -> float:
    text = request.query_params.get(name, "")
    try:
        number = float(text)
    except ValueError as error:
        raise Invalid(f"{name}: {text!r} is not a number") from error
    if not math.isfinite(number):
        raise Invalid(f"{name}: must be finite")
    return number


def _numbers(samples: Samples, *, waiting: int = 0) -> Response:
    headers = {"x-since": repr(samples.since), "x-until": repr(time.time()), "x-waiting": str(waiting)}
    return Response(samples.raw, headers=headers, media_type="application/octet-stream")


def _json(record: BaseModel, *, status: int = 200) -> Response:
    return Response(record.model_dump_json(), status_code=status, media_type="application/json")


async def _fault(request: Request, error: Exception) -> Response:
    del request
    faults = error.faults if isinstance(error, Invalid) else (str(error),)
    return _json(Fault(kind=type(error).__name__, faults=faults), status=STATUS.get(type(error), 500))
