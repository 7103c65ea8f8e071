"""The content of an object as JSON, so that it means the same on the other side of a socket and later."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tools.backends.sim.state import Tree
from tools.errors import Invalid


def pack(tree: Tree) -> dict[str, str]:
    """Content as JSON: base64 by path."""
    return {path: base64.b64encode(content).decode() for path, content in tree.items()}


def unpack(packed: Mapping[str, str]) -> Tree:
    """The content again. Invalid for a path that would leave the folder."""
    bad = [p for p in packed if p and any(part in ("", ".", "..") for part in p.split("/"))]
    if bad:
        raise Invalid(*(f"content: {path!r} is no path inside a folder" for path in bad))
    try:
        return {path: base64.b64decode(content, validate=True) for path, content in packed.items()}
    except binascii.Error as error:
        raise Invalid(f"content: {error}") from error
