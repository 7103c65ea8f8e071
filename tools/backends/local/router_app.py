"""The public door of an endpoint: Open Inference Protocol v2 in, a version chosen by weight, measured, out.

Only paths of the protocol exist, and what goes upstream is written anew: nothing of a request but its body
and four harmless headers reaches a model server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.backends.local.router import Routes, Upstream
from tools.backends.local.router_copies import Copies
from tools.backends.local.router_forward import Carried, Courier, Sent
from tools.backends.local.router_inputs import Watching
from tools.backends.local.router_tally import Tally, exposition
from tools.inputs import PROBE_HEADER

BODY_MOST = 8 * 1024 * 1024
BODY_WITHIN_S = 30.0
"""How long a body may take to arrive."""
FORWARDED = ("accept", "content-type", "x-request-id", "traceparent")
VERSION_HEADER = "x-goalkeeper-version"


class Router:
    """Forwards requests of one endpoint."""

    def __init__(
        self,
        *,
        endpoint: str,
        routes: Routes,
        tallies: Mapping[str, Tally],
        courier: Courier,
        copies: Copies,
        watching: Watching,
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        self._endpoint = endpoint
        self._model = f"/v2/models/{quote(endpoint, safe='')}"
        self._routes = routes
        self._tallies = tallies
        self._courier = courier
        self._copies = copies
        self._watching = watching
        self._body_within_s = body_within_s

    async def infer(self, request: Request) -> Response:
        """One inference: the version is chosen here, never by the request."""
        self._own(request)
        body = await _body(request, self._body_within_s)
        upstream = _some(self._routes.pick())
        sent = _sent(request, f"{self._model}/infer", body)
        began = time.perf_counter()
        carried = await self._courier.carry(upstream, sent)
        ms = (time.perf_counter() - began) * 1000
        if carried.status >= 500:
            upstream.tally.failed(at=time.time())
        elif carried.status >= 400:
            upstream.tally.refused(at=time.time())
        else:
            upstream.tally.answered(at=time.time(), ms=ms)
            if PROBE_HEADER not in request.headers:
                self._watching.note(upstream.name, body, carried.content)
        if (shadow := self._routes.shadow()) is not None:
            self._copies.send(shadow, sent, carried)
        return _answer(upstream, carried)

    async def chosen(self, request: Request) -> Response:
        del request
        raise HTTPException(400, f"a request does not choose the version: POST {self._model}/infer")

    async def live(self, request: Request) -> Response:
        del request
        return JSONResponse({"live": True})

    async def server(self, request: Request) -> Response:
        return await self._about(self._routes.main(), request, "/v2")

    async def ready(self, request: Request) -> Response:
        return await self._about(self._routes.main(), request, "/v2/health/ready")

    async def model(self, request: Request) -> Response:
        self._own(request)
        return await self._about(self._routes.main(), request, self._model + _ready_suffix(request))

    async def version(self, request: Request) -> Response:
        """Metadata of one version, whatever its weight."""
        self._own(request)
        upstream = self._routes.named(request.path_params["version"])
        if upstream is None:
            raise HTTPException(404, "there is no such version behind this endpoint")
        path = f"{self._model}/versions/{upstream.name}{_ready_suffix(request)}"
        return await self._about(upstream, request, path)

    async def metrics(self, request: Request) -> Response:
        del request
        text = exposition(self._endpoint, self._tallies)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _about(self, upstream: Upstream | None, request: Request, path: str) -> Response:
        upstream = _some(upstream)
        return _answer(upstream, await self._courier.carry(upstream, _sent(request, path, None)))

    def _own(self, request: Request) -> None:
        if request.path_params["model"] != self._endpoint:
            raise HTTPException(404, f"this endpoint serves the model {self._endpoint} only")


def public_app(router: Router) -> Starlette:
    """The ASGI application; anything that is no path of the protocol is a 404 in JSON."""
    model = "/v2/models/{model}"
    app = Starlette(
        routes=[
            Route(f"{model}/infer", router.infer, methods=["POST"]),
            Route("/v2", router.server, methods=["GET"]),
            Route("/v2/health/live", router.live, methods=["GET"]),
            Route("/v2/health/ready", router.ready, methods=["GET"]),
            Route(model, router.model, methods=["GET"]),
            Route(f"{model}/ready", router.model, methods=["GET"]),
            Route(f"{model}/versions/{{version}}", router.version, methods=["GET"]),
            Route(f"{model}/versions/{{version}}/ready", router.version, methods=["GET"]),
            Route(f"{model}/versions/{{version}}/infer", router.chosen, methods=["POST"]),
            Route("/metrics", router.metrics, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refusal, ClientDisconnect: _gone},
    )
    app.router.redirect_slashes = False
    return app


async def _body(request: Request, within_s: float) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared[:20]) > BODY_MOST:
        raise _too_large()
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "send the body without a content encoding")
    parts, size = [], 0
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > BODY_MOST:
                    raise _too_large()
    except TimeoutError as error:
        slow = f"the body did not arrive within {within_s:g} s"
        raise HTTPException(408, slow, headers={"connection": "close"}) from error
    return b"".join(parts)


def _sent(request: Request, path: str, body: bytes | None) -> Sent:
    headers = {name: value for name in FORWARDED if (value := request.headers.get(name)) is not None}
    return Sent(request.method, path, body, headers)


def _answer(upstream: Upstream, carried: Carried) -> Response:
    """Content and version of an answer, and nothing else of it."""
    kept = {"content-type": carried.kind, VERSION_HEADER: upstream.name}
    return Response(carried.content, status_code=carried.status, headers=kept)


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body is larger than {BODY_MOST} bytes: send fewer rows", {"connection": "close"})


def _some(upstream: Upstream | None) -> Upstream:
    if upstream is None:
        raise HTTPException(503, "no version has traffic yet", headers={"retry-after": "1"})
    return upstream


def _ready_suffix(request: Request) -> str:
    return "/ready" if request.url.path.endswith("/ready") else ""


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


async def _refusal(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, error.detail, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return _problem(400, "the client left before its request was complete")
