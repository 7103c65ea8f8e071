"""A request that was accepted, as a model sees it: what it is asked, in whatever form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from evals.model_server.messages import text_of
from evals.model_server.wire import Body

Form = Literal["schema", "tool", "json", "text"]


@dataclass(frozen=True)
class Asked:
    """One request."""

    number: int
    """Which one it is, counted from 1; those that were refused count too."""
    body: Body

    @property
    def form(self) -> Form:
        """How the answer is wanted."""
        kind = (self.body.get("response_format") or {}).get("type")
        if kind == "json_schema":
            return "schema"
        return "tool" if self.body.get("tools") else "json" if kind == "json_object" else "text"

    @property
    def name(self) -> str:
        """What the answer is called in the request; empty where it has no name."""
        if self.form == "schema":
            return str(self.body["response_format"]["json_schema"]["name"])
        return str(self._function.get("name", ""))

    @property
    def schema(self) -> dict[str, Any] | None:
        """What the answer must look like, where the request says so outside its text."""
        if self.form == "schema":
            found = self.body["response_format"]["json_schema"]["schema"]
        else:
            found = self._function.get("parameters")
        return found if isinstance(found, dict) else None

    @property
    def _function(self) -> Body:
        """The function that is to be called: the one that is named, or the first."""
        tools = self.body.get("tools") or ()
        choice = self.body.get("tool_choice")
        wanted = choice["function"]["name"] if isinstance(choice, dict) else None
        return next((t["function"] for t in tools if wanted in (None, t["function"]["name"])), {})

    def texts(self, *roles: str) -> list[str]:
        """What was said by these roles, or by all, in order."""
        return [text_of(m.get("content")) for m in self.body["messages"] if not roles or m["role"] in roles]

    @property
    def text(self) -> str:
        return "\n".join(self.texts())
