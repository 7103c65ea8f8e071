"""Carries one request to a server of a version and its answer back: a typed problem in bounded time, never an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from tools.backends.local.router import Upstream


class Sent(NamedTuple):
    """What goes upstream: written anew, never what a client sent as it was."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


class Carried(NamedTuple):
    """What came back."""

    status: int
    content: bytes
    kind: str = "application/json"
    """Its content type."""


class Courier:
    """Speaks to the servers of every version. Bodies are never taken apart here."""

    def __init__(self, client: httpx.AsyncClient, *, within_s: float) -> None:
        self._client = client
        self._within_s = within_s

    async def carry(self, upstream: Upstream, sent: Sent) -> Carried:
        """The answer of the server whose turn it is; 502 or 504 with the reason where there is none."""
        with upstream.taken() as replica:
            if replica is None:
                return _problem(502, "no server of this version is ready")
            try:
                async with asyncio.timeout(self._within_s), replica.gate:
                    answer = await self._client.request(
                        sent.method, replica.address + sent.path, content=sent.body, headers=dict(sent.headers)
                    )
            except (TimeoutError, httpx.TimeoutException):
                return _problem(504, f"no answer within {self._within_s:g} s")
            except httpx.HTTPError:
                return _problem(502, "the connection to the model server was lost")
        return Carried(answer.status_code, answer.content, answer.headers.get("content-type", "application/json"))


def _problem(status: int, message: str) -> Carried:
    return Carried(status, json.dumps({"error": message}).encode())
