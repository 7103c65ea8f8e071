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
from tools.backends.local.router_copies import Copies
from tools.backends.local.router_forward import Courier
from tools.backends.local.router_inputs import Watching
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

    def __init__(self, url: str, upstream: Upstream, shadow: Upstream, http: httpx.AsyncClient, copies: Copies) -> None:
        self.url = url
        self.upstream = upstream
        self.shadow = shadow
        self.http = http
        self.copies = copies

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
async def listening(handler: Handler) -> AsyncIterator[str]:
    """The base URL of a stand-in for a model server."""
    behind = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{behind.sockets[0].getsockname()[1]}"
    finally:
        behind.close()


@asynccontextmanager
async def standing(
    handler: Handler, *, shadow: Handler | None = None, within_s: float = 0.3, most: int = 4, bytes_most: int = 10_000
) -> AsyncIterator[Stand]:
    upstream, copied, routes = Upstream("v1", Tally()), Upstream("v2", Tally()), Routes()
    for one in (upstream, copied):
        routes.add(one)
    routes.weigh({"v1": 100})
    routes.mirror(None if shadow is None else "v2")
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    async with (
        listening(handler) as first,
        listening(shadow or silent) as second,
        client() as to_models,
        httpx.AsyncClient(trust_env=False, timeout=10) as http,
    ):
        upstream.at([first])
        copied.at([second])
        courier = Courier(to_models, within_s=within_s)
        copies = Copies(courier, most=most, bytes_most=bytes_most)
        tallies = {"v1": upstream.tally, "v2": copied.tally}
        router = Router(
            endpoint="m",
            routes=routes,
            tallies=tallies,
            courier=courier,
            copies=copies,
            watching=Watching(),
            body_within_s=within_s,
        )
        server = listener(public_app(router), Hasty)
        task = asyncio.create_task(server.serve([door]))
        while not server.started:
            await asyncio.sleep(0.005)
        yield Stand(url, upstream, copied, http, copies)
        await copies.close()
        await http.aclose()
        server.should_exit = True
        await task


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


async def settled(stand: Stand, count: int) -> dict[str, int]:
    """What became of the copies, once that many have come to an end."""
    async with asyncio.timeout(10):
        while sum(stand.shadow.tally.copies.values()) < count:
            await asyncio.sleep(0.005)
    return {name: number for name, number in stand.shadow.tally.copies.items() if number}


@pytest.mark.parametrize("shadow", [silent, hangs_up, babbles, fails])
def test_a_shadow_that_does_not_answer_is_its_own_error_and_no_callers(shadow: Handler) -> None:
    async def check(stand: Stand) -> None:
        answer = await stand.infer()
        assert (answer.status_code, answer.headers["x-goalkeeper-version"]) == (200, "v1")
        assert await settled(stand, 1) == {"unanswered": 1}
        assert stand.shadow.tally.counts == {"ok": 0, "error": 1, "refused": 0}
        assert stand.upstream.tally.counts == {"ok": 1, "error": 0, "refused": 0}

    run(check, answers, shadow=shadow)


def test_copies_beyond_what_may_wait_are_dropped_and_counted_and_no_caller_waits_for_them() -> None:
    async def check(stand: Stand) -> None:
        for _ in range(10):
            assert (await stand.infer()).status_code == 200  # each is answered before any copy could be
        assert stand.shadow.tally.copies["dropped"] == 6
        assert stand.shadow.tally.counts == {"ok": 0, "error": 6, "refused": 0}, "it does not keep up"
        assert stand.shadow.tally.waiting == 4
        stand.copies.give_up(stand.shadow)
        assert await settled(stand, 10) == {"dropped": 10}
        assert stand.shadow.tally.waiting == 0
        assert stand.upstream.tally.counts == {"ok": 10, "error": 0, "refused": 0}

    run(check, answers, shadow=silent, within_s=60)


def test_copies_that_would_take_too_much_memory_are_dropped() -> None:
    async def check(stand: Stand) -> None:
        for size in (9_000, 9_000, 20_000):
            assert (await stand.infer(b"x" * size)).status_code == 200
        assert stand.shadow.tally.copies["dropped"] == 2

    run(check, answers, shadow=silent, within_s=60)


def test_what_callers_were_not_answered_is_not_compared() -> None:
    async def check(stand: Stand) -> None:
        assert (await stand.infer()).status_code == 500
        async with asyncio.timeout(10):
            while not stand.shadow.tally.counts["ok"]:
                await asyncio.sleep(0.005)
        assert await settled(stand, 0) == {}

    run(check, fails, shadow=answers)


def test_a_shadow_that_refuses_what_another_version_answers_has_failed() -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reply(reader, writer, b"400 Bad Request", b"")

    async def check(stand: Stand) -> None:
        assert (await stand.infer()).status_code == 200
        assert await settled(stand, 1) == {"unanswered": 1}
        assert stand.shadow.tally.counts == {"ok": 0, "error": 1, "refused": 0}

    run(check, answers, shadow=refuses)


def test_a_server_that_goes_is_waited_for_while_new_requests_go_elsewhere() -> None:
    async def check(stand: Stand) -> None:
        flying = asyncio.create_task(stand.infer())
        await asyncio.sleep(0.05)
        async with listening(answers) as other:
            with stand.upstream.taken() as replica:
                assert replica is not None
                going = stand.upstream.flights(replica.address)
            stand.upstream.at([other])
            assert (await stand.infer()).status_code == 200
            assert not await going.landed(within_s=0.01)
            assert await going.landed(within_s=5)
            assert (await flying).status_code == 200

    run(check, lingers, within_s=5)
