"""The metrics over HTTP, on this machine alone: they carry no password."""

from __future__ import annotations

import ipaddress
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from agent.errors import Fault, InvalidRequest
from tools.language import tr


class Served:
    """Metrics that are being served, until they are closed."""

    def __init__(self, server: WSGIServer, thread: Thread, host: str) -> None:
        self._server = server
        self._thread = thread
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(host: str, port: int, registry: CollectorRegistry) -> Served:
    """Serve them there; port 0 takes any that is free. InvalidRequest when it cannot be done, or not on loopback."""
    place = f"--metrics {host}:{port}"
    if not _is_loopback(host):
        what = tr("{host} can be reached from other machines, and the metrics have no password", host=host)
        raise InvalidRequest(Fault(place=place, what=what, fix=tr("give 127.0.0.1 and a proxy in front of it")))
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except (OSError, OverflowError) as error:
        what = tr("metrics cannot be served there: {error}", error=error)
        raise InvalidRequest(Fault(place=place, what=what, fix=tr("choose another port"))) from error
    return Served(server, thread, host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
