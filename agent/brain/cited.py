"""Answers are put together here: the values of facts go in the places of a text, each with the journal line it is from.

So every number of an answer is copied from the record, whoever chose the words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.brain.protocol import Answer, Fact
from tools.language import tr

PLACE = re.compile(r"\{(f[1-9][0-9]{0,3})\}")
"""Where a fact's value goes: `{f3}`."""


def by_id(facts: Sequence[Fact]) -> Mapping[str, Fact]:
    return {fact.id: fact for fact in facts}


def named(text: str) -> tuple[str, ...]:
    """The ids that a text has places for, in order, each once."""
    return tuple(dict.fromkeys(PLACE.findall(text)))


def filled(text: str, facts: Sequence[Fact]) -> str:
    """The text with the values in their places, each cited: `$0.12 [#25]`. KeyError for an unknown fact.

    What is filled in is never looked at for places.
    """
    known = by_id(facts)
    return PLACE.sub(lambda place: f"{known[place[1]].value}{cited(known[place[1]])}", text)


def cited(fact: Fact) -> str:
    """` [#25]`: the line of the run's journal that the fact stands on."""
    return f" [#{fact.seq}]" if fact.seq is not None else ""


def render(answer: Answer) -> str:
    """The answer as doors show it: whose words these are is said where they are not ours."""
    if answer.by == "rules":
        return answer.text
    return f"{answer.text}\n{tr('(worded by a language model; every figure is copied from the record)')}"
