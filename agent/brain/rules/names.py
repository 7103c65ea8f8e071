"""Names of things that exist or will be served: what a word must look like to be one, and where it stands."""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules.entities import Entity
from agent.brain.rules.lexicon import lexicon
from agent.brain.rules.reading import Reading

_STRONG: Final = frozenset(
    ("det", "filler", "article", "env", "strategy", "and", "family", "neg", "cmp", "from", "numword", "backend",
     "comparand", "abort", "best")
)  # fmt: skip

NAME: Final = re.compile(r"^[A-Za-z][\w.-]*$")

SHAPED: Final = re.compile(r"^[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)+$|^[a-z]+\d+$")

_SUBJECTS: Final = frozenset(("task", "topic", "textual", "visual", "numeric", "noun", "ml", "label", "custom"))

_WEAK: Final = frozenset(("numeric", "textual", "visual", "ml", "topic", "vague", "dataword", "role", "retrain_on"))

_AS: Final = ("as", "为", "成", "叫", "named", "called")


def plain(entity: Entity | None) -> bool:
    if entity is None or entity.text.lower() in lexicon().words["generic"]:
        return False
    if entity.kind == "quoted":
        return True
    if entity.kind in ("word", "checkpoint"):
        return bool(NAME.match(entity.text))
    if entity.kind != "term" or not NAME.match(entity.text):
        return False
    return not any(k in entity.readings for k in _STRONG) and not entity.means("noun")


def weakly_known(entity: Entity) -> bool:
    """A word the lexicon knows only as a subject (`eta`, `price`) may be a name all the same."""
    return set(entity.readings) <= _WEAK


def called(reading: Reading) -> str | None:
    """`a model called churn`, `取名 churn`."""
    for cue in reading.where("named"):
        before = reading.get(cue - 1)
        after = reading.get(cue + 1)
        about_column = any(reading[n].means("label") or reading[n].means("column") for n in range(max(0, cue - 3), cue))
        if after is None or about_column or (before is None and cue):
            continue
        if after.kind in ("quoted", "word") and NAME.match(after.text):
            return after.text
    return None


def served_as(reading: Reading) -> str | None:
    """`deploy it as churn`, `serve it as houses`, `部署为 churn`: the name it will be served under."""
    for act in reading.where("act", "deploy"):
        for n in range(act + 1, min(act + 6, len(reading))):
            cue, after = reading[n], reading.get(n + 1)
            if cue.kind == "punct" or after is None:
                break
            if cue.text.lower() in _AS and after.kind in ("word", "quoted", "term") and _can_name(after):
                return after.text
    return None


def _can_name(entity: Entity) -> bool:
    """`as breast-cancer` names it; `as a canary`, `as soon as` do not."""
    if not NAME.match(entity.text) or entity.text.lower() in lexicon().words["generic"] | {"soon", "well", "is", "a"}:
        return False
    said = ("det", "article", "strategy", "canary", "blue_green", "rolling", "shadow", "env", "noun", "cmp", "time")
    return not any(word in entity.readings for word in said)


def thing_name(reading: Reading, artefacts: list[str], task: str) -> str | None:
    served = served_as(reading) if task == "deploy" else None
    if served is not None:
        return served
    if artefacts and task not in ("compare",):
        return re.split(r"[:@]", artefacts[0])[0]
    if artefacts:
        names = {re.split(r"[:@]", a)[0] for a in artefacts}
        return names.pop() if len(names) == 1 else None
    if task in ("estimate", "prepare"):
        return None
    if task == "cleanup":
        return _doomed(reading)
    for find in (_quoted_name, called, _noun_name, _object_name, _version_name, _noun_itself, _shaped_name):
        name = find(reading)
        if name is not None:
            return name
    return None


def _quoted_name(reading: Reading) -> str | None:
    for n in reading.kinds("quoted"):
        near_label = reading.near(n, "label", before=2, after=2) or reading.near(n, "namespace", before=2, after=1)
        if reading.free(n) and near_label is None:
            return reading[n].text
    return None


def _noun_name(reading: Reading) -> str | None:
    """`the checkout endpoint`, `ranking 服务`, `endpoint foo`."""
    nouns = sorted(reading.where("noun"), key=lambda n: (not reading[n].means("noun", "endpoint"), n))
    for at in nouns:
        before, after = reading.get(at - 1), reading.get(at + 1)
        if before is not None and before.text == "的":
            before = reading.get(at - 2)
        serves = reading[at].means("noun", "endpoint") and before is not None
        named = before is not None and serves and before.means("noun", "model") and before.text not in ("model", "模型")
        if before is not None and reading[at].start - before.end <= 2 and (plain(before) or named):
            return before.text
        if after is not None and after.kind in ("word", "quoted") and plain(after) and not after.means("unit"):
            return after.text
        if before is not None and before.means("noun") and plain(reading.get(at - 2)):
            return reading[at - 2].text
    return None


def _object_name(reading: Reading) -> str | None:
    """The object of the verb: `deploy fraud to`, `把 ranking 扩到`."""
    for at, entity in enumerate(reading.entities):
        if not entity.means("act") and entity.text not in ("把", "将", "给", "让", "对"):
            continue
        for n in (at + 1, at + 2, at + 3, at + 4):
            after = reading.get(n)
            if after is None or after.kind == "punct":
                break
            if after.kind in ("word", "quoted", "checkpoint") and plain(after) and reading.free(n):
                return after.text
            if (
                after.kind == "term"
                and set(after.readings) <= _SUBJECTS
                and SHAPED.match(after.text)
                and reading.free(n)
            ):
                return after.text
            passes = any(
                k in after.readings for k in ("det", "article", "comparand", "env", "filler", "act", "strategy")
            )
            if not passes and after.kind != "han":
                break
    for at, entity in enumerate(reading.entities):
        lower = not entity.text[0].isupper() and not reading.text.isascii()
        if entity.kind in ("word", "term") and plain(entity) and weakly_known(entity) and lower and reading.free(at):
            return entity.text
    return None


def _version_name(reading: Reading) -> str | None:
    for at in reading.kinds("version"):
        before = reading.get(at - 1)
        if plain(before) and before is not None:
            return before.text
    return None


def _noun_itself(reading: Reading) -> str | None:
    """`the ranker`, `recommender`: a kind of model that stands for the one there is."""
    for at in reading.where("noun", "model"):
        text = reading[at].text
        if text.isascii() and text.lower() not in lexicon().words["models"]:
            return text
    return None


def _shaped_name(reading: Reading) -> str | None:
    """A word written as only names are: `nightly-churn`, `ranker_v2`."""
    for n in reading.kinds("word", "term", free=True):
        if not set(reading[n].readings) <= _SUBJECTS:
            continue
        simple = plain(reading[n]) or reading[n].means("noun")
        if SHAPED.match(reading[n].text) and simple and reading.near(n, "namespace", before=2) is None:
            return reading[n].text
    return None


def _doomed(reading: Reading) -> str | None:
    """What is to be taken away, when it has a name of its own; `idle endpoints` is no name."""
    quoted = [n for n in reading.kinds("quoted") if reading.free(n) and reading.near(n, "namespace", before=2) is None]
    if quoted:
        return reading[quoted[0]].text
    for at in reading.where("noun", "endpoint"):
        for n in (at - 1, at + 1):
            entity = reading.get(n)
            beside = entity is not None and entity.kind == "word" and plain(entity) and reading.free(n)
            one = not reading[at].text.lower().endswith("s") and (n == at - 1 or reading[at].text.isascii())
            if entity is not None and beside and one and reading.near(n, "namespace", before=2, after=1) is None:
                return entity.text
    return _shaped_name(reading)
