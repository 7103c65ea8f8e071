"""What the grammar makes of a text, on a Monday at nine."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.brain.protocol import Context
from agent.brain.rules.grammar.understand import Rules
from agent.contract import Contract, Part, Refusal
from agent.goal import Goal

_MONDAY_NINE = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()


def contract(text: str) -> Contract:
    answer = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=_MONDAY_NINE))
    assert not isinstance(answer, Refusal), answer
    return answer


def part(text: str) -> Part:
    (only,) = contract(text).parts
    return only
