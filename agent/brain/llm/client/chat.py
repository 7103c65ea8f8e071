"""langchain-core's chat model over our wire, so that whatever speaks that interface can ask the same endpoint.

Messages are turned into the wire's form here, and nothing is left out: a tool call that is no valid JSON is still a
call, and every call is followed at once by one message of a tool.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from agent.brain.llm.client.habits import Habits
from agent.brain.llm.client.reading import NotJson, loads
from agent.brain.llm.client.streamed import CallPiece, Piece, Usage
from agent.brain.llm.client.wire import Wire
from tools.record import Json

UNANSWERED = "Not carried out."
"""What a tool says whose call nobody answered."""


def _silent(_: int) -> None:
    pass


class Chat(BaseChatModel):
    """A model behind an endpoint. Keyword arguments of a call (`response_format`, `tools`, ...) go to the wire."""

    wire: Any
    """`Wire`."""
    habits: Any
    """`Habits`."""
    left_s: float
    """How long a call may take."""
    beat: Callable[[int], None] = _silent
    """Called a few times a second with the characters so far."""
    cache: bool | None = False

    @property
    def _llm_type(self) -> str:
        return "goalkeeper"

    def body(self, messages: Sequence[BaseMessage], **options: Any) -> Json:
        """The request, as it goes over the wire."""
        wire, habits = self._connected()
        parameters = habits.parameters(wire.endpoint.most_tokens)
        return {"model": wire.endpoint.model, "messages": wire_messages(messages)} | parameters | options

    def _connected(self) -> tuple[Wire, Habits]:
        assert isinstance(self.wire, Wire)
        assert isinstance(self.habits, Habits)
        return self.wire, self.habits

    def _pieces(self, messages: list[BaseMessage], stop: list[str] | None, options: Json) -> Iterator[Piece]:
        body = self.body(messages, **options) | ({"stop": stop} if stop else {})
        yield from self._connected()[0].exchange(body, left_s=self.left_s, beat=self.beat)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces = list(self._pieces(messages, stop, kwargs))
        message = AIMessage(content="".join(piece.text for piece in pieces), **_ending(pieces))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        """Text as it comes; calls, refusal and usage at the end."""
        pieces: list[Piece] = []
        for piece in self._pieces(messages, stop, kwargs):
            pieces.append(piece)
            if piece.text:
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece.text))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", chunk_position="last", **_ending(pieces)))


def _ending(pieces: Sequence[Piece]) -> dict[str, Any]:
    """What a message has beside its text."""
    sound, unsound = _calls([call for piece in pieces for call in piece.calls])
    refusal = "".join(piece.refusal for piece in pieces)
    usage = next((piece.usage for piece in reversed(pieces) if piece.usage is not None), None)
    finish = next((piece.finish for piece in reversed(pieces) if piece.finish is not None), "stop")
    return {
        "tool_calls": sound,
        "invalid_tool_calls": unsound,
        "additional_kwargs": {"refusal": refusal} if refusal else {},
        "response_metadata": {"finish_reason": finish},
        "usage_metadata": None if usage is None else _metadata(usage),
    }


def _metadata(usage: Usage) -> UsageMetadata:
    total = usage.read + usage.written
    return UsageMetadata(input_tokens=usage.read, output_tokens=usage.written, total_tokens=total)


def _calls(pieces: Sequence[CallPiece]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """The calls that pieces make up: those whose arguments are a JSON object, and the others."""
    sound: list[ToolCall] = []
    unsound: list[InvalidToolCall] = []
    for index in sorted({piece.index for piece in pieces}):
        own = [piece for piece in pieces if piece.index == index]
        said = dict.fromkeys(piece.name for piece in own)  # some servers repeat the name with every piece
        name = "".join(said)
        identity = next((piece.id for piece in own if piece.id), f"call_{index}")
        text = "".join(piece.arguments for piece in own)
        try:
            arguments = loads(text)
        except NotJson:
            arguments = None
        if isinstance(arguments, dict):
            sound.append(ToolCall(name=name, args=arguments, id=identity, type="tool_call"))
        else:
            call = InvalidToolCall(name=name, args=text, id=identity, error=None, type="invalid_tool_call")
            unsound.append(call)
    return sound, unsound


def wire_messages(messages: Sequence[BaseMessage]) -> list[Json]:
    """Messages as the wire has them. TypeError for a kind that it has not."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    found: list[Json] = []
    for message in messages:
        if isinstance(message, SystemMessage | HumanMessage):
            role = "system" if isinstance(message, SystemMessage) else "user"
            found.append({"role": role, "content": message.text})
        elif isinstance(message, AIMessage):
            calls = _wire_calls(message)
            # Where a call is all there is, some servers refuse `null` and some an empty text; none wants either.
            said = {"content": message.text} if message.text or not calls else {}
            found.append({"role": "assistant"} | said | ({"tool_calls": calls} if calls else {}))
            found += [_answer(call["id"], UNANSWERED) for call in calls if call["id"] not in answered]
        elif isinstance(message, ToolMessage):
            found.append(_answer(message.tool_call_id, message.text))
        else:
            raise TypeError(f"the wire has no message of kind {type(message).__name__}")
    return found


def _wire_calls(message: AIMessage) -> list[Json]:
    valid = [(call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls]
    others = [(call["id"], call["name"], call["args"] or "") for call in message.invalid_tool_calls]
    return [
        {
            "id": identity or f"call_{place}",
            "type": "function",
            "function": {"name": name or "none", "arguments": arguments},
        }
        for place, (identity, name, arguments) in enumerate([*valid, *others])
    ]


def _answer(call: str, text: str) -> Json:
    return {"role": "tool", "tool_call_id": call, "content": text}
