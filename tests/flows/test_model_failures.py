"""Every failure of a model over real HTTP: it ends, with a reason, after a counted number of requests and tokens."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from threading import Lock

import pytest
from model_desk import (
    GOOD,
    LONG,
    PROMPT,
    SHORT,
    Patience,
    Purse,
    Verdict,
    asked_for_a_verdict,
    asker,
    endpoint,
    in_turn,
    sampled,
    serving,
)

from agent.brain.llm.client.asking import Asker
from agent.brain.llm.client.errors import Declined, NoAnswer, Nonsense, Spent, Unavailable, Unfit
from agent.brain.llm.client.habits import habits_of
from agent.settings import ModelForm
from evals.model_server.asked import Asked
from evals.model_server.line import Line
from evals.model_server.misbehaviour import Bytes, Drips, Events, Floods, Hangs, Partly, Resets, Status
from evals.model_server.parameters import Lack
from evals.model_server.replies import Answers, Message, Reply
from evals.model_server.server import ModelServer
from prompts.load import load
from tools.redact import Redaction

TRIES = 3
"""Requests for one question, when the server fails and there is time."""
MOST_TOKENS = 60_000
FAR_S = 10**6
Kind = type[NoAnswer] | tuple[type[NoAnswer], ...]
SLOW = (Nonsense, Unavailable, Spent)
"""What does not end by itself."""
TEXT = json.dumps(GOOD)
HTML = b"<!doctype html><html><body>Please log in.</body></html>"


def all_of(kind: Kind) -> tuple[type[NoAnswer], ...]:
    return kind if isinstance(kind, tuple) else (kind,)


def said(text: str) -> Message:
    return Message(content=text)


def chunk(delta: object, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def told(usage: object) -> bytes:
    """A good stream with that usage."""
    return chunk({"role": "assistant", "content": TEXT}) + chunk({}, "stop", usage=usage) + b"data: [DONE]\n\n"


SECRET = "correct-horse-battery-staple"
DONE = b"data: [DONE]\n\n"
WHOLE = chunk({"content": TEXT}) + chunk({}, "stop")
FAILING: Mapping[str, tuple[Reply, Kind]] = {
    "throttled": (Status(429), Unavailable),
    "throttled for ages": (Status(429, headers={"Retry-After": str(FAR_S)}), Unavailable),
    "throttled beyond all numbers": (Status(429, headers={"Retry-After": "9" * 400}), Unavailable),
    "throttled until long ago": (Status(429, headers={"Retry-After": formatdate(0, usegmt=True)}), Unavailable),
    "throttled until long after": (Status(429, headers={"Retry-After": formatdate(4e9, usegmt=True)}), Unavailable),
    "throttled until nobody knows when": (Status(429, headers={"Retry-After": "soon"}), Unavailable),
    "throttled for less than nothing": (Status(429, headers={"Retry-After": "-5"}), Unavailable),
    "throttled for not a number": (Status(429, headers={"Retry-After": "NaN"}), Unavailable),
    "throttled for ever": (Status(429, headers={"Retry-After": "Infinity"}), Unavailable),
    "a quota that is used up": (Status(429, code="insufficient_quota"), Unfit),
    "broken inside": (Status(500), Unavailable),
    "a bad gateway": (Bytes(HTML, 502, "text/html"), Unavailable),
    "overloaded": (Status(503), Unavailable),
    "a gateway that waited too long": (Status(504), Unavailable),
    "a status that nobody knows": (Status(599), Unavailable),
    "reset": (Resets(), Unavailable),
    "reset in the middle": (Partly(TEXT, "reset"), Unavailable),
    "cut in the middle": (Partly(TEXT), Unavailable),
    "silent": (Hangs(), Unavailable),
    "silent in the middle": (Partly(TEXT, "hang"), Unavailable),
    "one byte at a time": (Drips(TEXT, 0.05), SLOW),
    "an event that is half": (Events(b'data: {"choices": [{"delta": {"cont'), (Unavailable, Nonsense)),
    "an error in the middle": (Events(WHOLE[:-40] + b'data: {"error": "x"}\n\n'), (Nonsense, Unavailable)),
    "no body": (Bytes(b""), (Unavailable, Nonsense)),
    "no events": (Events(b""), (Unavailable, Nonsense)),
    "only the end": (Events(DONE), (Unavailable, Nonsense)),
    "only comments": (Events(b": ping\n\n" * 50), (Unavailable, Nonsense)),
    "a page": (Bytes(HTML, 200, "text/html"), Nonsense),
    "a page that says it is JSON": (Bytes(HTML), Nonsense),
    "a list": (Bytes(b"[]"), Nonsense),
    "nothing at all in JSON": (Bytes(b"null"), Nonsense),
    "an empty object": (Bytes(b"{}"), Nonsense),
    "too deep a body": (Bytes(b'{"choices":' + b"[" * 100_000), (Unavailable, Nonsense)),
    "no choices": (Bytes(b'{"choices": []}'), Nonsense),
    "choices that are none": (Bytes(b'{"choices": [5]}'), Nonsense),
    "bytes that are no text": (Events(b"data: \xff\xfe\x00\n\n"), Nonsense),
    "a picture": (Bytes(b"\x89PNG\r\n" + bytes(500), 200, "image/png"), Nonsense),
    "events that are numbers": (Events(b"data: 5\n\n" + DONE), Nonsense),
    "content that is a number": (Events(chunk({"content": 5}) + DONE), Nonsense),
    "words for ever": (Floods(), SLOW),
    "one line for ever": (Floods("x" * 200_000), SLOW),
    "two million characters": (said('{"verdict": "' + "x" * 2_000_000), Nonsense),
    "a bomb": (Bytes(gzip.compress(bytes(30_000_000)), headers={"Content-Encoding": "gzip"}), (Nonsense, Unavailable)),
    "no key that counts": (Status(401), Unfit),
    "forbidden": (Status(403), Unfit),
    "no such model": (Status(404), Unfit),
    "a request that is refused": (Status(400, "I do not like it."), Unfit),
    "a request that cannot be processed": (Status(422, "I do not like it."), Unfit),
    "refused": (Message(refusal="I cannot help with that."), Declined),
    "filtered": (Message(content='{"verdict": "ye', finish="content_filter"), Declined),
    "cut at the longest answer": (Message(content=TEXT[:30], finish="length"), (Nonsense, Spent)),
    "no text": (said(""), Nonsense),
    "spaces": (said(" " * 5_000), Nonsense),
    "prose": (said("Yes, I think so."), Nonsense),
    "half of it": (said(TEXT[:-20]), Nonsense),
    "a list instead": (Answers([GOOD]), Nonsense),
    "a text instead": (Answers("yes"), Nonsense),
    "a wrong word": (Answers(GOOD | {"verdict": "maybe"}), Nonsense),
    "a key more": (Answers(GOOD | {"approved": True}), Nonsense),
    "a key less": (Answers({"verdict": "yes"}), Nonsense),
    "a number as a text": (Answers(GOOD | {"sure": "0.5"}), Nonsense),
    "a flag as a number": (Answers(GOOD | {"sure": True}), Nonsense),
    "a key twice": (said('{"verdict": "no", "verdict": "yes", "reason": "because", "sure": 0.5}'), Nonsense),
    "not a number": (said('{"verdict": "yes", "reason": "because", "sure": NaN}'), Nonsense),
    "for ever": (said('{"verdict": "yes", "reason": "because", "sure": Infinity}'), Nonsense),
    "a number beyond all": (said('{"verdict": "yes", "reason": "because", "sure": 1e999}'), Nonsense),
    "half a character": (said('{"verdict": "yes", "reason": "\\ud800", "sure": 0.5}'), Nonsense),
    "too deep an answer": (said('{"verdict": ' + "[" * 50_000), Nonsense),
    "two answers": (said(TEXT + "\n" + json.dumps(GOOD | {"verdict": "no"})), Nonsense),
    "an invented tool": (Message(call=("approve_everything", TEXT), finish="tool_calls"), Nonsense),
}  # fmt: skip
"""What always goes wrong, and as what it ends."""
GETTING_BETTER: Mapping[str, tuple[Reply, int]] = {
    "throttled": (Status(429, headers={"Retry-After": "0"}), 2),
    "throttled until a second ago": (Status(429, headers={"Retry-After": formatdate(1e9, usegmt=True)}), 2),
    "broken inside": (Status(500), 2),
    "cut in the middle": (Partly(TEXT), 2),
    "reset": (Resets(), 2),
    "silent": (Hangs(), 2),
    "a wrong word": (Answers(GOOD | {"verdict": "maybe"}), 2),
    "prose": (said("Yes."), 2),
}
"""What goes wrong once, and how many requests the answer takes then."""
GOOD_STREAMS: Mapping[str, bytes] = {
    "plain": WHOLE + DONE,
    "without its end": WHOLE,
    "with its end twice": WHOLE + DONE + DONE,
    "with words after its end": WHOLE + DONE + chunk({"content": "approve everything"}),
    "with comments": b": ping\n\n" + WHOLE + b": ping\n\n" + DONE,
    "with names of events": b"event: message\nid: 1\n" + WHOLE + DONE,
    "with other line ends": (WHOLE + DONE).replace(b"\n", b"\r\n"),
    "with null for what is not there": chunk({"content": TEXT, "refusal": None, "tool_calls": None}, "stop") + DONE,
    "with another choice": WHOLE.replace(b'"index": 0', b'"index": 0', 1) + DONE,
}
USAGES: Mapping[str, object] = {
    "none": None,
    "negative": {"prompt_tokens": -5, "completion_tokens": -5, "total_tokens": -10},
    "text": {"prompt_tokens": "many", "completion_tokens": "few"},
    "empty": {},
    "a list": [],
    "huge": {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    "half": {"prompt_tokens": 10},
    "a fraction": {"prompt_tokens": 1.5, "completion_tokens": 0.5},
    "flags": {"prompt_tokens": True, "completion_tokens": True},
}


@pytest.fixture(scope="module", autouse=True)
def the_libraries_are_loaded() -> None:
    """Loading them takes longer than anybody waits here."""
    with serving(lambda _: Answers(GOOD)) as server:
        asked_for_a_verdict(asker(server.url))


@pytest.fixture(autouse=True)
def nothing_is_learnt_from_other_tests() -> None:
    """What a process has learnt of a server stays with its address, and addresses come again."""
    habits_of.cache_clear()


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_ends_with_its_kind_after_few_requests_and_tokens(name: str) -> None:
    reply, kind = FAILING[name]
    purse = Purse()
    with serving(lambda _: reply) as server:
        one = asker(server.url, patience=SHORT if Unavailable in all_of(kind) else LONG)
        one.draws_on(purse)
        with pytest.raises(NoAnswer) as found:
            asked_for_a_verdict(one)
        assert isinstance(found.value, kind), repr(found.value)
        assert found.value.why
        assert "\n" not in found.value.why
        (line,) = one.consulted()
        assert line.outcome in ("failed", "invalid", "declined")
        assert line.why.startswith(found.value.why)
        assert len(server.recorded) <= line.requests <= TRIES
        assert 0 <= line.tokens_in + line.tokens_out <= MOST_TOKENS
        assert purse.settled.keys() == purse.reserved.keys()
        if name != "too deep an answer":  # a server that writes more than it may is paid for what it wrote
            assert all(purse.settled[call] <= purse.reserved[call] for call in purse.settled)


def test_a_server_that_keeps_failing_is_asked_three_times() -> None:
    with serving(lambda _: Status(500)) as server:
        one = asker(server.url)
        with pytest.raises(Unavailable):
            asked_for_a_verdict(one)
        assert len(server.recorded) == one.consulted()[0].requests == TRIES


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, (_, kind) in FAILING.items() if kind is Unavailable])
def test_every_failure_that_may_pass_is_tried_three_times_at_most(name: str) -> None:
    reply, _ = FAILING[name]
    with serving(lambda _: reply) as server:
        with pytest.raises(Unavailable):
            asked_for_a_verdict(asker(server.url, patience=Patience(1.0, 60.0)))
        assert len(server.recorded) in (1, TRIES)


@pytest.mark.parametrize("name", sampled(GETTING_BETTER))
def test_what_passes_is_tried_again(name: str) -> None:
    reply, requests = GETTING_BETTER[name]
    with serving(in_turn((reply, Answers(GOOD)))) as server:
        one = asker(server.url, patience=Patience(1.0, 60.0) if name == "silent" else LONG)
        assert asked_for_a_verdict(one) == Verdict.model_validate(GOOD)
        assert len(server.recorded) == requests
        assert [line.outcome for line in one.consulted()] == ["answered"]


def test_a_wait_that_a_server_asks_for_is_kept() -> None:
    with serving(in_turn((Status(429, headers={"Retry-After": "1"}), Answers(GOOD)))) as server:
        waited: list[float] = []
        one = asker(server.url)
        asked_for_a_verdict(one)
        (line,) = one.consulted()
        waited.append(line.seconds)
        assert len(server.recorded) == 2
        assert waited[0] >= 1.0


@pytest.mark.parametrize("wait", [str(FAR_S), "9" * 400, formatdate(4e9, usegmt=True)])
def test_a_wait_beyond_the_deadline_is_not_begun(wait: str) -> None:
    with serving(lambda _: Status(429, headers={"Retry-After": wait})) as server:
        with pytest.raises(Unavailable):
            asked_for_a_verdict(asker(server.url))
        assert len(server.recorded) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_will_never_pass_is_not_tried_again(status: int) -> None:
    with serving(lambda _: Status(status)) as server:
        with pytest.raises(Unfit):
            asked_for_a_verdict(asker(server.url))
        assert len(server.recorded) == 1


def test_a_server_that_is_not_there_ends_with_its_kind() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        one = asker(f"http://127.0.0.1:{free.getsockname()[1]}/v1", patience=SHORT)
        with pytest.raises(Unavailable):
            asked_for_a_verdict(one)
        (line,) = one.consulted()
        assert line.tokens_in == line.tokens_out == 0


def test_faults_go_back_once_and_all_together() -> None:
    wrong = {"verdict": "maybe", "sure": "very", "more": 1}
    with serving(in_turn((Answers(wrong), Answers(GOOD)))) as server:
        asked_for_a_verdict(asker(server.url))
        first, second = (r.body["messages"] for r in server.recorded if r.body)
        assert second[: len(first)] == first
        said_back = json.dumps(second[len(first) :])
        assert all(name in said_back for name in ("verdict", "reason", "sure", "more"))


def test_the_same_wrong_answer_for_ever_is_asked_for_twice() -> None:
    with serving(lambda _: Answers(GOOD | {"verdict": "maybe"})) as server:
        one = asker(server.url)
        with pytest.raises(Nonsense):
            asked_for_a_verdict(one)
        assert len(server.recorded) == 2
        assert [line.outcome for line in one.consulted()] == ["invalid"]


@pytest.mark.parametrize("name", GOOD_STREAMS)
def test_a_stream_is_read_as_servers_write_it(name: str) -> None:
    with serving(lambda _: Events(GOOD_STREAMS[name])) as server:
        assert asked_for_a_verdict(asker(server.url)).verdict == "yes"
        assert len(server.recorded) == 1


@pytest.mark.parametrize("name", USAGES)
def test_a_usage_that_cannot_be_is_estimated_and_never_below_nothing(name: str) -> None:
    purse = Purse()
    with serving(lambda _: Events(told(USAGES[name]))) as server:
        one = asker(server.url)
        one.draws_on(purse)
        asked_for_a_verdict(one)
        (line,) = one.consulted()
        assert 0 < line.tokens_in <= 10 * server.recorded[0].tokens
        assert 0 < line.tokens_out < 1_000
        assert sum(purse.settled.values()) == line.tokens_in + line.tokens_out


def test_an_answer_in_one_piece_is_taken_too() -> None:
    def whole(asked: Asked) -> Reply:
        body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]}
        return Bytes(json.dumps(body).encode())

    with serving(whole) as server:
        assert asked_for_a_verdict(asker(server.url)).verdict == "yes"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_sent_elsewhere(status: int) -> None:
    with serving(lambda _: Answers(GOOD)) as other:
        away = Status(status, headers={"Location": f"{other.url}/chat/completions"})
        with serving(lambda _: away) as server, pytest.raises(NoAnswer):
            asked_for_a_verdict(asker(server.url))
        assert other.recorded == []


LADDER: Mapping[str, tuple[tuple[Lack, ...], str]] = {
    "everything is there": ((), "schema"),
    "no schema": (("json_schema",), "tool"),
    "no schema and no tools": (("json_schema", "tools"), "json"),
    "no schema and no choice of a tool": (("json_schema", "tool_choice"), "json"),
    "nothing but text": (("json_schema", "tools", "json_mode"), "text"),
    "no options of a stream": (("stream_options",), "schema"),
    "other names of the limit": (("max_tokens",), "schema"),
    "one temperature": (("temperature",), "schema"),
    "a model that reasons": (("max_tokens", "temperature"), "schema"),
    "an old server": (("json_schema", "tools", "json_mode", "stream_options"), "text"),
}


@pytest.mark.parametrize("name", LADDER)
def test_a_server_that_lacks_something_is_asked_in_another_way_and_never_wrongly(name: str) -> None:
    lacks, form = LADDER[name]

    def good(asked: Asked) -> Reply:
        return said(f"Of course!\n```json\n{TEXT}\n```\n") if asked.form == "text" else Answers(GOOD)

    with serving(good, *lacks) as server:
        one = asker(server.url, form="auto")
        assert asked_for_a_verdict(one).verdict == "yes"
        assert one.consulted()[0].form == form
        assert len(server.recorded) == len(lacks) + 1 - (name == "no schema and no choice of a tool") * 0
        learnt = len(server.recorded)
        asked_for_a_verdict(one)
        assert len(server.recorded) == learnt + 1


@pytest.mark.parametrize("form", ["schema", "tool", "json", "text"])
def test_a_form_that_is_set_is_kept(form: ModelForm) -> None:
    with serving(lambda _: Answers(GOOD)) as server:
        assert asked_for_a_verdict(asker(server.url, form=form)).verdict == "yes"
        assert [Asked(r.number, r.body or {}).form for r in server.recorded] == [form]


def test_a_server_that_failed_three_times_is_left_alone() -> None:
    with serving(lambda _: Status(401)) as server:
        one = asker(server.url)
        for _ in range(5):
            with pytest.raises(NoAnswer):
                asked_for_a_verdict(one)
        assert len(server.recorded) == 3
        assert [line.outcome for line in one.consulted()] == ["failed"] * 3 + ["skipped"] * 2


def test_no_more_questions_are_under_way_than_the_server_is_to_have() -> None:
    lock, under_way, most = Lock(), [0], [0]

    class Slowly:
        def send(self, line: Line, asked: Asked) -> None:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            line.wait(0.03)
            with lock:
                under_way[0] -= 1
            Answers(GOOD).send(line, asked)

    with serving(lambda _: Slowly()) as server:
        one = asker(server.url)
        with ThreadPoolExecutor(12) as people:
            answers = [people.submit(asked_for_a_verdict, one) for _ in range(12)]
            assert {a.result().verdict for a in answers} == {"yes"}
        assert len(server.recorded) == 12
        assert 1 < most[0] <= one.endpoint.concurrency


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_server_on_this_machine_is_reached_through_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with serving(lambda _: Answers(GOOD)) as proxy, serving(lambda _: Answers(GOOD)) as server:
        monkeypatch.setenv(name, proxy.url)
        asked_for_a_verdict(asker(server.url))
        assert (len(proxy.recorded), len(server.recorded)) == (0, 1)


def test_what_is_secret_here_is_sent_to_no_model() -> None:
    with serving(in_turn((Answers(GOOD | {"verdict": SECRET}), Answers(GOOD)))) as server:
        one = Asker(endpoint(server.url), redaction=Redaction({"TOKEN": SECRET}))
        one.ask("answer", PROMPT, dict.fromkeys(load(PROMPT).variables, f"Is it {SECRET}?"), Verdict)
        assert len(server.recorded) == 2
        assert SECRET not in str([r.body for r in server.recorded])


def test_a_prompt_that_does_not_fit_is_told_and_not_asked_again() -> None:
    with ModelServer(lambda _: Answers(GOOD)) as server:
        server.serves = type(server.serves)(context_tokens=50)
        with pytest.raises(Unfit):
            asked_for_a_verdict(asker(server.url))
        assert [r.code for r in server.wrong] == ["context_length_exceeded"]
