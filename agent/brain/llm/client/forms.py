"""How a model is made to answer in a record: by a schema, as a tool's arguments, in JSON mode, in prose.

What is constant stands first and in a constant order, so that servers that cache the beginning of a prompt can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

from agent.brain.llm.client.reading import MOST_CHARACTERS
from agent.brain.llm.client.strict import schema_of
from agent.lines import Form
from tools.record import Json

TOOL = "answer"
_TOOL = "Give the answer."
_JSON = "Answer with one JSON object and nothing else. It must fit this JSON Schema:"
_REPAIR = "This answer cannot be used:"
_AGAIN = "Give the whole answer again, with all of that put right."
_NOTHING = "(no answer)"
_ECHO = 16 * 1024
"""Characters of an answer that are shown to the model again."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer: its text, or the arguments of its one call, and how it was asked for."""

    form: Form
    text: str
    message: AIMessage
    called: bool
    """It came as a call of the tool."""
    faults: tuple[str, ...] = ()
    """What is wrong with it before it is read."""

    @property
    def finish(self) -> str:
        return str(self.message.response_metadata.get("finish_reason", "stop"))

    @property
    def is_prose(self) -> bool:
        """Text where JSON was asked for: the server ignores the form."""
        text = self.text.strip()
        return not self.called and bool(text) and text[0] not in "{[" and self.finish == "stop"


def options(form: Form, answer: type[BaseModel]) -> Json:
    """What a request says of the form."""
    if form == "schema":
        schema = {"name": answer.__name__, "strict": True, "schema": schema_of(answer)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if form == "tool":
        function = {"name": TOOL, "description": _TOOL, "parameters": schema_of(answer), "strict": True}
        choice = {"type": "function", "function": {"name": TOOL}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {"response_format": {"type": "json_object"}} if form == "json" else {}


def messages(
    form: Form, system: str, user: str, answer: type[BaseModel], repair: tuple[Said, Sequence[str]] | None = None
) -> list[BaseMessage]:
    """The conversation: what was asked and, with `repair`, an answer and everything that is wrong with it."""
    if form in ("json", "text"):
        schema = json.dumps(schema_of(answer), ensure_ascii=False, separators=(",", ":"))
        system = f"{system}\n\n{_JSON}\n{schema}"
    asked: list[BaseMessage] = [SystemMessage(system), HumanMessage(user)]
    return asked if repair is None else [*asked, *_mended(form, *repair)]


def _mended(form: Form, said: Said, faults: Sequence[str]) -> list[BaseMessage]:
    """The answer as it was given, then its faults: to every call one message of the tool, to a text one of the user."""
    told = "\n".join([_REPAIR, *(f"- {fault}" for fault in faults), _AGAIN])
    if form == "tool" and said.called and said.message.tool_calls and not said.message.invalid_tool_calls:
        calls = said.message.tool_calls
        if len(said.text) <= _ECHO and len({call["id"] for call in calls}) == len(calls):
            return [
                AIMessage(content="", tool_calls=calls),
                *(ToolMessage(content=told, tool_call_id=call["id"] or "") for call in calls),
            ]
    return [AIMessage(said.text.strip()[:_ECHO] or _NOTHING), HumanMessage(told)]


def said(form: Form, message: AIMessage) -> Said:
    """What a message says: the arguments of its one call of our tool, or its text."""
    calls = [(call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls]
    calls += [(call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]
    faults: tuple[str, ...] = ()
    if len(calls) > 1:
        faults = (f"{len(calls)} tools are called: call {TOOL} once",)
    elif calls and calls[0][0] != TOOL:
        faults = (f"a tool is called that there is not: call {TOOL}",)
    text = calls[0][1] if calls else message.text
    if message.response_metadata.get("finish_reason") == "length":
        faults = (*faults, "the answer was cut off: make it shorter")
    return Said(form=form, text=text[: MOST_CHARACTERS + 1], message=message, called=bool(calls), faults=faults)
