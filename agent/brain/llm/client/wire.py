"""HTTP to an OpenAI-compatible server, through its SDK. Whatever a server does ends in time, as one of our errors.

Each request has a thread of its own that reads what comes; who asked waits for it, no longer than the silence and the
time allow, and leaves it behind if need be. It ends with its connection and is a daemon. Nothing is repeated here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from email.utils import parsedate_to_datetime
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread

import httpx2
import openai

from agent.brain.llm.client.endpoint import OPENAI, Endpoint
from agent.brain.llm.client.errors import NoAnswer, Nonsense, Unavailable, Unfit
from agent.brain.llm.client.streamed import MOST_WIRE, Piece, Reader, cut_off
from tools.language import tr
from tools.record import Json

NO_KEY = "none"
"""Servers on one's own machine want no key, and the SDK none that is empty."""
_CONNECT_S = 10.0
_TICK_S = 0.25
_AFTER_S = 5.0
"""How long the bill may come after the answer."""
_OWN_HEADER = "x-stainless-raw-response"
"""The SDK looks at it again when the answer is there."""
_AGES_S = 1e9
"""Longer than that nobody is left alone; a number beyond all numbers is one, too."""
_SAYS = 16 * 1024
"""Bytes of a refusal that are read."""


class _Refused(openai.OpenAIError):
    """A status that is no success. The SDK lets its own errors through."""

    def __init__(self, status: int, headers: httpx2.Headers, says: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.headers, self.says = status, headers, says


_Got = bytes | bool | BaseException | None
"""Bytes; at first whether they are a stream; an error; None at the end."""


class Wire:
    """One endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def exchange(self, body: Json, *, left_s: float, beat: Callable[[int], None]) -> Iterator[Piece]:
        """One request and the pieces of its answer. NoAnswer.

        `left_s`: how long it may take in all. `beat` is called a few times a second with the characters so far.
        """
        got: SimpleQueue[_Got] = SimpleQueue()
        left = Event()
        Thread(target=copy_context().run, args=(self._fetch, body, got, left), name="model", daemon=True).start()
        try:
            yield from self._read(got, left_s, beat)
        finally:
            left.set()

    def _read(self, got: SimpleQueue[_Got], left_s: float, beat: Callable[[int], None]) -> Iterator[Piece]:
        until, reader = time.monotonic() + left_s, Reader(streamed=None)
        while not reader.done:
            try:
                came = _next(got, until, _AFTER_S if reader.finished else self.endpoint.gap_s, reader, beat)
            except Unavailable:
                if reader.finished:  # the answer is whole, its bill or its end is missing
                    return
                raise
            if isinstance(came, BaseException):
                if reader.finished:
                    return
                raise _mapped(came, self.endpoint) from came
            if isinstance(came, bool):
                reader = Reader(streamed=came or None)
            elif came is None:
                yield from reader.end()
            else:
                yield from reader.feed(came)

    def _fetch(self, body: Json, got: SimpleQueue[_Got], left: Event) -> None:
        """In its own thread: hands over what comes, and ends as soon as nobody is left to read it."""
        try:
            with self._client(left) as client:
                asked = client.chat.completions.with_streaming_response.create(**body)
                with asked as response:
                    got.put("text/event-stream" in response.headers.get("content-type", "").lower())
                    size = 0
                    for data in response.iter_bytes():
                        size += len(data)
                        if left.is_set() or size > MOST_WIRE:
                            break
                        got.put(data)
            got.put(Nonsense(tr("the model's answer does not end")) if size > MOST_WIRE else None)
        except Exception as error:  # noqa: BLE001 - whatever a server causes, in whichever library, is told as one of ours
            got.put(error)

    def _client(self, left: Event) -> openai.OpenAI:
        """A client of its own for every request, so that nothing stays open. It goes through no proxy to this machine,
        and follows no redirect: what is asked goes where it was meant to, and nowhere else."""
        endpoint = self.endpoint
        gap = endpoint.gap_s
        return openai.OpenAI(
            base_url=endpoint.url,
            api_key=(endpoint.key.get_secret_value() if endpoint.key else "") or NO_KEY,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity", "User-Agent": "goalkeeper"},
            http_client=httpx2.Client(
                timeout=httpx2.Timeout(gap, connect=min(_CONNECT_S, gap)),
                follow_redirects=False,
                trust_env=not endpoint.loopback,
                event_hooks={"request": [self._plain], "response": [partial(_refuse, left)]},
            ),
        )

    def _plain(self, request: httpx2.Request) -> None:
        """Take out what the SDK tells of this machine, and of an account that only OpenAI knows."""
        told = ("x-stainless-",) if self.endpoint.url == OPENAI else ("x-stainless-", "openai-")
        for name in list(request.headers):
            if name.startswith(told) and name != _OWN_HEADER:
                del request.headers[name]


def _refuse(left: Event, response: httpx2.Response) -> None:
    """Read the beginning of a refusal, and no more; nothing when nobody is left to read it."""
    if response.is_success:
        return
    says = bytearray()
    for data in response.iter_bytes():
        says += data
        if len(says) >= _SAYS or left.is_set():
            break
    raise _Refused(response.status_code, response.headers, says[:_SAYS].decode(errors="replace"))


def _next(got: SimpleQueue[_Got], until: float, gap_s: float, reader: Reader, beat: Callable[[int], None]) -> _Got:
    """What comes next. Unavailable when nothing does in time."""
    quiet = time.monotonic() + gap_s
    while True:
        beat(reader.characters)
        now = time.monotonic()
        if now >= until:
            raise Unavailable(tr("the model did not finish its answer in the time that it has"), worked=True)
        if now >= quiet:
            raise Unavailable(tr("the model's server said nothing for {gap:g} s", gap=gap_s), worked=True)
        try:
            return got.get(timeout=min(_TICK_S, until - now, quiet - now))
        except Empty:
            continue


def _mapped(error: BaseException, endpoint: Endpoint) -> NoAnswer:
    """What an error of the exchange means."""
    if isinstance(error, NoAnswer):
        return error
    if isinstance(error, _Refused):
        return _refused(error, endpoint)
    if isinstance(error, openai.APIConnectionError) and error.__cause__ is not None:
        return _mapped(error.__cause__, endpoint)
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return Unavailable(tr("the model's server cannot be reached: {url}", url=endpoint.url))
    if isinstance(error, httpx2.TimeoutException):
        return Unavailable(tr("the model's server said nothing for {gap:g} s", gap=endpoint.gap_s), worked=True)
    if isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError):
        return cut_off()
    if isinstance(
        error, httpx2.LocalProtocolError | httpx2.InvalidURL | httpx2.UnsupportedProtocol | UnicodeEncodeError
    ):
        return Unfit(tr("the model's server cannot be asked like this: check OPENAI_BASE_URL and OPENAI_API_KEY"))
    kind = type(error).__name__
    return Nonsense(tr("the model's server answers in a way that is not understood ({kind})", kind=kind))


def _refused(error: _Refused, endpoint: Endpoint) -> NoAnswer:
    """What a status means."""
    status, says = error.status, error.says
    if status == 429 and "insufficient_quota" in says:
        return Unfit(tr("the account of the model's key has nothing left"), status=status, says=says)
    if status == 429:
        wait = retry_after(error.headers)
        return Unavailable(tr("the model's server is asked too often"), retry_after_s=wait)
    if status in (408, 425) or (status >= 500 and status != 501):
        why = tr("the model's server fails (HTTP {status})", status=status)
        return Unavailable(why, retry_after_s=retry_after(error.headers), worked=True, says=says)
    return Unfit(_unfit(status, endpoint), status=status, says=says)


def _unfit(status: int, endpoint: Endpoint) -> str:
    if status in (401, 403):
        return tr("the model's server does not accept the key: check OPENAI_API_KEY")
    if status == 404:
        model, url = endpoint.model, endpoint.url
        return tr("there is no model {model} at {url}; most addresses end in /v1", model=model, url=url)
    if 300 <= status < 400:
        return tr("the model's server has moved: set OPENAI_BASE_URL to its new address")
    return tr("the model's server refuses what it is asked (HTTP {status})", status=status)


def retry_after(headers: httpx2.Headers | dict[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds for which a server asks to be left alone; None when it does not say, or nothing that can be read."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if seconds >= 0:
            return min(seconds, _AGES_S)
    return _date(headers.get("retry-after", ""), now())


def _date(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
