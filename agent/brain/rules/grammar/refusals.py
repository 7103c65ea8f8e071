"""What is refused before anything is understood: not ours, orders against the rules, secrets, system namespaces.

Quoted text is somebody's name for something and never an order.
"""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Refusal
from tools.language import tr

_OURS: Final = ("metric", "task", "family", "noun", "replicas", "strategy", "label", "bundled", "hub", "gpu", "search")


def refusal(reading: Reading) -> Refusal | None:
    """Why the goal is refused; None if it is not."""
    own = _against_rules(reading) or _forged(reading) or _secrets(reading) or _system(reading)
    return own or _foreign(reading) or _alien(reading)


def _spoken(reading: Reading, kind: str) -> list[int]:
    return [n for n in reading.where(kind) if not reading[n].quoted]


def _against_rules(reading: Reading) -> Refusal | None:
    if _spoken(reading, "norules"):
        reason = tr("The goal says that no rules apply; rules are changed by the operator, not by a goal.")
        return Refusal(reason=reason, rule="ignore_rules")
    for at in _spoken(reading, "order"):
        if reading.negated(at) and "遵守" not in reading[at].text:
            continue
        for n in range(at + 1, min(at + 7, len(reading))):
            if reading[n].kind == "punct" and reading[n].text in ".;!?。":
                break
            if reading[n].means("rules"):
                reason = tr("The goal asks to set rules aside; rules are changed by the operator, not by a goal.")
                return Refusal(reason=reason, rule="ignore_rules")
        before = [reading[n] for n in range(max(0, at - 6), at) if reading.clause(n) == reading.clause(at)]
        if any(e.means("rules") for e in before) and not reading[at].text.isascii():
            reason = tr("The goal asks to set rules aside; rules are changed by the operator, not by a goal.")
            return Refusal(reason=reason, rule="ignore_rules")
    return None


def _forged(reading: Reading) -> Refusal | None:
    """`fake the results`, `不管实际多少都报 99%`: what is reported is what was measured."""
    if not any(not reading.negated(at) for at in _spoken(reading, "forge")):
        return None
    reason = "The goal asks for a result that was not measured; only what is measured is reported."
    return Refusal(reason=reason, rule="forged_evidence")


def _secrets(reading: Reading) -> Refusal | None:
    secrets = _spoken(reading, "secret")
    for at in _spoken(reading, "reveal"):
        if reading.negated(at):
            continue
        if any(abs(n - at) <= 10 and reading.sentence(n) == reading.sentence(at) for n in secrets):
            reason = tr("The goal asks for secrets; they are never shown, to anyone.")
            return Refusal(reason=reason, rule="secrets")
    return None


def _system(reading: Reading) -> Refusal | None:
    for at in reading.where("sysns"):
        if reading.negated(at):
            continue
        reason = tr("The goal acts on {name}, which belongs to the cluster's own system.", name=reading[at].text)
        return Refusal(reason=reason, rule="system_namespace")
    return None


def _foreign(reading: Reading) -> Refusal | None:
    topics = _spoken(reading, "topic")
    if not topics or reading.kinds("data", "artefact", "model_file", "checkpoint", "command", "program"):
        return None
    at = topics[0]
    ours = [n for kind in _OURS for n in reading.where(kind) if not reading[n].means("topic")]
    works = [
        n for n in (*reading.where("act", "train"), *reading.where("act", "deploy")) if not reading[n].means("topic")
    ]
    ours = [n for n in ours if not reading[n].means("task", "recommendation")]
    told = reading[at].means("topic", "talk")
    if (ours and works) or (ours and not told):
        return None
    reason = tr(
        "`{name}` is no machine-learning work; a goal names a model to train, serve, watch or repair.",
        name=reading[at].text,
    )
    return Refusal(reason=reason, rule="not_ml")


_TRADE: Final = (
    *_OURS, "ml", "act", "data", "env", "strategy", "backend", "family", "split", "clean", "vague", "dataword",
    "column", "instance", "spot", "traffic", "retrain_on", "namespace", "budget", "correction",
)  # fmt: skip
_THINGS: Final = ("data", "artefact", "version", "model_file", "checkpoint", "command", "program", "quoted", "instance")


def _alien(reading: Reading) -> Refusal | None:
    """Another trade's verb, and not one word of this one: `write my letter of resignation`."""
    if reading.kinds(*_THINGS) or any(kind in e.readings for e in reading.entities for kind in _TRADE):
        return None
    words = [e for e in reading.entities if (e.kind == "word" and "-" not in e.text) or e.kind == "han"]
    errands = lexicon().words["errands"]
    if not any(_is_errand(e, errands) for e in words):
        return None
    reason = tr("The goal is no machine-learning work; a goal names a model to train, serve, watch or repair.")
    return Refusal(reason=reason, rule="not_ml")


def _is_errand(entity: Entity, errands: frozenset[str]) -> bool:
    if entity.kind == "han":
        return any(verb in entity.text for verb in errands)
    return entity.text.lower() in errands
