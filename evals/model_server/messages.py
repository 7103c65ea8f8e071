"""The messages of a request: roles, contents, and every tool call answered at once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from evals.model_server.functions import NAME
from evals.model_server.wire import Refusals, Refused

ROLES = ("developer", "system", "user", "assistant", "tool")
_KEYS = {
    "developer": {"role", "content", "name"},
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
_SPEAKER = re.compile(r"[^\s<|\\/>]{1,64}")


def checked(messages: object) -> Refusals:
    """What is wrong with `messages`."""
    if messages is None:
        yield Refused("Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter")
        return
    if not isinstance(messages, list):
        yield Refused("Invalid type for 'messages': expected an array.", param="messages", code="invalid_type")
        return
    if not messages:
        said = "Invalid 'messages': empty array. Expected an array with minimum length 1."
        yield Refused(said, param="messages", code="empty_array")
        return
    for number, message in enumerate(messages):
        yield from _message(message, f"messages[{number}]")
    if all(isinstance(m, dict) for m in messages):
        yield from _paired(messages)


def text_of(content: object) -> str:
    """All text of a message's content."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


def _message(message: object, at: str) -> Refusals:
    if not isinstance(message, dict):
        yield Refused(f"Invalid type for '{at}': expected an object.", param=at, code="invalid_type")
        return
    role = message.get("role")
    if role not in ROLES:
        said = f"Invalid value: '{role}'. Supported values are: {', '.join(ROLES)}."
        yield Refused(said, param=f"{at}.role", code="invalid_value")
        return
    for key in sorted(set(message) - _KEYS[role]):
        yield Refused(f"Unknown parameter: '{at}.{key}'.", param=f"{at}.{key}", code="unknown_parameter")
    if "name" in message and not (isinstance(message["name"], str) and _SPEAKER.fullmatch(message["name"])):
        yield Refused(f"Invalid '{at}.name': string does not match pattern.", param=f"{at}.name", code="invalid_value")
    yield from _content(message, role, at)
    if "tool_calls" in message:
        yield from _calls(message["tool_calls"], f"{at}.tool_calls")


def _content(message: dict[str, Any], role: str, at: str) -> Refusals:
    content, place = message.get("content"), f"{at}.content"
    if content is None:
        if role != "assistant" or not (message.get("tool_calls") or message.get("refusal")):
            said = f"Invalid value for 'content': expected a string, got null. - '{place}'"
            yield Refused(said, param=place, code="invalid_value")
    elif isinstance(content, list):
        if not content:
            yield Refused(f"Invalid '{place}': empty array.", param=place, code="empty_array")
        for number, part in enumerate(content):
            if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
                said = f"Invalid type for '{place}[{number}]': expected a part of type 'text' with a string."
                yield Refused(said, param=f"{place}[{number}]", code="invalid_type")
    elif not isinstance(content, str):
        said = f"Invalid type for '{place}': expected one of a string or array of objects."
        yield Refused(said, param=place, code="invalid_type")


def _calls(calls: object, at: str) -> Refusals:
    if not isinstance(calls, list) or not calls:
        yield Refused(f"Invalid '{at}': empty array.", param=at, code="empty_array")
        return
    for number, call in enumerate(calls):
        yield from _call(call, f"{at}[{number}]")


def _call(call: object, at: str) -> Refusals:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or set(call) != {"id", "type", "function"} or call["type"] != "function":
        yield Refused(f"Invalid '{at}': expected id, type 'function' and function.", param=at, code="invalid_type")
    elif not isinstance(call["id"], str) or not call["id"] or len(call["id"]) > 40:
        yield Refused(f"Invalid '{at}.id': expected 1 to 40 characters.", param=f"{at}.id", code="invalid_value")
    elif not isinstance(function, dict) or set(function) != {"name", "arguments"}:
        yield Refused(f"Invalid '{at}.function': expected name and arguments.", param=at, code="invalid_type")
    elif not isinstance(function["name"], str) or NAME.fullmatch(function["name"]) is None:
        yield Refused(f"Invalid '{at}.function.name': string does not match pattern.", param=at, code="invalid_value")
    elif not isinstance(function["arguments"], str):
        yield Refused(f"Invalid type for '{at}.function.arguments': expected a string.", param=at, code="invalid_type")


def _paired(messages: Sequence[dict[str, Any]]) -> Refusals:
    """Every tool call is followed at once by one tool message per id, and no tool message stands without a call."""
    open_: list[str] = []
    for number, message in enumerate(messages):
        at = f"messages.[{number}].role"
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_:
                said = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                yield Refused(said, param=at)
                return
            open_.remove(str(message["tool_call_id"]))
            continue
        if open_:
            yield _unanswered(open_)
            return
        calls = message.get("tool_calls") if isinstance(message.get("tool_calls"), list) else None
        open_ = [str(c.get("id")) for c in calls or () if isinstance(c, dict)]
        if len(set(open_)) != len(open_):
            yield Refused("Duplicate value for 'tool_call_id'.", param=at)
            return
    if open_:
        yield _unanswered(open_)


def _unanswered(ids: list[str]) -> Refused:
    said = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(ids)}"
    )
    return Refused(said, param="messages")


def mentions_json(messages: Sequence[Any]) -> bool:
    """The word stands in a message, as JSON mode asks for."""
    return any("json" in text_of(m.get("content")).lower() for m in messages if isinstance(m, dict))


def encodable(body: object) -> bool:
    """No half of a surrogate pair stands in it: such text cannot be sent as UTF-8."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
