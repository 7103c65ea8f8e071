"""What clients of an endpoint may try: junk, bytes, headers, and who can reach it at all."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_desk import (
    SECRET,
    Bench,
    ask,
    body,
    children,
    line_to,
    opened,
    with_traffic,
)

from tools.ports import EndpointState


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("serving")) as made:
        yield made


@pytest.fixture(scope="module")
def live(bench: Bench) -> EndpointState:
    return with_traffic(bench)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/../../etc/passwd", None, 404),
        ("GET", "/v2/models/%2e%2e%2f%2e%2e/infer", None, 404),
        ("GET", "/v2/models/%ff%fe", None, 404),
        ("GET", "/v2/models/churn/versions/v9", None, 404),
        ("GET", "/versions/v1", None, 404),
        ("GET", "/v2/models/churn/infer", None, 405),
        ("DELETE", "/v2/models/churn", None, 405),
        ("POST", "/v2/models/other/infer", b"{}", 404),
        ("POST", "/v2/models/churn/versions/v1/infer", b"{}", 400),
        ("POST", "/v2/models/churn/infer", b"", 400),
        ("POST", "/v2/models/churn/infer", b"\xff\xfe\x00", 400),
        ("POST", "/v2/models/churn/infer", b"[" * 200_000, 400),
        ("POST", "/v2/models/churn/infer", b'{"inputs": [{"data": [NaN]}]}', 400),
        ("POST", "/v2/models/churn/infer", b"x" * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_junk_gets_a_typed_refusal(
    live: EndpointState, method: str, path: str, body: bytes | None, status: int
) -> None:
    with line_to(live) as line:
        try:
            answer = ask(line, method, path, body)
        except (BrokenPipeError, ConnectionResetError):
            assert status == 413  # refused before it was sent to the end
            return
    assert answer.status == status
    assert isinstance(json.loads(answer.text)["error"], str)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v2/models/churn/infer HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"CONNECT evil:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nx: " + b"a" * 600_000 + b"\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_are_refused(live: EndpointState, raw: bytes) -> None:
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        try:
            line.sendall(raw)
            first = line.recv(64)
        except ConnectionError:
            first = b""
    assert first == b"" or first.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))


def test_a_request_can_neither_choose_its_version_nor_slip_a_header_into_the_answer(live: EndpointState) -> None:
    with line_to(live) as line:
        line.request(
            "POST",
            "/v2/models/churn/infer?x=%0d%0aset-cookie:%20a=b",
            body=body(),
            headers={"x-goalkeeper-version": "v9", "x-request-id": "a", "connection": "close, x-request-id"},
        )
        answer = line.getresponse()
        answer.read()
    assert answer.status == 200
    assert answer.headers["x-goalkeeper-version"] == "v1"
    assert answer.headers["set-cookie"] is None


def test_malformed_requests_are_not_held_against_the_version(bench: Bench, live: EndpointState) -> None:
    since = time.time()
    with line_to(live) as line:
        assert ask(line, "POST", "/v2/models/churn/infer", b"{}").status == 400
        text = ask(line, "GET", "/metrics").text.decode()
    assert bench.telemetry.traffic("churn", version="v1", since=since, thresholds_ms=[]).requests == 0
    assert 'goalkeeper_requests_total{endpoint="churn",version="v1",outcome="error"} 0' in text


def test_everything_listens_on_loopback_and_only_its_user_may_steer_it(bench: Bench, live: EndpointState) -> None:
    assert live.url.startswith("http://127.0.0.1:")
    folder = bench.runtime / "endpoints" / "churn"
    assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    host = bench.process("churn").process.pid
    addresses = {_listening(inode) for pid in (host, *children(host)) for inode in _sockets(pid)} - {None}
    assert addresses == {"0100007F"}


def _sockets(pid: int) -> list[str]:
    targets = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return [target[8:-1] for target in targets if target.startswith("socket:[")]


def _listening(inode: str) -> str | None:
    """The local address, as the kernel writes it, of a listening TCP socket."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] == inode and fields[3] == "0A":
                return fields[1].split(":")[0]
    return None


def test_no_key_of_the_agent_reaches_a_server(bench: Bench, live: EndpointState) -> None:
    host = bench.process(live.name).process.pid
    for pid in (host, *children(host)):
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
