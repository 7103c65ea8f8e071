"""The model client over real HTTP: what it sends, and that every failure ends in time as one of its errors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith.utils import get_env_var
from model_desk import LONG, PROMPT, SHORT, Purse, endpoint, in_turn, serving

from agent.brain.llm.client.asking import Asker, Progress
from agent.brain.llm.client.chat import UNANSWERED, Chat, wire_messages
from agent.brain.llm.client.errors import NoAnswer, Nonsense, Spent, Unavailable, Unfit, Unpriced
from agent.brain.llm.client.exchange import MOST_REQUESTS
from agent.brain.llm.client.habits import Habits, habits_of
from agent.brain.llm.client.strict import faults
from agent.brain.llm.client.wire import NO_KEY, Wire, retry_after
from agent.errors import OverLimit
from evals.model_server.asked import Asked
from evals.model_server.line import Line
from evals.model_server.misbehaviour import Events, Status
from evals.model_server.parameters import Serves
from evals.model_server.replies import Answers, Message, Reply, said
from evals.model_server.server import ModelServer
from tools.language import speaking
from tools.record import Json, Record
from tools.redact import Redaction

SECRET = "hunter2-Zq81-canary"
VARIABLES = {"language": "English", "facts": "f1 none", "question": "why?"}


class Ready(Record):
    """An answer."""

    ok: bool
    words: dict[str, str] = {}


GOOD = {"ok": True, "words": [{"name": "a", "value": "b"}]}
READY = Ready(ok=True, words={"a": "b"})


@pytest.fixture(autouse=True)
def nothing_is_learnt_from_other_tests() -> None:
    """What a process has learnt of a server stays with its address, and addresses come again."""
    habits_of.cache_clear()


@dataclass
class Does:
    """A reply that is whatever a function does with the line."""

    act: Callable[[Line], None]

    def send(self, line: Line, asked: Asked) -> None:
        self.act(line)
        line.cut()


@contextmanager
def answering(*replies: Reply) -> Iterator[ModelServer]:
    """A server with one reply after the other; the last for ever."""
    with serving(in_turn(replies)) as server:
        yield server


def asker(server: ModelServer, **given: Any) -> Asker:
    """`given`: fields of the endpoint, or of the asker."""
    own = {name: given.pop(name) for name in ("consent", "progress", "now") if name in given}
    made = endpoint(server.url, form=given.pop("form", "auto"), patience=given.pop("patience", LONG))
    return Asker(made.model_copy(update=given), redaction=Redaction({"TOKEN": SECRET}), **own)


def ask(made: Asker, **changed: str) -> Ready:
    return made.ask("answer", PROMPT, VARIABLES | changed, Ready)


def bodies(server: ModelServer) -> list[Json]:
    return [recorded.body or {} for recorded in server.recorded]


def roles(body: Json) -> list[str]:
    return [message["role"] for message in body["messages"]]


def delta(finish: str | None = None, **said: object) -> bytes:
    told = {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}
    return f"data: {json.dumps(told)}\n\n".encode()


def calls(*called: tuple[str, str]) -> Events:
    """Several calls at once, each in two halves."""
    found = []
    for index, (name, arguments) in enumerate(called):
        half = len(arguments) // 2
        first = {"name": name, "arguments": arguments[:half]}
        found.append(delta(tool_calls=[{"index": index, "id": f"c{index}", "type": "function", "function": first}]))
        found.append(delta(tool_calls=[{"index": index, "function": {"arguments": arguments[half:]}}]))
    return Events(b"".join([*found, delta("tool_calls"), b"data: [DONE]\n\n"]))


def test_an_answer_is_asked_for_by_a_strict_schema_and_streamed() -> None:
    with ModelServer(in_turn([Answers(GOOD)]), serves=Serves(), key=NO_KEY) as server:
        made = asker(server, key=None)
        assert ask(made) == READY
        (body,), headers = bodies(server), server.recorded[0].headers
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert faults(schema["schema"]) == ()
    assert set(body) == {
        "model",
        "messages",
        "response_format",
        "stream",
        "stream_options",
        "temperature",
        "max_tokens",
    }
    assert roles(body) == ["system", "user"]
    (line,) = made.consulted()
    assert (line.id, line.prompt, line.outcome, line.form) == ("answer-1", "answer@1", "answered", "schema")
    assert (line.requests, line.usd_micro) == (1, line.tokens_in + 2 * line.tokens_out)
    assert made.consulted() == ()
    told = {name for name in headers if name.startswith(("x-", "openai-"))}
    assert told == {"x-stainless-raw-response"}


def test_what_does_not_change_stands_first_and_stays_the_same() -> None:
    with answering(Answers(GOOD)) as server:
        made = asker(server)
        ask(made)
        ask(made, question="and what now?")
        one, other = ({**body, "messages": body["messages"][:1]} for body in bodies(server))
    assert json.dumps(one) == json.dumps(other)


def test_what_a_server_says_of_a_key_is_shown_nowhere() -> None:
    with answering(Status(401, f"bad key {SECRET}")) as server:
        made = asker(server)
        with pytest.raises(Unfit) as raised:
            ask(made)
    assert SECRET not in raised.value.why + made.consulted()[0].model_dump_json()


def test_an_answer_goes_back_as_it_was_with_all_that_the_caller_finds_wrong() -> None:
    with answering(Answers({"ok": False, "words": []}), Answers(GOOD)) as server:
        check = lambda ready: () if ready.ok else ("ok: it must be so", "ok: it must")  # noqa: E731
        assert asker(server).ask("answer", PROMPT, VARIABLES, Ready, check=check) == READY
        again = bodies(server)[1]
    assert roles(again) == ["system", "user", "assistant", "user"]
    assert again["messages"][2]["content"] == '{"ok": false, "words": []}'
    assert "- ok: it must be so\n- ok: it must\n" in again["messages"][3]["content"]


def test_an_answer_that_a_check_stumbles_over_is_no_answer() -> None:
    def check(ready: Ready) -> tuple[str, ...]:
        return (str(1 / (not ready.ok)),)

    with answering(Answers(GOOD)) as server, pytest.raises(Nonsense) as raised:
        asker(server).ask("answer", PROMPT, VARIABLES, Ready, check=check)
    assert raised.value.faults == ("the answer cannot be checked (ZeroDivisionError)",)


def test_every_call_of_a_tool_is_answered_at_once_when_a_repair_is_asked_for() -> None:
    with answering(calls(("answer", '{"ok": 1}'), ("other", "{}")), Answers(GOOD)) as server:
        assert ask(asker(server, form="tool")) == READY
        first, again = bodies(server)
    assert first["tool_choice"]["function"]["name"] == "answer"
    assert faults(first["tools"][0]["function"]["parameters"]) == ()
    assert roles(again) == ["system", "user", "assistant", "tool", "tool"]
    assert [call["id"] for call in again["messages"][2]["tool_calls"]] == ["c0", "c1"]
    assert [message["tool_call_id"] for message in again["messages"][3:]] == ["c0", "c1"]
    assert "2 tools are called" in again["messages"][3]["content"]


def test_a_call_that_is_no_json_is_shown_as_text_and_not_completed() -> None:
    with answering(calls(("answer", '{"ok": true, "words": [')), Answers(GOOD)) as server:
        assert ask(asker(server, form="tool")) == READY
        assert roles(bodies(server)[1]) == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(("form", "last"), [("schema", "json_schema"), ("json", "json_object"), ("text", None)])
def test_the_only_object_in_prose_is_the_answer_in_every_form(form: str, last: str | None) -> None:
    with answering(Message(f"Here: {json.dumps(GOOD)}")) as server:
        assert ask(asker(server, form=form)) == READY
        (body,) = bodies(server)
    assert body.get("response_format", {}).get("type") == last
    assert ("JSON Schema" in body["messages"][0]["content"]) == (form != "schema")


def test_what_one_question_has_learnt_of_a_server_the_next_one_knows() -> None:
    def good(asked: Asked) -> Reply:
        return said(f"```json\n{json.dumps(GOOD)}\n```", asked)

    with serving(good, "json_schema", "tools", "json_mode", "max_tokens") as server:
        assert ask(asker(server)) == ask(asker(server)) == READY
        assert len(server.recorded) == 4 + 1 + 1


def test_a_server_that_breaks_on_a_schema_is_asked_otherwise() -> None:
    with answering(Status(500, "failed to parse grammar"), Answers(GOOD)) as server:
        made = asker(server)
        assert ask(made) == READY
    assert made.consulted()[0].form == "tool"


def test_a_server_that_ignores_the_form_is_asked_in_prose() -> None:
    with answering(Message("Of course, I am ready!"), Message(f"Sure: {json.dumps(GOOD)}")) as server:
        assert ask(asker(server)) == READY
        assert "JSON Schema" in bodies(server)[1]["messages"][0]["content"]
        assert roles(bodies(server)[1]) == ["system", "user"]


def test_a_server_that_does_not_stream_is_asked_for_the_whole() -> None:
    with answering(Status(400, "stream must be false"), Answers(GOOD)) as server:
        assert ask(asker(server)) == READY
        assert [body["stream"] for body in bodies(server)] == [True, False]


def test_a_server_that_refuses_everything_is_asked_a_bounded_number_of_times() -> None:
    everything = "stream_options max_tokens temperature stream response_format tools schema"
    with answering(Status(400, everything)) as server:
        with pytest.raises((Unfit, Spent)):
            ask(asker(server))
        assert len(server.recorded) <= MOST_REQUESTS


def test_a_server_with_a_small_context_is_asked_for_a_shorter_answer() -> None:
    with ModelServer(in_turn([Answers(GOOD)]), serves=Serves(context_tokens=3000)) as server:
        assert ask(asker(server)) == READY
        first, again = bodies(server)
        assert (first["max_tokens"], again["max_tokens"]) == (4096, 3000 - server.recorded[0].tokens)


def test_an_answer_that_was_finished_before_the_line_broke_is_one() -> None:
    broken = Events(delta("stop", content=json.dumps(GOOD)), cut=True)
    with answering(broken) as server:
        assert ask(asker(server)) == READY
        assert len(server.recorded) == 1


def drips(data: bytes, *, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n") -> Does:
    """These bytes again and again, for longer than anybody waits."""

    def act(line: Line) -> None:
        line.raw(head)
        while line.raw(data) and line.wait(0.02):
            pass

    return Does(act)


@pytest.mark.parametrize(
    "reply",
    [
        drips(b": wait\n\n"),
        drips(delta(content="a")),
        drips(b"x"),
        drips(b"X: y\r\n", head=b"HTTP/1.1 200 OK\r\n"),
        drips(b"x", head=b"HTTP/1.1 500 Oh\r\n\r\n"),
    ],
)
def test_whatever_a_server_does_without_end_ends_with_the_time_that_it_has(reply: Reply) -> None:
    with answering(reply) as server:
        made = asker(server, patience=SHORT)
        with pytest.raises(NoAnswer):
            ask(made)
    assert made.consulted()[0].seconds < 10  # and the server would have gone on for ever


def test_a_bill_that_never_comes_does_not_hold_the_answer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.brain.llm.client.wire._AFTER_S", 0.1)

    def act(line: Line) -> None:
        line.opened()
        line.piece(delta("stop", content=json.dumps(GOOD)))
        line.wait(60)

    with answering(Does(act)) as server:
        made = asker(server)
        assert ask(made) == READY
    assert "estimated" in made.consulted()[0].why


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:10 GMT"}, 10.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, 1e9),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=lambda: 60.0) == seconds


def test_after_three_failures_in_a_row_it_is_left_alone_and_then_tried_once() -> None:
    at = [0.0]
    with answering(Status(400), Status(400), Status(400), Answers(GOOD)) as server:
        made = asker(server, now=lambda: at[0])
        for _ in range(3):
            with pytest.raises(Unfit):
                ask(made)
        with pytest.raises(Unavailable, match="left alone"):
            ask(made)
        assert len(server.recorded) == 3
        assert [line.outcome for line in made.consulted()] == ["failed"] * 3 + ["skipped"]
        at[0] += 61
        assert ask(made) == READY


class Empty(Purse):
    """An account with no room."""

    def reserve(self, call: str, *, tokens: int, usd_micro: int) -> None:
        raise OverLimit("no room")


def test_without_room_in_the_account_nothing_is_sent() -> None:
    with answering(Answers(GOOD)) as server:
        made = asker(server)
        made.draws_on(Empty())
        with pytest.raises(Spent):
            ask(made)
        assert server.recorded == []
    assert made.consulted()[0].outcome == "skipped"


def test_what_a_refusal_cost_is_nothing_and_what_broke_off_is_what_was_reserved() -> None:
    for reply, paid in ((Status(400), False), (Status(429), False), (Events(delta(content="{"), cut=True), True)):
        purse = Purse()
        with answering(reply) as server:
            made = asker(server, patience=SHORT)
            made.draws_on(purse)
            with pytest.raises(NoAnswer):
                ask(made)
        assert purse.settled == {call: tokens if paid else 0 for call, tokens in purse.reserved.items()}
        assert purse.settled


def test_an_unknown_price_needs_consent_and_is_asked_about_once() -> None:
    asked: list[str] = []

    def consent(sentence: str) -> bool:
        asked.append(sentence)
        return True

    with answering(Answers(GOOD)) as server:
        with pytest.raises(Unpriced):
            ask(asker(server, price=None))
        assert server.recorded == []
        made = asker(server, price=None, consent=consent)
        assert ask(made) == ask(made) == READY
    assert len(asked) == 1
    assert [line.usd_micro for line in made.consulted()] == [None, None]


def test_secrets_stay_here_also_when_a_model_repeats_them() -> None:
    with answering(Answers({"ok": SECRET}), Answers(GOOD)) as server:
        assert ask(asker(server), question=f"is {SECRET} right?", facts="password=Tr0ub4dor&3") == READY
        sent = json.dumps(bodies(server))
    assert SECRET not in sent
    assert "Tr0ub4dor" not in sent


def test_no_more_questions_than_allowed_are_under_way() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def good(asked: Asked) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return Answers(GOOD)

    with serving(good) as server:
        made = asker(server, concurrency=2)
        threads = [threading.Thread(target=ask, args=(made,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.recorded) == 6
    assert most[0] == 2
    assert sorted(line.id for line in made.consulted()) == [f"answer-{n}" for n in range(1, 7)]


def test_a_person_is_told_how_far_it_is_and_can_stop_it() -> None:
    seen: list[Progress] = []

    def progress(one: Progress) -> None:
        seen.append(one)
        if one.characters:
            raise KeyboardInterrupt

    purse = Purse()
    with answering(drips(delta(content="abc"))) as server:
        made = asker(server, progress=progress)
        made.draws_on(purse)
        with pytest.raises(KeyboardInterrupt):
            ask(made)
    assert seen[-1].characters >= 3
    assert purse.settled == purse.reserved
    (line,) = made.consulted()
    assert line.outcome == "failed"
    assert line.why.startswith("it was interrupted")


def test_that_the_rules_did_it_instead_is_noted_with_the_last_question_of_that_purpose() -> None:
    with answering(Answers({}), Answers({}), Answers(GOOD)) as server:
        made = asker(server)
        with pytest.raises(Nonsense):
            ask(made)
        made.note_instead("answer")
        ask(made)
        made.note_instead("propose")
    assert [line.instead for line in made.consulted()] == [True, False]


def test_nothing_goes_to_a_tracer_or_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(Answers(GOOD)) as server, ModelServer(in_turn([Status(500)])) as other:
        for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", other.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "x")
        monkeypatch.setenv("HTTP_PROXY", other.url)
        get_env_var.cache_clear()  # what other tests have looked at is remembered there
        try:
            assert ask(asker(server)) == READY
            wait_for_all_tracers()
        finally:
            get_env_var.cache_clear()
        assert other.recorded == []


def test_why_is_said_in_the_language_that_is_spoken() -> None:
    with answering(Status(401)) as server, speaking("zh"), pytest.raises(Unfit, match="密钥"):
        ask(asker(server))


def test_the_chat_model_is_langchains() -> None:
    with answering(Message("Hello there, how are you doing?")) as server:
        chat = Chat(wire=Wire(endpoint(server.url)), habits=Habits("text"), left_s=60)
        message = chat.invoke([SystemMessage("Be brief."), HumanMessage("Hi")], stop=["X"])
        streamed = [chunk.text for chunk in chat.stream("Hi")]
        assert bodies(server)[0]["stop"] == ["X"]
    assert message.text == "".join(streamed) == "Hello there, how are you doing?"
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] > 0
    assert len([text for text in streamed if text]) > 3


def test_no_call_is_left_out_or_unanswered_on_the_wire() -> None:
    sound = ToolCall(name="look", args={"a": 1}, id="c1", type="tool_call")
    broken = InvalidToolCall(name="look", args='{"a": ', id="c2", error=None, type="invalid_tool_call")
    talk: Sequence[BaseMessage] = [
        HumanMessage("Hi"),
        AIMessage(content="", tool_calls=[sound], invalid_tool_calls=[broken]),
        ToolMessage(content="fine", tool_call_id="c1"),
    ]
    assert wire_messages(talk)[1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": '{"a": '}},
            ],
        },
        {"role": "tool", "tool_call_id": "c2", "content": UNANSWERED},
        {"role": "tool", "tool_call_id": "c1", "content": "fine"},
    ]
