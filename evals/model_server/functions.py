"""Tools that a request offers, and which of them it wants called."""

from __future__ import annotations

import re
from typing import Any

from evals.model_server import schemas
from evals.model_server.wire import Body, Refusals, Refused

MOST_TOOLS = 128
LONGEST_DESCRIPTION = 1_024
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS = frozenset({"name", "description", "parameters", "strict"})


def checked(body: Body) -> Refusals:
    """What is wrong with `tools`, `tool_choice` and `parallel_tool_calls`."""
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body:
                yield Refused(f"'{name}' is only allowed when 'tools' are specified.", param=name)
        return
    if not isinstance(tools, list) or not tools:
        yield Refused("Invalid 'tools': expected an array with members.", param="tools", code="empty_array")
        return
    if len(tools) > MOST_TOOLS:
        said = f"Invalid 'tools': array too long. Expected at most {MOST_TOOLS} tools, but got {len(tools)}."
        yield Refused(said, param="tools", code="array_above_max_length")
    for number, tool in enumerate(tools):
        yield from _tool(tool, f"tools[{number}]")
    names = [t["function"].get("name") for t in tools if isinstance(t, dict) and isinstance(t.get("function"), dict)]
    if len(set(map(str, names))) != len(names):
        yield Refused("Invalid 'tools': names of functions must be unique.", param="tools")
    yield from _choice(body.get("tool_choice", "auto"), names)


def _tool(tool: object, at: str) -> Refusals:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(function, dict):
        yield Refused(f"Invalid '{at}': expected a tool of type 'function'.", param=at)
        return
    for key in sorted((set(tool) - {"type", "function"}) | (set(function) - _KEYS)):
        yield Refused(f"Unknown parameter: '{at}.{key}'.", param=f"{at}.{key}", code="unknown_parameter")
    name, description = function.get("name"), function.get("description", "")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        said = f"Invalid '{at}.function.name': string does not match pattern. Expected '^[a-zA-Z0-9_-]{{1,64}}$'."
        yield Refused(said, param=f"{at}.function.name", code="invalid_value")
    if not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION:
        said = f"Invalid '{at}.function.description': at most {LONGEST_DESCRIPTION} characters are expected."
        yield Refused(said, param=f"{at}.function.description", code="string_above_max_length")
    yield from _parameters(function, at)


def _parameters(function: dict[str, Any], at: str) -> Refusals:
    wrong = f"Invalid schema for function '{function.get('name')}': "
    place = f"{at}.function.parameters"
    if function.get("strict") is True:
        for fault in schemas.faults(function.get("parameters")):
            yield Refused(wrong + fault, param=place, code="invalid_function_parameters")
    elif "parameters" in function and not _is_object(function["parameters"]):
        fault = "schema must be of 'type: \"object\"'."
        yield Refused(wrong + fault, param=place, code="invalid_function_parameters")


def _is_object(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object"


def _choice(choice: object, names: list[Any]) -> Refusals:
    if choice in ("none", "auto", "required"):
        return
    function = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if not isinstance(function, dict) or set(function) != {"name"}:
        yield Refused("Invalid value for 'tool_choice'.", param="tool_choice", code="invalid_value")
    elif function["name"] not in names:
        yield Refused(f"Tool choice '{function['name']}' not found in 'tools' parameter.", param="tool_choice")
