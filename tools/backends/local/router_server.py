"""How the host listens: uvicorn without its signal handlers, and without patience for half a request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN_S = 10.0
HEAD_MOST = 512 * 1024
"""Bytes before a request's header ends: above what one read of the socket may bring."""
CONNECTIONS = 512
CLOSING_WITHIN_S = 10


class Impatient(HttpToolsProtocol):
    """Closes connections whose next request does not get through its header in time, size and number."""

    head_within_s = HEAD_WITHIN_S
    _timer: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.close()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._head += len(data)
            if self._head > HEAD_MOST:
                self._disarm()
                self.send_400_response("The header is too large.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        self._disarm()
        self._head = 0
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._disarm()
        self._timer = self.loop.call_later(self.head_within_s, self.transport.close)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None


class Listener(uvicorn.Server):
    """Signals belong to the host, which runs two of these."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listener(app: Starlette, protocol: type[Impatient] = Impatient) -> Listener:
    """A server for sockets that are bound already."""
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=CLOSING_WITHIN_S,
        backlog=512,
    )
    return Listener(config)
