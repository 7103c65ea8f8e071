"""What a part is about: the name of the model or endpoint, its versions, its models and its program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.entities import Entity
from agent.brain.rules.lexicon import lexicon
from agent.brain.rules.reading import Reading
from agent.contract import Train

_STRONG: Final = frozenset(
    ("det", "filler", "article", "env", "strategy", "and", "family", "neg", "cmp", "from", "numword", "backend",
     "comparand", "abort", "best")
)  # fmt: skip
_NAME: Final = re.compile(r"^[A-Za-z][\w.-]*$")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Target and subject of a part; `subject` is only good for a name."""

    target: str | None
    subject: str | None
    source_models: tuple[str, ...]


def subject(reading: Reading, task: str, *, models: bool) -> Subject:
    """Who the part is about. `models` says whether something is trained."""
    artefacts = [reading[n].text for n in reading.kinds("artefact")]
    files = [reading[n].text for n in reading.kinds("model_file")]
    if models:
        target = (
            _served_as(reading)
            or _called(reading)
            or _beside_noun(reading, trained=True)
            or _opening(reading)
            or _improved(reading)
        )
        return Subject(target=target, subject=target or _topic(reading), source_models=())
    name = _thing_name(reading, artefacts, task)
    version = _version(reading)
    versions = list(dict.fromkeys(reading[n].text for n in reading.kinds("version")))
    sources = list(dict.fromkeys([*artefacts, *files]))
    if not artefacts and version and name and task in ("deploy", "rollback", "evaluate", "scale", "watch"):
        sources = [f"{name}:{version}"]
    if task == "rollback" and artefacts and reading.kinds("version") and reading.kinds("version")[-1] > reading.kinds("artefact")[0]:
        sources = [f"{name}:{versions[-1]}"]
    if task == "rollback" and len(artefacts) > 1:
        sources = [artefacts[-1]]
    if task == "compare" and not artefacts and len(versions) > 1 and name:
        sources = [f"{name}:{v}" for v in versions]
    if task in ("diagnose", "scale", "watch", "cleanup", "estimate"):
        sources = []
    return Subject(target=name, subject=name, source_models=tuple(sources))


def families(reading: Reading) -> tuple[str, ...]:
    """Model families and checkpoints, in the order of the text."""
    found: list[str] = []
    for n, entity in enumerate(reading.entities):
        if reading.negated(n) or not reading.free(n):
            continue
        after = reading.get(n + 1)
        if entity.text.lower() == "lr" and after is not None and (after.number is not None or after.text == "="):
            continue  # a learning rate
        if entity.means("family"):
            found.append(entity.readings["family"])
        elif entity.kind == "checkpoint":
            found.append(_hub_name(entity.text))
    return tuple(dict.fromkeys(found))


def _hub_name(text: str) -> str:
    name = text.rpartition("/")[2].lower()
    return re.sub(r"^(resnet|vgg)(\d)", r"\1-\2", name)


def program(reading: Reading) -> Train | None:
    """The user's own program or image, when the goal names one."""
    for n in reading.kinds("command"):
        return Train(kind="command", value=reading[n].text)
    for n in reading.kinds("program"):
        before = reading.get(n - 1)
        runner = before is not None and before.text.lower() in ("python", "python3", "bash", "sh")
        value = f"{before.text} {reading[n].text}" if before is not None and runner else reading[n].text
        return Train(kind="command", value=_with_flags(reading, n, value))
    for n in reading.kinds("image"):
        return Train(kind="image", value=reading[n].text)
    return None


def _with_flags(reading: Reading, at: int, value: str) -> str:
    tail = re.match(r"(?:\s+--?[A-Za-z][\w-]*(?:[ =][\w./-]+)?)+", reading.text[reading[at].end :])
    if tail:
        end = reading[at].end + tail.end()
        reading.claim(*(n for n in range(at, len(reading)) if reading[n].start < end))
        value += tail.group().rstrip(".,")
    if value.endswith(".py") and not value.startswith("python"):
        value = f"python {value}"
    return value


def _called(reading: Reading) -> str | None:
    """`a model called churn`, `取名 churn`."""
    for cue in reading.where("named"):
        before = reading.get(cue - 1)
        after = reading.get(cue + 1)
        about_column = any(reading[n].means("label") or reading[n].means("column") for n in range(max(0, cue - 3), cue))
        if after is None or about_column or (before is None and cue):
            continue
        if after.kind in ("quoted", "word") and _NAME.match(after.text):
            return after.text
    return None


_AS: Final = ("as", "为", "成", "叫", "named", "called")


def _served_as(reading: Reading) -> str | None:
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
    if not _NAME.match(entity.text) or entity.text.lower() in lexicon().words["generic"] | {"soon", "well", "is", "a"}:
        return False
    said = ("det", "article", "strategy", "canary", "blue_green", "rolling", "shadow", "env", "noun", "cmp", "time")
    return not any(word in entity.readings for word in said)


def _plain(entity: Entity | None) -> bool:
    if entity is None or entity.text.lower() in lexicon().words["generic"]:
        return False
    if entity.kind == "quoted":
        return True
    if entity.kind in ("word", "checkpoint"):
        return bool(_NAME.match(entity.text))
    if entity.kind != "term" or not _NAME.match(entity.text):
        return False
    return not any(k in entity.readings for k in _STRONG) and not entity.means("noun")


def _beside_noun(reading: Reading, *, trained: bool) -> str | None:
    """A quoted name beside `model` or `classifier`; for existing things also a plain word."""
    for at in reading.where("noun"):
        for n in (at + 1, at - 1):
            entity = reading.get(n)
            shaped = n == at + 1 and trained and entity is not None and entity.kind == "word"
            if shaped and entity is not None and "-" in entity.text and _SHAPED.match(entity.text) and reading.free(n):
                return entity.text
            if entity is not None and entity.kind == "quoted" and reading.free(n) and _NAME.match(entity.text):
                return entity.text
    if trained:
        return _trained_name(reading)
    return None


def _trained_name(reading: Reading) -> str | None:
    """`Train xray-net with`, `retrain the insurance model`: a name, not a description."""
    for at in (*reading.where("act", "train"), *reading.where("act", "retrain")):
        after, second = reading.get(at + 1), reading.get(at + 2)
        if after is None:
            continue
        quoted = after.kind == "quoted" and reading.free(at + 1) and _NAME.match(after.text)
        hyphened = after.kind == "word" and "-" in after.text and second is not None and second.means("from")
        if quoted or hyphened:
            return after.text
        again = _retrained(reading, at) if reading[at].means("act", "retrain") else None
        if again is not None:
            return again
        existing = reading[at].means("act", "retrain") or after.text.lower() in ("our", "my")
        third = reading.get(at + 3)
        if (
            existing
            and after.means("det")
            and _plain(second)
            and second is not None
            and third is not None
            and third.means("noun")
        ):
            return second.text
        if existing and _plain(after) and after.kind in ("word", "quoted"):
            return after.text
    return None


def _retrained(reading: Reading, verb: int) -> str | None:
    """`重训一次 demand 模型`, `retrain once more the demand model`."""
    for n in range(verb + 1, min(verb + 6, len(reading) - 1)):
        entity = reading[n]
        if entity.kind in ("punct", "data"):
            return None
        named = entity.kind in ("word", "quoted") or (entity.kind == "term" and _weakly_known(entity))
        if named and _plain(entity) and reading[n + 1].means("noun"):
            return entity.text
    return None


def _improved(reading: Reading) -> str | None:
    """`Improve `upsell``, `make `eta` better`: the quoted object of the first verb."""
    for n in reading.kinds("quoted"):
        entity = reading[n]
        before = [reading[k] for k in reading.in_sentence(n) if k < n]
        opens = bool(before) and len(before) <= 3 and any(e.means("vague") or e.means("act") for e in before)
        column = any(e.means("label") or e.means("column") or e.means("act", "predict") for e in before)
        if opens and not column and reading.free(n) and _NAME.match(entity.text):
            return entity.text
    return None


def _opening(reading: Reading) -> str | None:
    """`(a) churn on churn.csv`: a part that opens with a name."""
    first, second = reading.get(0), reading.get(1)
    if first is None or second is None or first.kind not in ("word", "quoted") or not _plain(first):
        return None
    named = second.text in ("on", ":", "from", "-", ",") and len(reading.kinds("data")) > 0
    return first.text if named and first.text.islower() else None


_KINDS_OF: Final = ("model", "filter", "classifier", "analysis", "detection", "detector", "forecasting", "prediction")
_NO_TOPICS: Final = (
    "text", "image", "document", "binary", "tabular", "classification", "regression", "language", "recommendation",
    "recommender", "forecasting", "clustering", "chat", "generative", "ner", "predict", "causal", "series", "gradient",
)  # fmt: skip


def _topic(reading: Reading) -> str | None:
    """`a churn classifier`, `流失预测模型`: what the model is about."""
    for at in (*reading.where("noun", "model"), *reading.where("task")):
        words = reading[at].text.lower().split()
        if len(words) == 2 and words[1] in _KINDS_OF and words[0] not in _NO_TOPICS:
            return words[0]
        for n in (at - 1, at - 2):
            entity = reading.get(n)
            if entity is None or reading.clause(n) != reading.clause(at):
                break
            if entity.kind == "word" and _plain(entity) and len(entity.text) > 2:
                return entity.text
            if entity.kind == "han" and len(entity.text) >= 2:
                return entity.text.removeprefix("的")
            if n == at - 1 and not (entity.means("task") or entity.means("act", "predict")):
                break
    return None


def _thing_name(reading: Reading, artefacts: list[str], task: str) -> str | None:
    served = _served_as(reading) if task == "deploy" else None
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
    for find in (_quoted_name, _called, _noun_name, _object_name, _version_name, _noun_itself, _shaped_name):
        name = find(reading)
        if name is not None:
            return name
    return None


_SUBJECTS: Final = frozenset(("task", "topic", "textual", "visual", "numeric", "noun", "ml", "label", "custom"))
_SHAPED: Final = re.compile(r"^[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)+$|^[a-z]+\d+$")


def _shaped_name(reading: Reading) -> str | None:
    """A word written as only names are: `nightly-churn`, `ranker_v2`."""
    for n in reading.kinds("word", "term", free=True):
        if not set(reading[n].readings) <= _SUBJECTS:
            continue
        plain = _plain(reading[n]) or reading[n].means("noun")
        if _SHAPED.match(reading[n].text) and plain and reading.near(n, "namespace", before=2) is None:
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
            beside = entity is not None and entity.kind == "word" and _plain(entity) and reading.free(n)
            one = not reading[at].text.lower().endswith("s") and (n == at - 1 or reading[at].text.isascii())
            if entity is not None and beside and one and reading.near(n, "namespace", before=2, after=1) is None:
                return entity.text
    return _shaped_name(reading)


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
        if before is not None and reading[at].start - before.end <= 2 and (_plain(before) or named):
            return before.text
        if after is not None and after.kind in ("word", "quoted") and _plain(after) and not after.means("unit"):
            return after.text
        if before is not None and before.means("noun") and _plain(reading.get(at - 2)):
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
            if after.kind in ("word", "quoted", "checkpoint") and _plain(after) and reading.free(n):
                return after.text
            if after.kind == "term" and set(after.readings) <= _SUBJECTS and _SHAPED.match(after.text) and reading.free(n):
                return after.text
            passes = any(
                k in after.readings for k in ("det", "article", "comparand", "env", "filler", "act", "strategy")
            )
            if not passes and after.kind != "han":
                break
    for at, entity in enumerate(reading.entities):
        lower = not entity.text[0].isupper() and not reading.text.isascii()
        if entity.kind in ("word", "term") and _plain(entity) and _weakly_known(entity) and lower and reading.free(at):
            return entity.text
    return None


_WEAK: Final = frozenset(("numeric", "textual", "visual", "ml", "topic", "vague", "dataword", "role", "retrain_on"))


def _weakly_known(entity: Entity) -> bool:
    """A word the lexicon knows only as a subject (`eta`, `price`) may be a name all the same."""
    return set(entity.readings) <= _WEAK


def _noun_itself(reading: Reading) -> str | None:
    """`the ranker`, `recommender`: a kind of model that stands for the one there is."""
    for at in reading.where("noun", "model"):
        text = reading[at].text
        if text.isascii() and text.lower() not in lexicon().words["models"]:
            return text
    return None


def _version_name(reading: Reading) -> str | None:
    for at in reading.kinds("version"):
        before = reading.get(at - 1)
        if _plain(before) and before is not None:
            return before.text
    return None


def _version(reading: Reading) -> str | None:
    for at in reading.kinds("version"):
        return reading[at].text
    spelled = [n for n in range(len(reading)) if reading[n].text.lower().endswith(("version", "版本"))]
    for at in (*reading.where("version", "word"), *spelled):
        for n in (at + 1, at - 1):
            entity = reading.get(n)
            if entity is not None and entity.kind == "number" and entity.exact and reading.free(n):
                reading.claim(n)
                return f"v{entity.text}"
    return None
