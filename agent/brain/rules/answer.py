"""The embedded answers: which facts a question is about, in order, each with the journal line it is from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agent.brain.cited import filled
from agent.brain.protocol import Answer, Fact
from agent.brain.rules.questions import LONGEST as LONGEST
from agent.brain.rules.questions import is_question as is_question
from agent.brain.rules.questions import mentions, terms
from agent.brain.rules.questions import topics as topics
from tools.language import tr

MOST: Final = 14
"""Lines of an answer; what else there is is counted."""
_TOKEN: Final = re.compile(r"[\w.:-]+")


def answer(question: str, facts: tuple[Fact, ...]) -> Answer | None:
    """What the facts say to the question; None where it cannot be told what is asked, or nothing is known of it."""
    asked = topics(question)
    about = [f for topic in asked for f in facts if f.topic == topic]
    if not about:
        return None
    steps = [f for f in facts if f.topic == "steps" and "steps" not in asked]
    chosen, missing = narrowed(question, about, beside=steps)
    lines = [tr("of {name} the record says nothing", name=name) for name in missing]
    shown = _spread(chosen)
    lines += [filled(f"{_plain(f.says)}{tr(': ')}{{{f.id}}}", facts) for f in shown]
    if len(shown) < len(chosen):
        lines.append(tr("and {n} more like these", n=len(chosen) - len(shown)))
    return Answer(text="\n".join(lines), facts=tuple(f.id for f in shown), by="rules")


def narrowed(
    question: str, about: Sequence[Fact], *, beside: Sequence[Fact] = ()
) -> tuple[list[Fact], tuple[str, ...]]:
    """The facts that hold what the question names, else those beside them that do, else all; and the metrics and
    families that it names and none of them holds."""
    known = (*terms(question, "metric"), *terms(question, "family"))
    missing = tuple(name for name in known if not any(name in _tokens(f) for f in about))
    names = mentions(question) | set(known)
    if held := [f for f in about if names & _tokens(f)]:
        return held, missing
    return [*(f for f in beside if names & _tokens(f)), *about], missing


def _tokens(fact: Fact) -> frozenset[str]:
    """Every word of a fact, and the parts of its names: `deploy_model` is about `deploy` as well."""
    whole = {t.lower().strip(".:-") for t in _TOKEN.findall(f"{fact.says} {fact.value}")}
    return frozenset(whole | {part for t in whole for part in re.split(r"[-_.:]", t) if part})


def _spread(chosen: Sequence[Fact]) -> list[Fact]:
    """At most `MOST`, of every topic its share, so that the first does not crowd out the others."""
    if len(chosen) <= MOST:
        return list(chosen)
    kinds = dict.fromkeys(f.topic for f in chosen)
    share = MOST // len(kinds)
    return [f for topic in kinds for f in [c for c in chosen if c.topic == topic][:share]]


def _plain(says: str) -> str:
    """Our words, without braces that would be places."""
    return says.replace("{", "(").replace("}", ")")
