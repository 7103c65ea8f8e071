"""The line to one client: what a reply writes to, rightly or wrongly."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from threading import Event


class Line:
    """One HTTP exchange. A client that has gone away is nobody's fault: writes to it end quietly."""

    def __init__(self, handler: BaseHTTPRequestHandler, ending: Event) -> None:
        self._handler = handler
        self._ending = ending
        self._chunked = False

    def whole(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        """A complete answer; `headers` with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **named})
        self.raw(body)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def opened(self, kind: str = "text/event-stream; charset=utf-8") -> None:
        """The head of an answer that comes in pieces."""
        self.head(200, {"Content-Type": kind, "Transfer-Encoding": "chunked", "Cache-Control": "no-cache"})

    def piece(self, data: bytes) -> bool:
        """One piece of an opened answer; whether the client still listens."""
        return self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def ended(self) -> None:
        """The end of an opened answer."""
        self.raw(b"0\r\n\r\n")

    def raw(self, data: bytes) -> bool:
        try:
            self._handler.wfile.write(data)
            self._handler.wfile.flush()
        except OSError:
            self._handler.close_connection = True
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Say nothing for that long; False when the server ends meanwhile."""
        return not self._ending.wait(seconds)

    def cut(self) -> None:
        """Hang up in an orderly way, whatever was promised."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Hang up with a reset."""
        self.cut()
        connection = self._handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
