"""The router before model servers that misbehave and clients that dawdle: a typed answer in bounded time."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tools.backends.local.endpoint_host import client
from tools.backends.local.router import Routes, Upstream
from tools.backends.local.router_app import Router, public_app
from tools.backends.local.router_server import Impatient, listener
from tools.backends.local.router_tally import Tally

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATH = "/v2/models/m/infer"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01 this is no answer\r\n\r\n")
    writer.close()


async def fails(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _reply(reader, writer, b"500 Oops", b"set-cookie: a=b\r\nx-goalkeeper-version: v9\r\n")


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _reply(reader, writer, b"200 OK", b"connection: upgrade, x-extra\r\nx-extra: 1\r\n")


async def lingers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.2)
    await answers(reader, writer)


async def _reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: bytes, headers: bytes) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\ncontent-length: 2\r\n" + headers + b"\r\n{}"
    )
    await writer.drain()
    writer.close()


class Hasty(Impatient):
    head_within_s = 0.1


class Stand:
    """A real router on a real port, before one stand-in for a model server."""

    def __init__(self, url: str, upstream: Upstream, http: httpx.AsyncClient) -> None:
        self.url = url
        self.upstream = upstream
        self.http = http

    async def infer(self, body: bytes = b"{}") -> httpx.Response:
        return await self.http.post(self.url + PATH, content=body)

    async def raw(self, sent: bytes) -> bytes:
        """Send bytes and read until the router closes the connection."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def standing(handler: Handler, *, within_s: float = 0.3) -> AsyncIterator[Stand]:
    behind = await asyncio.start_server(handler, "127.0.0.1", 0)
    upstream = Upstream("v1", Tally())
    upstream.addresses = (f"http://127.0.0.1:{behind.sockets[0].getsockname()[1]}",)
    routes = Routes()
    routes.add(upstream)
    routes.weigh({"v1": 100})
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    async with client() as to_models, httpx.AsyncClient(trust_env=False, timeout=10) as http:
        router = Router(
            endpoint="m", routes=routes, tallies={"v1": upstream.tally}, client=to_models, within_s=within_s
        )
        server = listener(public_app(router), Hasty)
        task = asyncio.create_task(server.serve([door]))
        while not server.started:
            await asyncio.sleep(0.005)
        yield Stand(url, upstream, http)
        await http.aclose()
        server.should_exit = True
        await task
    behind.close()


def run(check: Callable[[Stand], Coroutine[Any, Any, None]], handler: Handler, **wishes: Any) -> None:
    async def inside() -> None:
        async with standing(handler, **wishes) as stand:
            await check(stand)

    asyncio.run(inside())


@pytest.mark.parametrize(("handler", "status"), [(silent, 504), (hangs_up, 502), (babbles, 502), (fails, 500)])
def test_a_server_that_does_not_answer_is_an_error_of_its_version(handler: Handler, status: int) -> None:
    async def check(stand: Stand) -> None:
        answer = await stand.infer()
        assert answer.status_code == status
        assert answer.headers["x-goalkeeper-version"] == "v1"
        assert "set-cookie" not in answer.headers
        assert stand.upstream.tally.counts == {"ok": 0, "error": 1, "refused": 0}

    run(check, handler)


def test_only_content_and_version_of_an_answer_reach_the_client() -> None:
    async def check(stand: Stand) -> None:
        answer = await stand.infer()
        assert answer.status_code == 200
        assert set(answer.headers) == {"date", "content-type", "content-length", "x-goalkeeper-version"}
        assert stand.upstream.tally.counts["ok"] == 1

    run(check, answers)


def test_a_withdrawal_waits_for_the_request_in_flight_but_not_for_ever() -> None:
    async def check(stand: Stand) -> None:
        flying = asyncio.create_task(stand.infer())
        await asyncio.sleep(0.05)
        assert not await stand.upstream.drained(within_s=0.01)
        assert await stand.upstream.drained(within_s=5)
        assert (await flying).status_code == 200

    run(check, lingers, within_s=5)


def test_a_body_that_does_not_arrive_is_the_clients_fault() -> None:
    async def check(stand: Stand) -> None:
        said = await stand.raw(b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        assert said.startswith(b"HTTP/1.1 408")
        assert stand.upstream.tally.counts == {"ok": 0, "error": 0, "refused": 0}

    run(check, answers)


@pytest.mark.parametrize("sent", [b"", b"POST /v2/models/m/inf", b"GET /v2 HTTP/1.1\r\nhost: x\r\n"])
def test_a_connection_that_does_not_get_to_the_end_of_its_header_is_closed(sent: bytes) -> None:
    async def check(stand: Stand) -> None:
        assert await stand.raw(sent) == b""

    run(check, answers)


def test_a_chunked_body_over_the_limit_is_cut_off() -> None:
    async def check(stand: Stand) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"x" * 1024 * 1024

        try:
            answer = await stand.http.post(stand.url + PATH, content=pieces())
        except httpx.WriteError:
            return  # the router closed while the rest was still being sent
        assert answer.status_code == 413

    run(check, answers, within_s=10)


def test_bodies_that_are_encoded_are_refused() -> None:
    async def check(stand: Stand) -> None:
        answer = await stand.http.post(stand.url + PATH, content=b"x", headers={"content-encoding": "gzip"})
        assert answer.status_code == 415
        assert "encoding" in json.loads(answer.text)["error"]

    run(check, answers)
