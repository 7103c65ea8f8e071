"""What goes over the wire: JSON bodies, and what a server says when it refuses one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]
"""A JSON object as it was sent."""


@dataclass(frozen=True)
class Refused:
    """Why a request is not carried out, in the shape of OpenAI's errors."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    type: str = "invalid_request_error"
    lack: str = ""
    """The feature that this server was told to lack; empty where the request itself is wrong."""

    def body(self) -> Body:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


Refusals = Iterator[Refused]


def size_of(value: Any) -> int:
    """Bytes of the value as compact JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
