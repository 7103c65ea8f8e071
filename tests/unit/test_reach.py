"""Where an address leads is judged by what it is, however it is spelled and whatever its name says later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from urllib.error import HTTPError, URLError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.reach import OutOfReachError, checked, dial, may_be_asked, opener, reachable

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::6810:84e5", "::ffff:8.8.8.8"]
OWN = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "fd12::1",
    "100.64.0.1",
    "::ffff:10.0.0.1",
]
NEVER = [
    *("169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
    *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255"),
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_asked(address: str) -> None:
    assert may_be_asked(ip_address(address), private=False)
    assert may_be_asked(ip_address(address), private=True)


@pytest.mark.parametrize("address", OWN)
def test_ones_own_addresses_may_be_asked_only_where_that_was_said(address: str) -> None:
    assert not may_be_asked(ip_address(address), private=False)
    assert may_be_asked(ip_address(address), private=True)


@pytest.mark.parametrize("address", NEVER)
def test_links_metadata_and_nowhere_are_never_asked(address: str) -> None:
    assert not may_be_asked(ip_address(address), private=False)
    assert not may_be_asked(ip_address(address), private=True)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_what_it_is(address: object) -> None:
    for private in (True, False):
        plain = may_be_asked(ip_address(str(address)), private=private)
        assert may_be_asked(ip_address(f"::ffff:{address}"), private=private) == plain


@pytest.mark.parametrize(
    "url",
    [
        "http://tracking:5000",
        "https://mlflow.example.org/base/path",
        "http://127.0.0.1:5000",
        "http://[::1]:5000/",
        "https://a-b.c_d.example/",
        "http://10.0.0.1",
        "http://1a.example",
        "http://xn--bcher-kva.example",
    ],
)
def test_addresses_as_people_write_them_pass(url: str) -> None:
    assert checked(url).geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x",
        "gopher://127.0.0.1:6379/_x",
        "//x",
        "x",
        "",
        "http://",
        "http://[::1",
        "http://a:b",
        "http://a:99999",
        "http://user:password@host/",
        "http://user@host/",
        "http://good.example@evil.example/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://ⓔxample.com/",
        "http://a\tb/",
        "http://a b/",
        "http://a/\r\nX: y",
        "http://evil.example\\@good.example/",
        "http://a\u202eb/",
        "http://-a/",
        "http://a..b/",
    ],
)
def test_tricks_of_spelling_do_not(url: str) -> None:
    with pytest.raises(OutOfReachError):
        checked(url)


def test_every_address_of_a_name_is_judged() -> None:
    def two(host: str, port: int) -> tuple[str, ...]:
        return ("93.184.216.34", "10.0.0.1")

    with pytest.raises(OutOfReachError, match=r"shop leads to 10\.0\.0\.1"):
        reachable("shop", 80, private=False, resolver=two)
    assert reachable("shop", 80, private=True, resolver=two) == ("93.184.216.34", "10.0.0.1")
    with pytest.raises(OutOfReachError):
        reachable("x", 80, private=True, resolver=lambda h, p: ("fe80::1%eth0",))
    with pytest.raises(OutOfReachError, match="no address"):
        dial(("x", 80), private=True, resolver=lambda h, p: ())


class Answers(BaseHTTPRequestHandler):
    """Says hello, or sends elsewhere."""

    seen: list[str]
    elsewhere = ""

    def do_GET(self) -> None:
        self.seen.append(self.headers["Host"])
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", self.elsewhere)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(elsewhere: str = "") -> Iterator[tuple[int, list[str]]]:
    seen: list[str] = []
    handler = type("Handler", (Answers,), {"seen": seen, "elsewhere": elsewhere})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_connection_goes_to_what_was_judged_and_the_name_stays_the_name() -> None:
    asked = []

    def changing(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("10.66.66.66",)

    with (
        serving() as (port, seen),
        opener(private=True, resolver=changing).open(f"http://shop.example:{port}/", timeout=5) as answer,
    ):
        assert answer.read() == b"hello"
    assert asked == ["shop.example"]
    assert seen == [f"shop.example:{port}"]


def test_this_machine_is_out_of_reach_unless_it_was_said() -> None:
    with serving() as (port, seen), pytest.raises(URLError, match="nothing may be sent there"):
        opener(private=False, resolver=lambda h, p: ("127.0.0.1",)).open(f"http://shop.example:{port}/", timeout=5)
    assert seen == []


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with serving() as (inner, reached), serving(f"http://127.0.0.1:{inner}/") as (port, seen):
        with pytest.raises(HTTPError) as told:
            opener(private=True).open(f"http://127.0.0.1:{port}/away", timeout=5)
        assert told.value.code == 302
        told.value.close()
    assert (len(seen), reached) == (1, [])


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with socket.socket() as closed, serving() as (port, _):
        closed.bind(("127.0.0.2", 0))
        with opener(private=True, resolver=lambda h, p: ("127.0.0.2", "127.0.0.1")).open(
            f"http://shop.example:{port}/", timeout=5
        ) as answer:
            assert answer.status == 200
