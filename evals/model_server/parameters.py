"""A whole request: known parameters with values in range, that go together, to a model that is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evals.model_server import functions, messages, schemas
from evals.model_server.tokens import tokens_in
from evals.model_server.wire import Body, Refusals, Refused

Lack = Literal[
    "json_schema", "tools", "json_mode", "stream_options", "tool_choice", "max_tokens", "temperature", "seed"
]
"""What a compatible server may not know. `max_tokens` and `temperature`: reasoning models take the newer names only."""


@dataclass(frozen=True)
class Serves:
    """What the server has."""

    model: str = "scripted"
    context_tokens: int = 128_000
    lacks: frozenset[Lack] = frozenset()


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def _integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _one_of(*values: str) -> Callable[[Any], bool]:
    return lambda v: v in values


def _stops(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and len(value) <= 4 and all(map(_text, value)))


def _pairs(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= 16
        and all(len(k) <= 64 and isinstance(v, str) and len(v) <= 512 for k, v in value.items())
    )


_ELSEWHERE = frozenset({"model", "messages", "tools", "tool_choice", "response_format", "stream_options"})
"""Parameters with rules of their own."""
_VALUES: Mapping[str, Callable[[Any], bool]] = {
    "frequency_penalty": _number(-2, 2),
    "logprobs": _flag,
    "max_completion_tokens": _integer(1, 1_000_000),
    "max_tokens": _integer(1, 1_000_000),
    "metadata": _pairs,
    "n": _integer(1, 128),
    "parallel_tool_calls": _flag,
    "presence_penalty": _number(-2, 2),
    "prompt_cache_key": _text,
    "reasoning_effort": _one_of("none", "minimal", "low", "medium", "high"),
    "safety_identifier": _text,
    "seed": _integer(-(2**63), 2**63 - 1),
    "service_tier": _one_of("auto", "default", "flex", "priority"),
    "stop": _stops,
    "store": _flag,
    "stream": _flag,
    "temperature": _number(0, 2),
    "top_logprobs": _integer(0, 20),
    "top_p": _number(0, 1),
    "user": _text,
    "verbosity": _one_of("low", "medium", "high"),
}
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEMA_KEYS = frozenset({"name", "description", "schema", "strict"})


def refusal(body: Body, serves: Serves) -> Refused | None:
    """The first thing that is wrong with a request; None when it is carried out."""
    return next(_checked(body, serves), None)


def _checked(body: Body, serves: Serves) -> Refusals:
    yield from _known(body)
    yield from _model(body.get("model"), serves)
    yield from messages.checked(body.get("messages"))
    yield from functions.checked(body)
    yield from _format(body)
    yield from _together(body)
    yield from _lacking(body, serves)
    yield from _fitting(body, serves)


def _known(body: Body) -> Refusals:
    for name, value in body.items():
        if name in _ELSEWHERE:
            continue
        if name not in _VALUES:
            yield Refused(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        elif value is not None and not _VALUES[name](value):
            yield Refused(f"Invalid value for '{name}': {str(value)[:60]}.", param=name, code="invalid_value")


def _model(model: object, serves: Serves) -> Refusals:
    if not isinstance(model, str) or not model:
        yield Refused("you must provide a model parameter")
    elif model != serves.model:
        said = f"The model `{model}` does not exist or you do not have access to it."
        yield Refused(said, param="model", code="model_not_found", status=404)


def _format(body: Body) -> Refusals:
    wanted = body.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("text", "json_object", "json_schema") or set(wanted) - {"type", "json_schema"}:
        yield Refused("Invalid value for 'response_format'.", param="response_format", code="invalid_value")
    elif kind == "json_object" and not messages.mentions_json(body.get("messages") or ()):
        said = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        yield Refused(said, param="messages")
    elif kind == "json_schema":
        yield from _schema(wanted.get("json_schema"))


def _schema(told: object) -> Refusals:
    at = "response_format.json_schema"
    if not isinstance(told, dict):
        yield Refused(f"Missing required parameter: '{at}'.", param=at, code="missing_required_parameter")
        return
    for key in sorted(set(told) - _SCHEMA_KEYS):
        yield Refused(f"Unknown parameter: '{at}.{key}'.", param=f"{at}.{key}", code="unknown_parameter")
    name = told.get("name")
    if not isinstance(name, str) or _SCHEMA_NAME.fullmatch(name) is None:
        yield Refused(f"Invalid '{at}.name': string does not match pattern.", param=f"{at}.name", code="invalid_value")
    if told.get("strict") is True:
        for fault in schemas.faults(told.get("schema")):
            yield Refused(f"Invalid schema for response_format '{name}': {fault}", param="response_format")
    elif not isinstance(told.get("schema"), dict):
        yield Refused(f"Missing required parameter: '{at}.schema'.", param=at, code="missing_required_parameter")


def _together(body: Body) -> Refusals:
    if "max_tokens" in body and "max_completion_tokens" in body:
        said = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        yield Refused(said, param="max_tokens", code="invalid_parameter_combination")
    options = body.get("stream_options")
    if options is not None:
        if body.get("stream") is not True:
            said = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            yield Refused(said, param="stream_options")
        elif not isinstance(options, dict) or set(options) - {"include_usage", "include_obfuscation"}:
            yield Refused("Invalid value for 'stream_options'.", param="stream_options", code="invalid_value")
    if body.get("metadata") and body.get("store") is not True:
        yield Refused("The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata")
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        yield Refused("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", param="top_logprobs")


def _lacking(body: Body, serves: Serves) -> Refusals:
    """What this server was told to lack, refused in the words of servers that lack it."""
    kind = (body.get("response_format") or {}).get("type")
    wanted: Mapping[Lack, tuple[bool, str]] = {
        "json_schema": (kind == "json_schema", "response_format"),
        "json_mode": (kind == "json_object", "response_format"),
        "tools": ("tools" in body, "tools"),
        "tool_choice": (body.get("tool_choice", "auto") not in ("auto", "none"), "tool_choice"),
        "stream_options": ("stream_options" in body, "stream_options"),
        "max_tokens": ("max_tokens" in body, "max_tokens"),
        "temperature": (body.get("temperature", 1) != 1, "temperature"),
        "seed": ("seed" in body, "seed"),
    }
    for lack in sorted(serves.lacks):
        asked, param = wanted[lack]
        if asked:
            said = f"Unsupported parameter: '{param}' is not supported with this model."
            if lack == "max_tokens":
                said += " Use 'max_completion_tokens' instead."
            yield Refused(said, param=param, code="unsupported_parameter", lack=lack)


def _fitting(body: Body, serves: Serves) -> Refusals:
    sent = tokens_in(body)
    wanted = sent + int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)
    if wanted > serves.context_tokens:
        said = (
            f"This model's maximum context length is {serves.context_tokens} tokens. However, you requested {wanted} "
            f"tokens ({sent} in the messages). Please reduce the length of the messages."
        )
        yield Refused(said, param="messages", code="context_length_exceeded")
