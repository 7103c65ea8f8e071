"""How many tokens a request and an answer count as: four bytes of UTF-8 a token.

For English about what tokenisers give; for Chinese three quarters of a token a character, which is on the safe side.
"""

from __future__ import annotations

from evals.model_server.wire import Body, size_of

BYTES_PER_TOKEN = 4
PER_MESSAGE = 4
"""Tokens that mark the beginning, the role and the end of a message."""
_COUNTED = ("messages", "tools", "response_format", "tool_choice")


def tokens_in(body: Body) -> int:
    """Tokens of everything that the model reads: messages, tools and schema."""
    sent = sum(size_of(body[name]) for name in _COUNTED if body.get(name) is not None)
    return -(-sent // BYTES_PER_TOKEN) + PER_MESSAGE * len(body.get("messages") or ())


def tokens_of(text: str) -> int:
    """Tokens of a text that the model writes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
