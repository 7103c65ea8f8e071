"""Where an address leads, before anything is sent there: no tricks in its spelling, only places that may be asked.

Names are resolved once, all their addresses are judged, and the connection goes to one of those: a name that points
elsewhere a moment later changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from ssl import create_default_context
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from tools.language import tr

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], tuple[str, ...]]
"""(name, port) → its addresses."""
SCHEMES = ("http", "https")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_ODD_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|\d+)(?:\.(?:0[xX][0-9a-fA-F]*|\d+))*\.?")
"""What a resolver takes for an address although nobody writes one like that: `2130706433`, `0x7f.1`, `127.1`."""
_THIS_NETWORK = ip_network("0.0.0.0/8")
_TRANSLATED = ip_network("64:ff9b::/96")
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
)
"""Where clouds hand out credentials to whoever asks."""


class OutOfReachError(OSError):
    """Nothing may be sent there; the message says why."""


def checked(url: str) -> SplitResult:
    """The parts of an address that is spelled as one. OutOfReachError for any other."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise OutOfReachError(tr("it is no address: {error}", error=error)) from error
    host = parts.hostname
    if parts.scheme not in SCHEMES or not host:
        raise OutOfReachError(tr("it must be http://HOST:PORT or https://..., not {scheme}:", scheme=parts.scheme))
    if "@" in parts.netloc:
        raise OutOfReachError(tr("it holds a user or a password: give them apart from it"))
    if any(c.isspace() or not c.isprintable() for c in url) or "\\" in url:
        raise OutOfReachError(tr("it holds a character that no address has"))
    if not _well_spelled(host):
        raise OutOfReachError(tr("{host} is no name and no address in its usual form", host=host))
    return parts


def _well_spelled(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return _NAME.fullmatch(host) is not None and _ODD_NUMBER.fullmatch(host) is None
    return True


def may_be_asked(address: Address, *, private: bool) -> bool:
    """Whether it is a public address, or with `private` one of this machine or of a network of one's own.

    Never link-local ones, nor those at which a cloud hands out credentials.
    """
    if isinstance(address, IPv6Address) and (inner := _carried(address)) is not None:
        return may_be_asked(inner, private=private)
    if address in _METADATA or address in _THIS_NETWORK:
        return False
    if address.is_loopback:
        return private
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    return private or address.is_global


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Every address of a name, in the resolver's order. OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[4][0]) for place in found))


def reachable(host: str, port: int, *, private: bool, resolver: Resolve = resolve) -> tuple[str, ...]:
    """The addresses of a name, when every one of them may be asked. OutOfReachError when one may not."""
    found = resolver(host, port)
    for text in found:
        if not may_be_asked(ip_address(text.partition("%")[0]), private=private):
            raise OutOfReachError(
                tr("{host} leads to {address}, and nothing may be sent there", host=host, address=text)
            )
    return found


def dial(
    address: tuple[str, int],
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
    *,
    private: bool,
    resolver: Resolve = resolve,
) -> socket.socket:
    """A connection to one of the addresses that were judged. OSError when none answers."""
    failed: OSError = OutOfReachError(tr("{host} has no address", host=address[0]))
    for place in reachable(*address, private=private, resolver=resolver):
        try:
            return socket.create_connection((place, address[1]), timeout, source_address)
        except OSError as error:
            failed = error
    raise failed


class _Dials(Protocol):
    def __call__(
        self, address: tuple[str, int], timeout: float | None = ..., source_address: tuple[str, int] | None = ..., /
    ) -> socket.socket: ...


class _Line(HTTPConnection):
    """Connects to what was judged, whatever its name says later."""

    def __init__(self, *args: Any, dials: _Dials, **more: Any) -> None:
        super().__init__(*args, **more)
        self._create_connection = dials


class _SafeLine(HTTPSConnection):
    """The same; the certificate is that of the name."""

    def __init__(self, *args: Any, dials: _Dials, **more: Any) -> None:
        super().__init__(*args, context=create_default_context(), **more)
        self._create_connection = dials


class _Http(HTTPHandler):
    def __init__(self, dials: _Dials) -> None:
        super().__init__()
        self._dials = dials

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Line, dials=self._dials), req)


class _Https(HTTPSHandler):
    def __init__(self, dials: _Dials) -> None:
        super().__init__()
        self._dials = dials

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_SafeLine, dials=self._dials), req)


class _Straight(HTTPRedirectHandler):
    """Follows nobody: what was judged, and what credentials are for, is this place alone."""

    def redirect_request(self, *_: object) -> None:
        return None


def opener(*, private: bool, resolver: Resolve = resolve) -> OpenerDirector:
    """Opens addresses that may be asked, and follows nobody elsewhere.

    A proxy of the environment is the operator's own: then it is the proxy's address that is judged here.
    """
    dials = partial(dial, private=private, resolver=resolver)
    return build_opener(_Straight, _Http(dials), _Https(dials))
