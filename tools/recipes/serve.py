"""The model server as a program: `python -I -m tools.recipes.serve --model FOLDER --name NAME --version V`.

Loads the model, proves that it answers, and only then listens, on loopback alone. With `--parent` it ends with
that process, however that ended.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.errors import Invalid
from tools.recipes.models.model import Model, load
from tools.recipes.serve_protocol import (
    BadRequestError,
    columns,
    metadata,
    output_names,
    parse,
    probe,
    response,
    wanted,
)

BODY_MOST = 8 * 1024 * 1024
INLINE_ROWS = 64
"""Up to this many rows are predicted in the loop itself: a thread would cost more than it saves. No picture is."""
PR_SET_PDEATHSIG = 1


class Service:
    """One loaded model and what it has answered so far."""

    def __init__(self, *, model: Model, name: str, version: str) -> None:
        self._model = model
        self._name = name
        self._version = version
        self._outputs = output_names(model.metadata)
        self._inline = 0 if any(i.kind == "image" for i in model.metadata.inputs) else INLINE_ROWS
        self._one_at_a_time = asyncio.Lock()
        self._counts = {"ok": 0, "refused": 0, "failed": 0}
        self._seconds = 0.0

    def check(self) -> None:
        """Predict one row of missing values. Whatever it raises means: not ready."""
        predictions, probabilities = self._model.predict_rows(probe(self._model.metadata.inputs))
        response(self._model.metadata, predictions, probabilities, frozenset(self._outputs))

    async def infer(self, request: Request) -> Response:
        self._own(request)
        began = time.perf_counter()
        try:
            content = await self._answer(await _body(request))
        except (BadRequestError, Invalid) as error:
            self._counts["refused"] += 1
            return JSONResponse({"error": str(error), "faults": list(error.faults)}, status_code=400)
        except (HTTPException, ClientDisconnect):
            self._counts["refused"] += 1
            raise
        except Exception as error:  # noqa: BLE001 - one that goes on makes the server close, and the next request is lost
            self._counts["failed"] += 1
            traceback.print_exc()
            return await _failure(request, error)
        self._counts["ok"] += 1
        self._seconds += time.perf_counter() - began
        return Response(content, media_type="application/json")

    async def about(self, request: Request) -> Response:
        self._own(request)
        if request.url.path.endswith("/ready"):
            return JSONResponse({"name": self._name, "ready": True})
        digest = self._model.digest
        return JSONResponse(metadata(self._model.metadata, name=self._name, version=self._version, digest=digest))

    async def server(self, request: Request) -> Response:
        del request
        return JSONResponse({"name": "goalkeeper", "version": "1", "extensions": []})

    async def live(self, request: Request) -> Response:
        del request
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        del request
        return JSONResponse({"ready": True})

    async def metrics(self, request: Request) -> Response:
        del request
        lines = ["# TYPE goalkeeper_model_requests_total counter"]
        lines += [f'goalkeeper_model_requests_total{{outcome="{name}"}} {n}' for name, n in self._counts.items()]
        lines += [
            "# TYPE goalkeeper_model_seconds_total counter",
            f"goalkeeper_model_seconds_total {self._seconds:.6f}",
        ]
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _answer(self, body: bytes) -> bytes:
        asked = parse(body)
        only = wanted(asked, self._outputs)
        rows = columns(asked, self._model.metadata.inputs)
        if len(next(iter(rows.values()), ())) <= self._inline:
            predictions, probabilities = self._model.predict_rows(rows)
        else:
            async with self._one_at_a_time:
                predictions, probabilities = await asyncio.to_thread(self._model.predict_rows, rows)
        answer: dict[str, Any] = {"model_name": self._name, "model_version": self._version}
        if isinstance(asked.get("id"), str):
            answer["id"] = asked["id"]
        answer["outputs"] = response(self._model.metadata, predictions, probabilities, only)
        return json.dumps(answer, allow_nan=False).encode()

    def _own(self, request: Request) -> None:
        asked = request.path_params
        if asked["model"] != self._name or asked.get("version", self._version) != self._version:
            raise HTTPException(404, f"this server serves {self._name} version {self._version} only")


def application(service: Service) -> Starlette:
    """The paths of the protocol; everything else is a 404 in JSON."""
    model = "/v2/models/{model}"
    versioned = f"{model}/versions/{{version}}"
    routes = [
        Route("/v2", service.server, methods=["GET"]),
        Route("/v2/health/live", service.live, methods=["GET"]),
        Route("/v2/health/ready", service.ready, methods=["GET"]),
        Route("/metrics", service.metrics, methods=["GET"]),
    ]
    for place in (model, versioned):
        routes.insert(0, Route(f"{place}/infer", service.infer, methods=["POST"]))
        routes += [Route(path, service.about, methods=["GET"]) for path in (place, f"{place}/ready")]
    handlers = {HTTPException: _refusal, ClientDisconnect: _refusal, Exception: _failure}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or the parent's end; 1 when the model cannot be loaded or does not answer."""
    wishes = _arguments(argv)
    if wishes.parent:
        _end_with(wishes.parent)
    service = Service(model=load(Path(wishes.model)), name=wishes.name, version=wishes.version)
    service.check()
    door = socket.socket(fileno=wishes.fd) if wishes.fd is not None else _door(wishes.port)
    config = uvicorn.Config(
        application(service),
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # above the router's own, so that it never sends into a closing connection
        timeout_graceful_shutdown=2,
    )
    asyncio.run(_serve(uvicorn.Server(config), door, wishes.parent))
    return 0


async def _serve(server: uvicorn.Server, door: socket.socket, parent: int) -> None:
    watching = asyncio.create_task(_watch(server, parent)) if parent else None
    await server.serve([door])
    if watching is not None:
        watching.cancel()


async def _watch(server: uvicorn.Server, parent: int) -> None:
    """Where the kernel does not tell of the parent's end, look for it."""
    while os.getppid() == parent:
        await asyncio.sleep(1.0)
    server.should_exit = True


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before the kernel was asked


def _door(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    sys.stdout.write(f"listening on http://127.0.0.1:{door.getsockname()[1]}\n")
    return door


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -I -m tools.recipes.serve")
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--name", required=True, help="its name in the protocol's paths")
    parser.add_argument("--version", default="1")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a socket that is bound already, inherited")
    parser.add_argument("--parent", type=int, default=0, help="end with this process")
    return parser.parse_args(argv)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > BODY_MOST:
            raise HTTPException(413, f"the body is larger than {BODY_MOST} bytes: send fewer rows")
    return b"".join(parts)


async def _refusal(request: Request, error: Exception) -> Response:
    del request
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (400, "incomplete")
    return JSONResponse({"error": detail}, status_code=status)


async def _failure(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": f"the model failed: {type(error).__name__}"}, status_code=500)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
