"""The server: strict about every request, recording each, and answering as its model says."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Literal

from evals.model_server.asked import Asked
from evals.model_server.line import Line
from evals.model_server.messages import encodable
from evals.model_server.parameters import Serves, refusal
from evals.model_server.replies import Model, written_in
from evals.model_server.tokens import tokens_in
from evals.model_server.wire import Body, Refused

KEY = "sk-loopback-only"
MOST_BYTES = 4_000_000
_CHAT = "/v1/chat/completions"
_MODELS = "/v1/models"


@dataclass(frozen=True)
class Recorded:
    """One request as it came, and why it was refused."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    """By name in small letters; without the key."""
    body: Body | None
    refused: Refused | None = None

    @property
    def tokens(self) -> int:
        """What the request counts as; 0 when it is none."""
        return 0 if self.body is None or not isinstance(self.body.get("messages"), list) else tokens_in(self.body)


@dataclass
class ModelServer:
    """`with ModelServer(model) as server:` serves at `server.url` until the block ends.

    RuntimeError at the end when the model itself raised something.
    """

    model: Model
    serves: Serves = field(default_factory=Serves)
    key: str = KEY
    recorded: list[Recorded] = field(default_factory=list)
    written: int = 0
    """Tokens that the model wrote."""

    def __post_init__(self) -> None:
        self._ending = Event()
        self._lock = Lock()

    def __enter__(self) -> ModelServer:
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._http.broken and error is None:
            raise RuntimeError("; ".join(self._http.broken))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def asked(self) -> list[Recorded]:
        """Requests that were carried out."""
        return [r for r in self.recorded if r.refused is None]

    @property
    def wrong(self) -> list[Refused]:
        """What was refused because the request itself was wrong: nothing, if the client is right."""
        return [r.refused for r in self.recorded if r.refused is not None and not r.refused.lack]

    def answered(self, handler: BaseHTTPRequestHandler, method: Literal["GET", "POST"]) -> None:
        """One exchange."""
        line = Line(handler, self._ending)
        body, fault = _read(handler) if method == "POST" else (None, None)
        fault = fault or self._refusal(handler, method, body)
        with self._lock:
            number = len(self.recorded) + 1
            headers = {k.lower(): v for k, v in handler.headers.items() if k.lower() != "authorization"}
            self.recorded.append(Recorded(number, method, handler.path, headers, body, fault))
        if fault is not None:
            line.whole(fault.status, json.dumps(fault.body()).encode())
        elif method == "GET":
            told = {"object": "list", "data": [{"id": self.serves.model, "object": "model", "owned_by": "here"}]}
            line.whole(200, json.dumps(told).encode())
        else:
            assert body is not None
            asked = Asked(number, body)
            reply = self.model(asked)
            with self._lock:
                self.written += written_in(reply, asked)
            reply.send(line, asked)

    def _refusal(self, handler: BaseHTTPRequestHandler, method: str, body: Body | None) -> Refused | None:
        expected = {_CHAT: "POST", _MODELS: "GET"}
        if handler.path not in expected:
            return Refused(f"Invalid URL ({method} {handler.path})", status=404)
        if expected[handler.path] != method:
            return Refused(f"Not allowed to {method} on {handler.path}", status=405)
        given = handler.headers.get("Authorization")
        if given is None:
            return Refused("You didn't provide an API key.", status=401)
        if given != f"Bearer {self.key}":
            return Refused("Incorrect API key provided.", code="invalid_api_key", status=401)
        return None if body is None else refusal(body, self.serves)


def _read(handler: BaseHTTPRequestHandler) -> tuple[Body | None, Refused | None]:
    """The body of a request, or why it is none."""
    length = handler.headers.get("Content-Length", "")
    if not length.isdecimal():
        handler.close_connection = True
        return None, Refused("A Content-Length is required.", status=411)
    data = handler.rfile.read(int(length))
    if len(data) > MOST_BYTES:
        return None, Refused(f"The request has more than {MOST_BYTES} bytes.", status=413)
    if handler.headers.get_content_type() != "application/json":
        return None, Refused("Unsupported content type: 'application/json' is expected.", status=415)
    try:
        body: Any = json.loads(data, parse_constant=_not_json)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not encodable(body):
        return None, Refused("We could not parse the JSON body of your request.")
    return body, None


def _not_json(constant: str) -> None:
    raise ValueError(constant)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.broken: list[str] = []
        """What went wrong in the model or the server itself."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here; anything else is told when the server ends."""
        if not isinstance(error := sys.exception(), OSError):
            self.broken.append(repr(error))


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands every exchange to the server."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            server.answered(self, "POST")

        def do_GET(self) -> None:
            server.answered(self, "GET")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return Handler
