"""What a question about a run is about, by its words: topics from a lexicon, and names that may stand in the facts.

It knows words and no patterns of sentences, so it holds for phrasings that nobody prepared. Questions are told from
goals and orders conservatively: what asks for something to be done is never a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple, get_args

import yaml

from agent.brain.protocol import Topic
from agent.brain.rules.framed import figures
from agent.brain.rules.grammar.lexicon import Lexicon, lexicon, pieces
from agent.brain.rules.grammar.scan import normalise, scan

LONGEST: Final = 400
"""Characters of a question; more is a goal or a document."""
_BARE: Final = 6
"""Words of a question without a verb: `confusion matrix`, `cost so far`."""
_TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
_CLAUSES: Final = re.compile(r"[,;!?，。；！？\n]+|\.(?=\s|$)|\b(?:and|then|but|so)\b|然后|并且|接着", re.IGNORECASE)
_THINGS: Final = frozenset(("data", "program", "command", "image", "model_file"))
_MEASURED: Final[Mapping[str, tuple[Topic, ...]]] = {"metric": ("clauses", "figures"), "family": ("models",)}
"""A metric asks for what was measured of it, a family for what was tried."""
_LOOKS: Final = frozenset(("diagnose", "estimate", "evaluate", "compare"))
"""Acts of a goal that a question may be worded as."""


class Match(NamedTuple):
    """A phrase of the vocabulary in a text: its pieces from `start` to before `end`, and what it means."""

    start: int
    end: int
    value: str


@cache
def _own() -> Mapping[str, Lexicon]:
    """The vocabulary of questions by kind; read on first use."""
    text = (resources.files(__package__) / "questions.yaml").read_text(encoding="utf-8")
    tables = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # strings only
    return {kind: Lexicon({kind: table}) for kind, table in tables.items()}


def _found(told: tuple[str, ...], kind: str, vocabulary: Lexicon | None = None) -> list[Match]:
    """The longest phrases of one kind, in order; none overlaps another."""
    known, found, at = vocabulary or _own()[kind], list[Match](), 0
    while at < len(told):
        mine = (p for p in known.starting(told[at]) if kind in p.readings)
        phrase = next((p for p in mine if told[at : at + len(p.pieces)] == p.pieces), None)
        if phrase is not None:
            found.append(Match(at, at + len(phrase.pieces), phrase.readings[kind]))
        at += len(phrase.pieces) if phrase is not None else 1
    return found


def topics(question: str) -> tuple[Topic, ...]:
    """What is asked about, the first word first; empty when that cannot be told.

    Weak words (`model`, `step`, `why`) count only where no other does.
    """
    told = pieces(normalise(question))
    strong = [t for m in _found(told, "topic") for t in _listed(m.value)]
    if not strong:
        strong = [t for kind, about in _MEASURED.items() if terms(question, kind) for t in about]
    return tuple(dict.fromkeys(strong or [t for m in _found(told, "weak") for t in _listed(m.value)]))


def _listed(value: str) -> Iterator[Topic]:
    """The topics of one entry, `now questions`, in its order."""
    yield from sorted((t for t in _TOPICS if t in value.split()), key=value.split().index)


def terms(question: str, kind: str) -> tuple[str, ...]:
    """Metrics (`metric`) or model families (`family`) that the question names, by any of their names."""
    told = pieces(normalise(question))
    ours = {at for m in _found(told, "topic") for at in range(m.start, m.end)}
    named = [m for m in _found(told, kind, lexicon()) if not ours.issuperset(range(m.start, m.end))]
    return tuple(dict.fromkeys(m.value for m in named))


def mentions(question: str) -> frozenset[str]:
    """Words that are no words of questions, and whatever is quoted: perhaps names of steps, parts, models, policies."""
    plain = normalise(question)
    quoted = {t.text.lower() for t in scan(plain) if t.kind in ("quoted", "version", "artefact")}
    names = {n.lower() for n in re.findall(r"[A-Za-z][\w.:-]*\w", plain)}
    told = pieces(plain)
    known = {told[at] for at in _covered(told, but=("order", "name"))}
    return frozenset(n for n in quoted | names if n not in known)


def _covered(told: tuple[str, ...], *, but: tuple[str, ...] = ()) -> set[int]:
    """Places of the pieces that some kind of the vocabulary knows."""
    return {at for kind in _own() if kind not in but for m in _found(told, kind) for at in range(m.start, m.end)}


def is_question(text: str, running: bool) -> bool:
    """Whether the text asks about a run instead of asking for work. `running`: there is a run that goes on.

    Without one, a question that names a thing of its own ("why is the ranking service slow") is a goal.
    """
    plain = normalise(text) if len(text) <= LONGEST else ""
    told = pieces(plain)
    if not topics(plain) or any(token.kind in _THINGS for token in scan(plain)):
        return False
    clauses = [piece for c in _CLAUSES.split(plain) if (piece := pieces(c))]
    if any(_orders(c) for c in clauses):
        return False
    worded = "?" in told or any(_asks(c) for c in clauses)
    if not worded and (len(told) > _BARE or _strange(told) or _says(told, plain)):
        return False
    if worded and _of_its_doing(told):
        return True
    return _rests_on_strong_words(told) if running else _of_a_run(told)


def _says(told: tuple[str, ...], plain: str) -> bool:
    """A few words that say what is to be, and do not ask what is: a figure, or a limit like `only`, `no`."""
    return bool(figures(plain)) or _begins(_bare(told), "limit")


def _of_its_doing(told: tuple[str, ...]) -> bool:
    """It asks why or how the one who is asked did something: `why did you`, `what have you`."""
    return _begins(_bare(told), "doing") and not _found(told, "thing")


def _asks(told: tuple[str, ...]) -> bool:
    """It begins with a word that asks, or holds one where Chinese does not put it first."""
    return _begins(_bare(told), "asks") or bool(_found(told, "asking"))


def _orders(told: tuple[str, ...]) -> bool:
    """It begins with a verb of work, asks politely for some, or wants it in so many words."""
    if _found(told, "wants"):
        return True
    bare = _bare(told)
    if _begins(bare, "request"):
        return _works(_bare(bare[_found(bare, "request")[0].end :]))
    return not _asks(told) and _works(bare)


def _works(told: tuple[str, ...]) -> bool:
    acts = _found(told, "act", lexicon())
    acting = bool(acts) and acts[0].start == 0 and acts[0].value not in _LOOKS
    return _begins(told, "order") or (acting and not _begins(told, "asks"))


def _bare(told: tuple[str, ...]) -> tuple[str, ...]:
    """Without what one says before one comes to the point."""
    while _begins(told, "polite"):
        told = told[_found(told, "polite")[0].end :]
    return told


def _begins(told: tuple[str, ...], kind: str) -> bool:
    found = _found(told, kind)
    return bool(found) and found[0].start == 0


def _strange(told: tuple[str, ...]) -> list[str]:
    """Words that neither questions nor measurements know."""
    known = _covered(told)
    for kind in _MEASURED:
        known |= {at for m in _found(told, kind, lexicon()) for at in range(m.start, m.end)}
    return [piece for at, piece in enumerate(told) if at not in known and piece[0].isalpha()]


def _rests_on_strong_words(told: tuple[str, ...]) -> bool:
    """Of a run that goes on one may ask anything; a weak word alone carries no sentence that is not understood."""
    measured = any(_found(told, kind, lexicon()) for kind in _MEASURED)
    return bool(_found(told, "topic")) or measured or not _strange(told)


def _of_a_run(told: tuple[str, ...]) -> bool:
    """It is about something that only a run has, or names nothing of its own."""
    return bool(_found(told, "run")) or not (_found(told, "thing") or _strange(told))
