"""A tracking server over real HTTP that keeps what it is told, with MLflow's rules where a mirror could break them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Tracking(ThreadingHTTPServer):
    """The server and what it holds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.broken = 0
        """How many further requests are answered with 503."""
        self.always = ""
        """What every request is answered with, when it is set."""
        self.elsewhere = ""
        """Where every request is sent on to, when it is set."""

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        match path:
            case "experiments/get-by-name":
                name = query["experiment_name"]
                if name not in self.experiments:
                    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
                return 200, {"experiment": {"experiment_id": self.experiments[name]}}
            case "experiments/create":
                self.experiments[body["name"]] = str(len(self.experiments) + 1)
                return 200, {"experiment_id": self.experiments[body["name"]]}
            case "runs/search":
                tag, value = re.fullmatch(r"tags\.`([^`]+)` = '([^']*)'", body["filter"]).groups()  # type: ignore[union-attr]
                return 200, {"runs": [r for r in self.runs.values() if r["tags"].get(tag) == value][:1]}
            case "runs/create":
                id_ = f"r{len(self.runs)}"
                info = {"run_id": id_, "artifact_uri": f"mlflow-artifacts:/1/{id_}/artifacts", "status": "RUNNING"}
                tags = {t["key"]: t["value"] for t in body["tags"]}
                self.runs[id_] = {"info": info, "tags": tags, "params": {}, "metrics": {}, "name": body["run_name"]}
                return 200, {"run": self.runs[id_]}
            case "runs/get":
                return 200, {"run": self.runs[query["run_id"]]}
            case "runs/log-batch":
                return self._log(self.runs[body["run_id"]], body)
            case "runs/update":
                self.runs[body["run_id"]]["info"]["status"] = body["status"]
                return 200, {}
        return 404, {"message": f"no endpoint {method} {path}"}

    @staticmethod
    def _log(run: dict[str, Any], body: Any) -> tuple[int, Any]:
        for told in body.get("params", ()):
            if run["params"].setdefault(told["key"], told["value"]) != told["value"]:
                return 400, {"message": f"parameter {told['key']} was logged with another value"}
        for told in body.get("metrics", ()):
            run["metrics"].setdefault(told["key"], {})[told["step"]] = told["value"]
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    server: Tracking

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self.server.seen.append(f"{self.command} {parts.path} {self.headers.get('Authorization', '')}".strip())
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, told = self._answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, content)
        body = self.server.always.encode() or json.dumps(told).encode()
        self.send_response(302 if self.server.elsewhere else status)
        if self.server.elsewhere:
            self.send_header("Location", self.server.elsewhere + self.path)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, path: str, query: dict[str, str], content: bytes) -> tuple[int, Any]:
        if self.server.broken:
            self.server.broken -= 1
            return 503, {"message": "down"}
        if path.startswith("/api/2.0/mlflow-artifacts/artifacts/"):
            self.server.files[unquote(path.removeprefix("/api/2.0/mlflow-artifacts/artifacts/"))] = content
            return 200, {}
        body = json.loads(content) if content else {}
        return self.server.answer(self.command, path.removeprefix("/api/2.0/mlflow/"), query, body)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def tracking() -> Iterator[Tracking]:
    """A running server."""
    server = Tracking()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
