"""Puts an endpoint host together: its sockets, its two servers, its signals, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
import time
from pathlib import Path

from tools.backends.local.endpoint_control import control_app
from tools.backends.local.endpoint_host import EndpointHost
from tools.backends.local.endpoint_records import CONTROL, START, Start
from tools.backends.local.registry import TAGS, Registration, identify, read_json
from tools.backends.local.router_app import Router, public_app
from tools.backends.local.router_forward import Courier
from tools.backends.local.router_server import listener
from tools.latency import ANSWER_WITHIN_S

PATH_MOST = 100
"""Bytes of a Unix socket's path that every platform takes."""


def run(folder: Path, tell: int) -> None:
    """Serve the endpoint of that folder until its end; one byte to `tell` once it can be asked."""
    asyncio.run(_run(folder, tell))


async def _run(folder: Path, tell: int) -> None:
    start = Start.model_validate_json((folder / START).read_bytes())
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it an answer takes 40 ms more.
    public = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    public.bind(("127.0.0.1", 0))
    path = _control_path(folder)
    host = EndpointHost(
        folder=folder,
        registration=_registration(start, path, folder),
        url=f"http://127.0.0.1:{public.getsockname()[1]}",
        control=str(path),
    )
    router = Router(
        endpoint=host.name,
        routes=host.routes,
        tallies=host.tallies,
        courier=Courier(host.client, within_s=ANSWER_WITHIN_S),
        copies=host.copies,
        watching=host.watching,
    )
    servers = (listener(public_app(router)), listener(control_app(host)))
    tasks = [
        asyncio.create_task(server.serve([door]))
        for server, door in zip(servers, (public, _control_socket(path)), strict=True)
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, host.closing.set)
    while not all(server.started for server in servers):
        await asyncio.sleep(0.005)
    host.publish()
    _say_ready(tell)
    await host.watch()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)
    await host.close()


def _registration(start: Start, path: Path, folder: Path) -> Registration:
    tags = start.tags
    announced = read_json(folder / TAGS, Registration)
    made = Registration(
        kind="endpoint",
        id=start.name,
        run=tags.run,
        call=tags.call,
        owner=tags.owner,
        lease_until=tags.lease_until,
        started=time.time(),
        process=identify(os.getpid()),
        debris=() if path.parent == folder else (str(path.parent),),
    )
    if announced is None:
        return made.leased(tags.lease_until)
    return made.model_copy(update={"lapses": announced.lapses, "boot": announced.boot})  # since it was asked for


def _control_path(folder: Path) -> Path:
    path = folder / CONTROL
    if len(os.fsencode(path)) <= PATH_MOST:
        path.unlink(missing_ok=True)
        return path
    return Path(tempfile.mkdtemp(prefix="goalkeeper-", dir="/tmp")) / CONTROL


def _control_socket(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # only this user may connect, from the first instant on
    try:
        door.bind(str(path))
    finally:
        os.umask(before)
    return door


def _say_ready(tell: int) -> None:
    try:
        os.write(tell, b"1")
    except BrokenPipeError:
        return  # whoever started the host is gone; the host is there all the same
    finally:
        os.close(tell)
