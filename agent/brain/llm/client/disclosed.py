"""Which classes of data leave the machine when a model is asked: what the headers of the prompts say, and no more."""

from __future__ import annotations

from prompts.load import Sends, load, names
from tools.language import tr
from tools.record import Record


class Disclosed(Record):
    """One class of data that one prompt sends."""

    prompt: str
    version: int
    sends: Sends
    means: str
    """In words."""


def disclosed() -> tuple[Disclosed, ...]:
    """Every class of data of every prompt."""
    return tuple(
        Disclosed(prompt=prompt.name, version=prompt.version, sends=sends, means=meaning(sends))
        for prompt in map(load, names())
        for sends in prompt.sends
    )


def meaning(sends: Sends) -> str:
    """What a class of data is."""
    words: dict[Sends, str] = {
        "goal": tr("the goal's text, with paths, names and numbers as they were written"),
        "conversation": tr("what the requester said before in the same conversation"),
        "contract": tr("the goal as understood: clauses, budget, placement, assumptions"),
        "facts": tr("measured facts: profiles of data, offers, quotas, what runs, past outcomes"),
        "names": tr("names of columns, endpoints, models and files"),
        "templates": tr("forms of log lines with their counts, values taken out"),
        "question": tr("a question about a run, as it was asked"),
        "record": tr("what the record says of a run: states, costs, clauses, refusals"),
    }
    return words[sends]
