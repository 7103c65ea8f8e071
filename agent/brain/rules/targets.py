"""What a part is about: the name of the model or endpoint, its versions, its models and its program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.names import NAME, SHAPED, called, plain, served_as, thing_name, weakly_known
from agent.brain.rules.reading import Reading
from agent.contract import Train


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
            served_as(reading)
            or called(reading)
            or _beside_noun(reading, trained=True)
            or _opening(reading)
            or _improved(reading)
        )
        return Subject(target=target, subject=target or _topic(reading), source_models=())
    name = thing_name(reading, artefacts, task)
    version = _version(reading)
    versions = list(dict.fromkeys(reading[n].text for n in reading.kinds("version")))
    sources = list(dict.fromkeys([*artefacts, *files]))
    if not artefacts and version and name and task in ("deploy", "rollback", "evaluate", "scale", "watch"):
        sources = [f"{name}:{version}"]
    if task == "rollback":
        sources = _destination(reading, name, sources)
    if task == "compare" and not artefacts and len(versions) > 1 and name:
        sources = [f"{name}:{v}" for v in versions]
    if task in ("diagnose", "scale", "watch", "cleanup", "estimate"):
        sources = []
    return Subject(target=name, subject=name, source_models=tuple(sources))


def _destination(reading: Reading, name: str | None, sources: list[str]) -> list[str]:
    """`search:v7 … back to v6`: of several versions the last is where to go."""
    spoken = sorted((*reading.kinds("version"), *reading.kinds("artefact")))
    if len(spoken) < 2 or name is None:
        return sources
    last = reading[spoken[-1]]
    return [last.text if last.kind == "artefact" else f"{name}:{last.text}"]


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


def excluded(reading: Reading) -> tuple[str, ...]:
    """Families that the goal rules out: `do not use random forest`."""
    found = [e.readings["family"] for n, e in enumerate(reading.entities) if e.means("family") and reading.negated(n)]
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


def _beside_noun(reading: Reading, *, trained: bool) -> str | None:
    """A quoted name beside `model` or `classifier`; for existing things also a plain word."""
    for at in reading.where("noun"):
        for n in (at + 1, at - 1):
            entity = reading.get(n)
            shaped = n == at + 1 and trained and entity is not None and entity.kind == "word"
            if shaped and entity is not None and "-" in entity.text and SHAPED.match(entity.text) and reading.free(n):
                return entity.text
            if entity is not None and entity.kind == "quoted" and reading.free(n) and NAME.match(entity.text):
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
        quoted = after.kind == "quoted" and reading.free(at + 1) and NAME.match(after.text)
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
            and plain(second)
            and second is not None
            and third is not None
            and third.means("noun")
        ):
            return second.text
        if existing and plain(after) and after.kind in ("word", "quoted"):
            return after.text
    return None


def _retrained(reading: Reading, verb: int) -> str | None:
    """`重训一次 demand 模型`, `retrain once more the demand model`."""
    for n in range(verb + 1, min(verb + 6, len(reading) - 1)):
        entity = reading[n]
        if entity.kind in ("punct", "data"):
            return None
        named = entity.kind in ("word", "quoted") or (
            entity.kind == "term" and (weakly_known(entity) or entity.means("custom"))
        )
        if named and plain(entity) and reading[n + 1].means("noun"):
            return entity.text
    return None


def _improved(reading: Reading) -> str | None:
    """`Improve `upsell``, `make `eta` better`: the quoted object of the first verb."""
    for n in reading.kinds("quoted"):
        entity = reading[n]
        before = [reading[k] for k in reading.in_sentence(n) if k < n]
        opens = bool(before) and len(before) <= 3 and any(e.means("vague") or e.means("act") for e in before)
        column = any(e.means("label") or e.means("column") or e.means("act", "predict") for e in before)
        if opens and not column and reading.free(n) and NAME.match(entity.text):
            return entity.text
    return None


def _opening(reading: Reading) -> str | None:
    """`(a) churn on churn.csv`: a part that opens with a name."""
    first, second = reading.get(0), reading.get(1)
    if first is None or second is None or first.kind not in ("word", "quoted") or not plain(first):
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
            if entity.kind == "word" and plain(entity) and len(entity.text) > 2:
                return entity.text
            if entity.kind == "han" and len(entity.text) >= 2:
                return entity.text.removeprefix("的")
            if n == at - 1 and not (entity.means("task") or entity.means("act", "predict")):
                break
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
