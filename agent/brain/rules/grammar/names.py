"""Names of things that exist or will be served: what a word must look like to be one, and where it stands."""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading

_STRONG: Final = frozenset(
    ("det", "filler", "article", "env", "strategy", "and", "family", "neg", "cmp", "from", "numword", "backend",
     "comparand", "abort", "best")
)  # fmt: skip

NAME: Final = Pattern(r"^[A-Za-z][\w.-]*$")

SHAPED: Final = Pattern(r"^[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)+$|^[a-z]+\d+$")

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
        name, noun = reading.get(act + 1), reading.get(act + 2)
        onto = reading[act].text.lower().endswith(("到", "to")) and noun is not None and noun.means("noun", "endpoint")
        if onto and name is not None and name.kind in ("word", "quoted") and plain(name):
            return name.text
        for n in range(act + 1, min(act + 6, len(reading))):
            cue, after = reading[n], reading.get(n + 1)
            if cue.kind == "punct" or after is None:
                break
            if cue.text.lower() in _AS and after.kind in ("word", "quoted", "term") and _can_name(after):
                return after.text
            noun = reading.get(n + 2)
            onto = cue.text.lower() in ("to", "到", "at", "behind", "under", "the", "至", "在") and noun is not None
            if (
                onto
                and noun is not None
                and noun.means("noun", "endpoint")
                and after.kind in ("word", "quoted")
                and plain(after)
            ):
                return after.text  # `上线到 churn 服务`
    return _by_name(reading)


def _by_name(reading: Reading) -> str | None:
    """`以 intent-bot 的名字上线`."""
    for at, entity in enumerate(reading.entities):
        name, link = reading.get(at + 1), reading.get(at + 2)
        if entity.text == "以" and link is not None and name is not None and name.kind in ("word", "quoted"):
            tail = reading.text[link.start : link.start + 4]
            if tail.startswith(("的名字", "的名义", "为名", "之名", "作为名")):
                return name.text
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
    for find in (
        _quoted_name,
        called,
        _version_name,
        _noun_name,
        _object_name,
        _opening_name,
        _noun_itself,
        _shaped_name,
        _only_name,
    ):
        name = find(reading)
        if name is not None:
            return name
    return None


def _quoted_name(reading: Reading) -> str | None:
    for n in reading.kinds("quoted"):
        near_label = reading.near(n, "label", before=2, after=2) or reading.near(n, "namespace", before=2, after=1)
        if reading.free(n) and near_label is None:
            reading.claim(n)
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
        if not entity.means("act") and entity.text.lower() not in _HANDLES:
            continue
        place = _handled(reading, at)
        if place is not None:
            reading.claim(*(() if reading[place].kind == "quoted" else (place,)))
            return reading[place].text
    for at, entity in enumerate(reading.entities):
        lower = not entity.text[0].isupper() and not reading.text.isascii()
        if entity.kind in ("word", "term") and plain(entity) and weakly_known(entity) and lower and reading.free(at):
            return entity.text
    return None


_HANDLES: Final = ("把", "将", "给", "让", "对", "give", "let", "leave", "change", "set")
_PASSED: Final = ("det", "article", "comparand", "env", "filler", "act", "strategy", "version", "watchfor")


def _handled(reading: Reading, verb: int) -> int | None:
    """The place of what the verb, or `把`, has for its object."""
    for n in range(verb + 1, verb + 5):
        after = reading.get(n)
        if after is None or after.kind == "punct":
            return None
        if _is_object(reading, verb, n):
            return n
        if not any(kind in after.readings for kind in _PASSED) and after.kind != "han":
            return None
    return None


def _is_object(reading: Reading, verb: int, at: int) -> bool:
    entity, after = reading[at], reading.get(at + 1)
    if entity.kind in ("word", "quoted", "checkpoint") and plain(entity) and reading.free(at):
        return True
    chinese = not reading[verb].text.isascii()
    if (
        reading[verb].text in ("把", "将")
        and at == verb + 1
        and entity.means("noun", "endpoint")
        and entity.text.isascii()
    ):
        return True  # `把 api 缩到`
    subject = entity.kind == "term" and set(entity.readings) <= _SUBJECTS and plain(entity) and reading.free(at)
    counts = after is not None and (after.number is not None or after.text.lower() in ("to", "up", "down"))
    closed = chinese or after is None or after.kind == "punct" or counts
    return subject and (SHAPED.match(entity.text) is not None or (entity.means("custom") and closed))


def _version_name(reading: Reading) -> str | None:
    """`fraud v3`, `version 6 of pricing`, `v7 of the ctr model`."""
    spoken = [
        n + 1
        for n in reading.where("version", "word")
        if (e := reading.get(n + 1)) is not None and e.number is not None
    ]
    for at in (*spoken, *reading.kinds("version")):
        link, place = reading.get(at + 1), at + 2
        while (entity := reading.get(place)) is not None and entity.text.lower() in ("the", "our", "my"):
            place += 1
        if link is not None and link.text.lower() in ("of", "for") and plain(entity) and entity is not None:
            reading.claim(place)
            return entity.text
    for at in reading.kinds("version"):
        before = reading.get(at - 1)
        if before is not None and before.text in ("的", "模型", "服务", "接口"):
            before = reading.get(at - 2)
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


_SAID_OF: Final = frozenset(
    (
        "的",
        "is",
        "has",
        "keeps",
        "should",
        "needs",
        "must",
        "returns",
        "may",
        "can",
        "was",
        "gets",
        "seems",
        "looks",
        "wants",
        ":",
        "-",
    )
)


def _leads_in(entity: Entity) -> bool:
    return any(kind in entity.readings for kind in ("det", "article", "filler", "comparand")) or entity.kind == "punct"


def _opening_name(reading: Reading) -> str | None:
    """`churn should have 2 to 8 replicas`, `ctr 的副本数`, `eta: back to v29`: what a sentence begins with."""
    for at, entity in enumerate(reading.entities):
        opens = all(_leads_in(reading[n]) for n in reading.in_clause(at) if n < at)
        after = reading.get(at + 1)
        acted = after is not None and after.means("act") and not reading.text.isascii()
        told = after is not None and (after.text.lower() in _SAID_OF or after.means("symptom") or after.means("demand"))
        said = acted or told
        named = entity.kind == "word" or (
            entity.kind == "term" and set(entity.readings) <= _SUBJECTS and entity.text.islower()
        )
        if opens and said and named and plain(entity) and reading.free(at) and entity.text[:1].islower():
            reading.claim(at)
            return entity.text
    return None


_BEFORE: Final = frozenset(
    (
        "is",
        "are",
        "of",
        "with",
        "keep",
        "take",
        "the",
        "in",
        "for",
        "put",
        "get",
        "on",
        "to",
        "about",
        "our",
        "bring",
        "的",
        "how",
    )
)


def _only_name(reading: Reading) -> str | None:
    """`Is churn ok?`, `3 replicas of fraud`, `线上的 ctr 怎么回事`: a word that nothing else explains."""
    chinese = not reading.text.isascii()
    for at, entity in enumerate(reading.entities):
        weak = entity.kind == "term" and entity.means("custom") and set(entity.readings) <= _SUBJECTS
        if not (entity.kind == "word" or weak) or not plain(entity) or not reading.free(at) or len(entity.text) < 3:
            continue
        before = reading.get(at - 1)
        led = before is not None and (
            before.text.lower() in _BEFORE or any(k in before.readings for k in ("act", "comparand", "env"))
        )
        told = before is not None and before.text.lower() in ("in", "of", "on", "for", "about", "with")
        verbal = not chinese and not told and (entity.text.endswith(("ing", "ed")) or _predicate(reading, at))
        if (
            entity.text[:1].islower()
            and not verbal
            and (led or chinese)
            and reading.near(at, "namespace", before=2, after=1) is None
        ):
            reading.claim(at)
            return entity.text
    return None


def _predicate(reading: Reading, at: int) -> bool:
    """`the new one is bad`: what is said of a thing, unless the sentence asks `is churn ok?`."""
    before = reading.get(at - 1)
    asks = at == 1 or (at > 1 and reading[at - 2].kind == "punct")
    return before is not None and before.text.lower() in ("is", "are", "was") and not asks


def _shaped_name(reading: Reading) -> str | None:
    """A word written as only names are: `nightly-churn`, `ranker_v2`."""
    for n in reading.kinds("word", "term", free=True):
        if not set(reading[n].readings) <= _SUBJECTS:
            continue
        simple = plain(reading[n]) or reading[n].means("noun")
        if SHAPED.match(reading[n].text) and simple and reading.near(n, "namespace", before=2) is None:
            return reading[n].text
    return None


def _spared(reading: Reading, at: int) -> bool:
    """`leave `demo` alone`, `demo 别动`."""
    before = reading.get(at - 1)
    left = before is not None and before.text.lower() in ("leave", "spare", "except", "not", "keep", "保留", "除了")
    return left or any(reading[n].means("touch") and reading.negated(n) for n in reading.in_clause(at))


def _doomed(reading: Reading) -> str | None:
    """What is to be taken away, when it has a name of its own; `idle endpoints` is no name."""
    quoted = [
        n
        for n in reading.kinds("quoted")
        if reading.free(n) and not _spared(reading, n) and reading.near(n, "namespace", before=2) is None
    ]
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
