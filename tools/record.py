"""The one shape of every record: frozen, keyword-only, closed, and plain JSON on the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]
"""A JSON object at the wire, parsed into a record at once."""


class Record(BaseModel):
    """A frozen value. Unknown fields are an error; NaN and infinity are too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
