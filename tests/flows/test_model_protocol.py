"""The strict model server, judged itself: every refusal has a request that trips it and a twin that does not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from evals.model_server.asked import Asked
from evals.model_server.misbehaviour import Partly, Status
from evals.model_server.parameters import Lack, Serves, refusal
from evals.model_server.replies import Answers, Message, Reply, said
from evals.model_server.schemas import DEEPEST, MOST_ENUM_VALUES, MOST_PROPERTIES
from evals.model_server.server import KEY, MOST_BYTES, ModelServer
from evals.model_server.tokens import tokens_in

Told = dict[str, Any]
GOOD: Told = {"model": "scripted", "messages": [{"role": "user", "content": "Say hello."}]}
OBJECT: Told = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
CALL: Told = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
USER: Told = {"role": "user", "content": "x"}


def closed(**properties: object) -> Told:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def wants(schema: object, name: str = "answer") -> Told:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}}


def offers(name: str = "look", *, copies: int = 1, **more: object) -> Told:
    names = [name] if copies == 1 else [f"{name}{n}" for n in range(copies)]
    return {"tools": [{"type": "function", "function": {"name": n, "parameters": OBJECT, **more}} for n in names]}


def says(*messages: Told) -> Told:
    return {"messages": list(messages)}


def assistant(*ids: str, content: str | None = None) -> Told:
    return {"role": "assistant", "content": content, "tool_calls": [CALL | {"id": i} for i in ids]}


def tool(id_: str) -> Told:
    return {"role": "tool", "tool_call_id": id_, "content": "seen"}


def nested(levels: int) -> Told:
    found: Told = closed(a={"type": "string"})
    for _ in range(levels - 2):
        found = closed(a=found)
    return found


def of(**schema: object) -> Told:
    """A strict schema with one property like that."""
    return wants(closed(x=schema))


TEXT = {"type": "string"}
JSON_MODE = {"response_format": {"type": "json_object"}}
CASES: Mapping[str, tuple[Told, Told]] = {
    "an unknown parameter": ({"temprature": 1}, {"temperature": 1}),
    "a temperature above 2": ({"temperature": 2.1}, {"temperature": 2}),
    "a temperature below 0": ({"temperature": -0.1}, {"temperature": 0}),
    "a temperature that is no number": ({"temperature": "0"}, {"temperature": 0.0}),
    "a top_p above 1": ({"top_p": 1.5}, {"top_p": 1}),
    "no choices": ({"n": 0}, {"n": 1}),
    "no tokens": ({"max_tokens": 0}, {"max_tokens": 1}),
    "both names of the limit": ({"max_tokens": 9, "max_completion_tokens": 9}, {"max_completion_tokens": 9}),
    "a stream that is no flag": ({"stream": "yes"}, {"stream": True}),
    "stream options without a stream": (
        {"stream_options": {"include_usage": True}},
        {"stream_options": {"include_usage": True}, "stream": True},
    ),
    "unknown stream options": (
        {"stream_options": {"usage": True}, "stream": True},
        {"stream_options": {}, "stream": True},
    ),
    "metadata without a store": ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}, "store": True}),
    "no model": ({"model": ""}, {"model": "scripted"}),
    "another model": ({"model": "gpt-0"}, {"model": "scripted"}),
    "no messages": ({"messages": None}, says(USER)),
    "messages that are no list": ({"messages": "x"}, says(USER)),
    "empty messages": ({"messages": []}, says(USER)),
    "a message that is a text": ({"messages": ["x"]}, says(USER)),
    "an unknown role": (says({"role": "human", "content": "x"}), says(USER)),
    "an unknown key of a message": (says(USER | {"status": "error"}), says(USER | {"name": "ada"})),
    "a name with a space": (says(USER | {"name": "a b"}), says(USER | {"name": "a-b"})),
    "null said by a user": (says({"role": "user", "content": None}), says(USER)),
    "no content": (says({"role": "user"}), says(USER)),
    "null said by an assistant": (
        says(USER, {"role": "assistant", "content": None}),
        says(USER, assistant("c"), tool("c")),
    ),
    "a number as content": (says({"role": "user", "content": 1}), says({"role": "user", "content": "1"})),
    "an empty list as content": (
        says({"role": "user", "content": []}),
        says({"role": "user", "content": [{"type": "text", "text": "x"}]}),
    ),
    "a part whose text is no string": (
        says({"role": "user", "content": [{"type": "text", "text": 1}]}),
        says({"role": "user", "content": [{"type": "text", "text": "1"}]}),
    ),
    "a part of another type": (
        says({"role": "user", "content": [{"type": "video", "text": "x"}]}),
        says({"role": "user", "content": [{"type": "text", "text": "x"}]}),
    ),
    "a tool message without a call": (says(USER, tool("c")), says(USER, assistant("c"), tool("c"))),
    "a tool message for another call": (
        says(USER, assistant("c"), tool("d")),
        says(USER, assistant("c"), tool("c")),
    ),
    "a tool message twice": (
        says(USER, assistant("c"), tool("c"), tool("c")),
        says(USER, assistant("c", "d"), tool("c"), tool("d")),
    ),
    "a call that is answered too late": (
        says(USER, assistant("c"), USER, tool("c")),
        says(USER, assistant("c"), tool("c"), USER),
    ),
    "one of two calls without an answer": (
        says(USER, assistant("c", "d"), tool("c"), USER),
        says(USER, assistant("c", "d"), tool("d"), tool("c"), USER),
    ),
    "a last call without an answer": (says(USER, assistant("c")), says(USER, assistant("c"), tool("c"))),
    "two calls with one id": (
        says(USER, assistant("c", "c"), tool("c"), tool("c")),
        says(USER, assistant("c", "d"), tool("c"), tool("d")),
    ),
    "arguments that are no string": (
        says(
            USER,
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "look", "arguments": {}}}]},
            tool("call_1"),
        ),
        says(USER, {"role": "assistant", "tool_calls": [CALL]}, tool("call_1")),
    ),
    "an empty list of calls": (
        says(USER, {"role": "assistant", "content": "x", "tool_calls": []}),
        says(USER, {"role": "assistant", "content": "x"}),
    ),
    "a tool's name with a dot": (offers("a.b"), offers("a_b-C9")),
    "a tool's name of 65 characters": (offers("a" * 65), offers("a" * 64)),
    "a tool without a name": (offers(""), offers("a")),
    "129 tools": (offers(copies=129), offers(copies=128)),
    "two tools of one name": ({"tools": offers()["tools"] * 2}, offers(copies=2)),
    "no tools in a list": ({"tools": []}, offers()),
    "a long description of a tool": (offers(description="x" * 1025), offers(description="x" * 1024)),
    "an unknown key of a tool": (offers(examples=[]), offers(strict=True)),
    "a strict tool with an open schema": (
        offers(strict=True, parameters={"type": "object", "properties": {}}),
        offers(strict=True, parameters=closed()),
    ),
    "a tool whose parameters are no object": (offers(parameters={"type": "string"}), offers(parameters=closed())),
    "a choice without tools": ({"tool_choice": "required"}, offers() | {"tool_choice": "required"}),
    "parallel calls without tools": ({"parallel_tool_calls": False}, offers() | {"parallel_tool_calls": False}),
    "a choice of a tool that is not there": (
        offers() | {"tool_choice": {"type": "function", "function": {"name": "other"}}},
        offers() | {"tool_choice": {"type": "function", "function": {"name": "look"}}},
    ),
    "an unknown choice": (offers() | {"tool_choice": "any"}, offers() | {"tool_choice": "auto"}),
    "an unknown format": ({"response_format": {"type": "yaml"}}, {"response_format": {"type": "text"}}),
    "JSON mode that nobody speaks of": (
        JSON_MODE,
        JSON_MODE | says({"role": "user", "content": "Answer in JSON."}),
    ),
    "a schema without a name": (wants(OBJECT, ""), wants(OBJECT)),
    "a schema's name with a space": (wants(OBJECT, "an answer"), wants(OBJECT, "an-answer_1")),
    "no schema": (wants(None), wants(OBJECT)),
    "a root that is an array": (wants({"type": "array", "items": TEXT}), of(type="array", items=TEXT)),
    "a root union": (wants({"anyOf": [OBJECT]}), of(anyOf=[OBJECT, TEXT])),
    "a root union of an object": (wants(OBJECT | {"anyOf": [OBJECT]}), wants(OBJECT)),
    "a root reference": (
        wants({"$ref": "#/$defs/A", "$defs": {"A": OBJECT}}),
        wants(closed(x={"$ref": "#/$defs/A"}) | {"$defs": {"A": OBJECT}}),
    ),
    "a reference to nothing": (
        wants(closed(x={"$ref": "#/$defs/B"}) | {"$defs": {"A": OBJECT}}),
        wants(closed(x={"anyOf": [{"$ref": "#"}, {"type": "null"}]})),
    ),
    "a reference with a neighbour": (
        wants(closed(x={"$ref": "#/$defs/A", "description": "x"}) | {"$defs": {"A": OBJECT}}),
        wants(closed(x={"$ref": "#/$defs/A"}) | {"$defs": {"A": OBJECT}}),
    ),
    "an open object": (wants({**OBJECT, "additionalProperties": True}), wants(OBJECT)),
    "an object that does not say it is closed": (
        wants({k: v for k, v in OBJECT.items() if k != "additionalProperties"}),
        wants(OBJECT),
    ),
    "an open object inside": (of(**(OBJECT | {"additionalProperties": TEXT})), of(**OBJECT)),
    "an open object in a definition": (
        wants(closed(x={"$ref": "#/$defs/A"}) | {"$defs": {"A": {"type": "object", "properties": {}, "required": []}}}),
        wants(closed(x={"$ref": "#/$defs/A"}) | {"$defs": {"A": closed()}}),
    ),
    "an open object in a union": (
        of(anyOf=[{"type": "object", "properties": {}}, {"type": "null"}]),
        of(anyOf=[closed(), {"type": "null"}]),
    ),
    "an open object in a list": (of(type="array", items={"type": "object"}), of(type="array", items=OBJECT)),
    "a property that is not required": (wants(OBJECT | {"required": []}), wants(OBJECT)),
    "a required property that is not there": (wants(OBJECT | {"required": ["a", "b"]}), wants(OBJECT)),
    "a default": (of(type="string", default="x"), of(type="string", description="x")),
    "oneOf": (of(type="string", oneOf=[TEXT]), of(anyOf=[TEXT, {"type": "null"}])),
    "allOf": (of(type="string", allOf=[TEXT]), of(**TEXT)),
    "not": (of(type="string", **{"not": TEXT}), of(**TEXT)),
    "pattern properties": (
        of(**(OBJECT | {"patternProperties": {"x": TEXT}})),
        of(**OBJECT),
    ),
    "a pattern": (of(type="string", pattern="x"), of(type="string", enum=["x"])),
    "a format": (of(type="string", format="uri"), of(type="string", title="uri")),
    "a minimum": (of(type="integer", minimum=1), of(type="integer")),
    "a longest list": (of(type="array", items=TEXT, maxItems=3), of(type="array", items=TEXT)),
    "a list of anything": (of(type="array"), of(type="array", items=TEXT)),
    "a property of no type": (of(description="x"), of(type=["string", "null"])),
    "a property of an unknown type": (of(type="text"), of(type="string")),
    "an empty enumeration": (of(type="string", enum=[]), of(type="string", enum=["a"])),
    "an enumeration without a type": (of(enum=["a"]), of(type="string", enum=["a"])),
    "too deep a schema": (wants(nested(DEEPEST + 1)), wants(nested(DEEPEST))),
    "too many properties": (
        wants(closed(**{f"p{n}": TEXT for n in range(MOST_PROPERTIES + 1)})),
        wants(closed(**{f"p{n}": TEXT for n in range(MOST_PROPERTIES)})),
    ),
    "too many values": (
        of(type="string", enum=[f"{n}" for n in range(MOST_ENUM_VALUES + 1)]),
        of(type="string", enum=[f"{n}" for n in range(MOST_ENUM_VALUES)]),
    ),
    "too long values": (
        of(type="string", enum=[f"{n:0100}" for n in range(251)]),
        of(type="string", enum=[f"{n:0100}" for n in range(250)]),
    ),
}
"""What trips the server, and the twin that does not, both laid over a good request."""
LACKING: Mapping[Lack, Told] = {
    "json_schema": wants(OBJECT),
    "json_mode": JSON_MODE | says({"role": "user", "content": "JSON, please."}),
    "tools": offers(),
    "tool_choice": offers() | {"tool_choice": "required"},
    "stream_options": {"stream": True, "stream_options": {"include_usage": True}},
    "max_tokens": {"max_tokens": 9},
    "temperature": {"temperature": 0},
    "seed": {"seed": 1},
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_refused_and_its_twin_is_not(name: str) -> None:
    wrong, twin = CASES[name]
    found = refusal(GOOD | wrong, Serves(context_tokens=10**9))
    assert found is not None
    assert found.status in (400, 404)
    assert found.lack == ""
    assert refusal(GOOD | twin, Serves(context_tokens=10**9)) is None


@pytest.mark.parametrize("lack", LACKING)
def test_what_a_server_lacks_is_refused_there_and_nowhere_else(lack: Lack) -> None:
    found = refusal(GOOD | LACKING[lack], Serves(lacks=frozenset({lack})))
    assert found is not None
    assert (found.lack, found.status) == (lack, 400)
    assert refusal(GOOD | LACKING[lack], Serves()) is None


def test_a_request_that_does_not_fit_the_context_is_refused() -> None:
    sent = tokens_in(GOOD)
    assert refusal(GOOD, Serves(context_tokens=sent)) is None
    found = refusal(GOOD | {"max_tokens": 1}, Serves(context_tokens=sent))
    assert found is not None
    assert found.code == "context_length_exceeded"


def test_everything_that_the_model_reads_counts() -> None:
    bare = tokens_in(GOOD)
    assert tokens_in(GOOD | offers(description="x" * 400)) >= bare + 100
    assert tokens_in(GOOD | wants(closed(**{"x" * 400: TEXT}))) >= bare + 200
    assert tokens_in(GOOD | says(USER, USER)) > tokens_in(GOOD | says(USER))
    assert tokens_in(GOOD | says({"role": "user", "content": "字" * 400})) >= bare + 290


def hello(asked: Asked) -> Reply:
    return Message(content="hello") if asked.form == "text" else Answers({"a": "hello"})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(hello) as found:
        yield found


def sent(
    server: ModelServer, body: object, *, method: str = "POST", path: str = "/v1/chat/completions", **headers: str
) -> tuple[int, bytes]:
    """Status and body of one exchange; a header that is empty is left out."""
    usual = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    named = {k: v for k, v in (usual | {k.replace("_", "-"): v for k, v in headers.items()}).items() if v}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(server.url.split("/")[2], timeout=10)) as connection:
        connection.request(method, path, data, named)
        with connection.getresponse() as answer:
            return answer.status, answer.read()


WIRE: Mapping[str, tuple[int, Told]] = {
    "no key": (401, {"Authorization": ""}),
    "another key": (401, {"Authorization": "Bearer sk-other"}),
    "a key without Bearer": (401, {"Authorization": KEY}),
    "another path": (404, {"path": "/v1/completions"}),
    "a path without its version": (404, {"path": "/chat/completions"}),
    "a wrong method": (405, {"method": "GET"}),
    "no JSON": (400, {"body": b"{"}),
    "a list": (400, {"body": b"[]"}),
    "NaN": (400, {"body": json.dumps(GOOD | {"temperature": float("nan")}).encode()}),
    "half a surrogate pair": (400, {"body": json.dumps(GOOD | {"user": "\ud800"}).encode()}),
    "too deep JSON": (400, {"body": b"[" * 200_000}),
    "another type": (415, {"Content_Type": "text/plain"}),
    "too many bytes": (413, {"body": b" " * (MOST_BYTES + 1)}),
}


@pytest.mark.parametrize("name", WIRE)
def test_what_is_wrong_on_the_wire_is_refused_in_the_shape_of_openai(server: ModelServer, name: str) -> None:
    status, told = WIRE[name]
    found, body = sent(server, **({"body": GOOD} | told))
    assert found == status
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    assert [r.status for r in server.wrong] == [status]
    assert sent(server, GOOD)[0] == 200
    assert len(server.asked) == 1
    assert KEY not in str(server.recorded)


def test_an_answer_comes_whole_with_what_it_used(server: ModelServer) -> None:
    status, body = sent(server, GOOD)
    told = json.loads(body)
    assert (status, told["object"]) == (200, "chat.completion")
    assert told["choices"][0]["message"] == {"role": "assistant", "content": "hello", "refusal": None}
    assert told["usage"]["prompt_tokens"] == tokens_in(GOOD) == server.asked[0].tokens
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] + told["usage"]["completion_tokens"]


def events_of(body: bytes) -> list[Told]:
    parts = body.decode().split("\n\n")
    assert parts[-2:] == ["data: [DONE]", ""]
    return [json.loads(p.removeprefix("data: ")) for p in parts[:-2]]


def test_a_stream_tells_the_role_first_and_what_was_used_last(server: ModelServer) -> None:
    _, body = sent(server, GOOD | {"stream": True, "stream_options": {"include_usage": True}})
    *pieces, last = events_of(body)
    assert pieces[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(p["choices"][0]["delta"].get("content") or "" for p in pieces) == "hello"
    assert [p["choices"][0]["finish_reason"] for p in pieces] == [None] * (len(pieces) - 1) + ["stop"]
    assert all(p["usage"] is None for p in pieces)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 2


def test_a_stream_that_was_not_asked_for_usage_tells_none(server: ModelServer) -> None:
    _, body = sent(server, GOOD | {"stream": True})
    assert all("usage" not in e and e["choices"] for e in events_of(body))


def test_a_call_that_is_wanted_is_made_whole_and_in_a_stream(server: ModelServer) -> None:
    asked = GOOD | offers() | {"tool_choice": {"type": "function", "function": {"name": "look"}}}
    call = json.loads(sent(server, asked)[1])["choices"][0]
    assert call["finish_reason"] == "tool_calls"
    assert json.loads(call["message"]["tool_calls"][0]["function"]["arguments"]) == {"a": "hello"}
    pieces = [e["choices"][0]["delta"].get("tool_calls") for e in events_of(sent(server, asked | {"stream": True})[1])]
    calls = [p[0] for p in pieces if p]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("call_2", "look")
    assert json.loads("".join(c["function"]["arguments"] for c in calls)) == {"a": "hello"}


def test_what_was_asked_is_told_in_every_form() -> None:
    for form, more in (
        ("schema", wants(OBJECT, "understand")),
        ("tool", offers("understand")),
        ("json", JSON_MODE),
        ("text", {}),
    ):
        asked = Asked(1, GOOD | more)
        assert asked.form == form
        assert (asked.name, asked.schema) == (("understand", OBJECT) if form in ("schema", "tool") else ("", None))
        assert (said("{}", asked).call is not None) == (form == "tool")
        assert asked.text == "Say hello."


def test_models_are_listed_for_those_who_have_the_key(server: ModelServer) -> None:
    assert json.loads(sent(server, b"", method="GET", path="/v1/models")[1])["data"][0]["id"] == "scripted"
    assert sent(server, b"", method="GET", path="/v1/models", Authorization="")[0] == 401


def test_a_failure_is_sent_as_it_was_meant() -> None:
    with ModelServer(lambda asked: Status(429, "slow down", {"Retry-After": "7"})) as server:
        status, body = sent(server, GOOD)
        assert (status, json.loads(body)["error"]["type"]) == (429, "rate_limit_exceeded")
        assert server.wrong == []


def test_an_answer_that_is_cut_is_cut() -> None:
    with ModelServer(lambda asked: Partly("a long answer")) as server, pytest.raises(http.client.IncompleteRead):
        sent(server, GOOD | {"stream": True})


def test_a_model_that_breaks_is_told_when_the_server_ends() -> None:
    def broken(asked: Asked) -> Reply:
        raise KeyError("nothing here")

    def used() -> None:
        with ModelServer(broken) as server, pytest.raises(http.client.RemoteDisconnected):
            sent(server, GOOD)

    with pytest.raises(RuntimeError, match="nothing here"):
        used()
