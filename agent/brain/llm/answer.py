"""Asking a model to answer a question about a run. It chooses words and facts; code puts the values in.

The model writes sentences with places, `{f3}`, and no figure of its own: a digit, a number in words, a link, a command
or a sentence without a fact is a fault. So every number of an answer is copied from the record. What it wrote is shown
to a person and goes nowhere else: nothing parses it, and no other call reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from agent.brain.cited import filled, named
from agent.brain.llm.client.asking import Asker
from agent.brain.llm.client.errors import NoAnswer
from agent.brain.llm.wordings import bare, faults_of
from agent.brain.protocol import Answer, Fact
from agent.brain.rules import answer as rules
from tools.inert import Seen, marked, outside, template
from tools.language import language_of
from tools.record import Record

PROMPT = "answer"
MOST_FACTS = 60
MOST_SENTENCES = 8
LONGEST = 400
"""Characters of one sentence."""
_ALWAYS = ("goal", "now", "cost", "clauses")
"""Topics that most answers need."""


class Said(Record):
    """What a model answers: sentences, each with at least one place for a fact; none when the facts say nothing."""

    sentences: tuple[str, ...] = Field(description="plain sentences with places such as {f3} for values")


def answer(asker: Asker, question: str, facts: tuple[Fact, ...]) -> Answer | None:
    """The model's answer with the record's values in it; else what the embedded brain answers."""
    shown = chosen(question, facts)

    def check(said: Said) -> tuple[str, ...]:
        return faults(said, shown)

    try:
        said = asker.ask("answer", PROMPT, variables(question, shown), Said, check=check) if shown else None
    except NoAnswer:
        asker.note_instead("answer")
        said = None
    if said is None or not said.sentences or faults(said, shown):
        return rules.answer(question, facts)
    text = " ".join(filled(outside(s, limit=LONGEST), shown) for s in said.sentences)
    return Answer(text=text, facts=named(" ".join(said.sentences)), by="llm")


def chosen(question: str, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """The facts that are sent: those of the question's topics and the usual ones, else all; bounded."""
    topics = rules.topics(question)
    wanted = [f for f in facts if f.topic in topics]
    usual = [f for f in facts if f.topic not in topics and (not topics or f.topic in _ALWAYS)]
    return tuple((*wanted, *usual)[:MOST_FACTS])


def variables(question: str, facts: Sequence[Fact]) -> dict[str, str]:
    """What is sent: the person's question, and the facts; what is from outside only as a form."""
    return {
        "question": outside(question, limit=rules.LONGEST),
        "language": {"en": "English", "zh": "Chinese"}[language_of(question)],
        "facts": "\n".join(_line(fact) for fact in facts),
    }


def _line(fact: Fact) -> str:
    """`f3: spent so far = $0.12`. Forms stand for texts from outside, and for paths, addresses and commands."""
    says, value = fact.says, fact.value
    if fact.outside or "/" in f"{says}{value}":
        says, value = template(says), template(value)
    if fact.outside:
        value = marked(Seen(text=value, count=1, lines=()))
    return f"{fact.id}: {says} = {value}"


def faults(said: Said, facts: Sequence[Fact]) -> tuple[str, ...]:
    """What is wrong with an answer, for the model that gave it."""
    known = {fact.id for fact in facts}
    found: list[str] = []
    if len(said.sentences) > MOST_SENTENCES:
        found.append(f"write at most {MOST_SENTENCES} sentences")
    for n, sentence in enumerate(said.sentences[:MOST_SENTENCES], start=1):
        wrong = [f"there is no fact {id_}" for id_ in named(sentence) if id_ not in known]
        if not named(sentence):
            wrong.append("it rests on no fact: put {id} where a fact's value goes, or leave the sentence out")
        if len(sentence) > LONGEST:
            wrong.append(f"it is longer than {LONGEST} characters")
        found += [f"sentence {n}: {fault}" for fault in (*wrong, *faults_of(bare(sentence[:LONGEST])))]
    return tuple(found)
