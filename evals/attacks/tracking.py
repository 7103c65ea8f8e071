"""A tracking server that gives one answer to everything, and notes who came with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from pydantic import Field

from tools.record import Record


class Answer(Record):
    """What it says."""

    status: int = Field(default=200, ge=100, le=599)
    body: str = ""
    headers: Mapping[str, str] = {}


class Server(ThreadingHTTPServer):
    """The server, and a second address of it that nobody may be sent on to."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.paths: list[str] = []

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def strayed(self) -> Iterator[str]:
        """Requests for what no tracking server has."""
        for path in self.paths:
            if not path.startswith("/api/2.0/mlflow"):
                yield f"it was led to {path!r}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _handle(self) -> None:
        self.server.paths.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.answer
        body = answer.body.encode("utf-8", "surrogatepass")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value.replace("SELF", self.server.uri))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def tracking(answer: Answer) -> Iterator[Server]:
    """The running server."""
    server = Server(answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
