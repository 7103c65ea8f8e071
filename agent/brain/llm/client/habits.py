"""What a server turned out to take: which form of answer, which names of parameters. Learnt from its refusals.

Every habit changes in one direction, so that learning ends. A process learns for an endpoint once.
"""

from __future__ import annotations

import re
from functools import cache
from threading import Lock

from agent.lines import Form
from agent.settings import ModelForm
from tools.record import Json

LADDER: tuple[Form, ...] = ("schema", "tool", "json", "text")
"""From the strictest on: by a strict schema, as a tool's arguments, in JSON mode, in prose."""
_FORMAT = "response_format|json_schema|json_object|structured|grammar|guided|schema|strict"
_TOOL = "tool_choice|tools?|functions?|strict|schema|grammar"
_ROOM = re.compile(
    r"maximum context length is (\d{1,9}) tokens.{0,120}?\b(\d{1,9}) (?:in the messages|input tokens)", re.DOTALL
)
_LEAST_ROOM = 256
_WORDS: dict[Form, str] = {"schema": _FORMAT, "tool": _TOOL, "json": _FORMAT, "text": "(?!)"}
"""By which words a server names the form that it refuses."""


class Habits:
    """What one model on one server takes."""

    def __init__(self, form: ModelForm) -> None:
        self._lock = Lock()
        self.pinned = form != "auto"
        self.form: Form = "schema" if form == "auto" else form
        self.streams = True
        self.counts = True
        """Takes `stream_options`, and tells the usage of a stream."""
        self.limit = "max_tokens"
        self.temperature = True
        self.room: int | None = None
        """Tokens that its context leaves for an answer, as far as it has said so."""

    def parameters(self, most_tokens: int) -> Json:
        """What a request holds beside model, messages and form."""
        asked: Json = {"stream": self.streams}
        if self.streams and self.counts:
            asked["stream_options"] = {"include_usage": True}
        if self.temperature:
            asked["temperature"] = 0
        return asked | {self.limit: min(most_tokens, self.room or most_tokens)}

    def learn(self, says: str, form: Form) -> bool:
        """Whether a refusal, in the server's words, says what to leave out. `form`: the one that was refused."""
        with self._lock:
            if (room := self._less_room(says)) is not None:
                self.room = room
                return True
            named = self._named(says, form)
            if not named:
                return form != self.form  # somebody else has learnt it meanwhile
            self._change(min(named)[1])
            return True

    def names(self, says: str, form: Form) -> bool:
        """Whether a server's words name something that can be left out."""
        with self._lock:
            return bool(self._named(says, form))

    def ignored(self, form: Form) -> bool:
        """Prose came where a form was asked for: from now on it is asked for in prose. False where that is settled."""
        with self._lock:
            if self.pinned or form == "text":
                return False
            self.form = "text"
            return True

    def _less_room(self, says: str) -> int | None:
        """What is left for an answer, where a server says that less is left than was asked for."""
        found = _ROOM.search(says)
        left = int(found[1]) - int(found[2]) if found else 0
        return left if left >= _LEAST_ROOM and left < (self.room or left + 1) else None

    def _named(self, says: str, form: Form) -> list[tuple[int, str]]:
        return [(found.start(), habit) for habit, words in self._open(form) if (found := words.search(says))]

    def _open(self, form: Form) -> list[tuple[str, re.Pattern[str]]]:
        """What can still change, and the words that ask for it."""
        found = [("counts", "stream_options|include_usage")] if self.streams and self.counts else []
        found += [("limit", r"\bmax_tokens\b")] if self.limit == "max_tokens" else []
        found += [("temperature", r"\btemperature\b")] if self.temperature else []
        found += [("streams", r"\bstream(?:ing)?\b")] if self.streams else []
        found += [("form", _WORDS[form])] if form == self.form and form != "text" and not self.pinned else []
        return [(habit, re.compile(words, re.IGNORECASE)) for habit, words in found]

    def _change(self, habit: str) -> None:
        if habit == "form":
            self.form = LADDER[LADDER.index(self.form) + 1]
        elif habit == "limit":
            self.limit = "max_completion_tokens"
        elif habit == "counts":
            self.counts = False
        elif habit == "streams":
            self.streams = False
        else:
            self.temperature = False


@cache
def habits_of(url: str, model: str, form: ModelForm) -> Habits:
    """What this process has learnt of a model on a server."""
    return Habits(form)
