"""What a part is about: the name of the model or endpoint, its versions, its models and its program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.names import NAME, SHAPED, called, plain, served_as, thing_name, weakly_known
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.spared import without_spared
from agent.contract import Train


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Target and subject of a part; `subject` is only good for a name."""

    target: str | None
    subject: str | None
    source_models: tuple[str, ...]


def subject(reading: Reading, task: str, *, models: bool) -> Subject:
    """Who the part is about. `models` says whether something is trained."""
    artefacts = [
        reading[n].text for n in reading.kinds("artefact") if task != "evaluate" or not _is_yardstick(reading, n)
    ]
    files = [reading[n].text for n in reading.kinds("model_file")]
    if models:
        target = (
            served_as(reading)
            or called(reading)
            or _beside_noun(reading, trained=True)
            or _opening(reading)
            or _improved(reading)
            or _measured_against(reading)
        )
        return Subject(target=target, subject=target or _topic(reading), source_models=())
    reading = without_spared(reading)
    name = thing_name(reading, artefacts, task)
    version = _version(reading)
    versions = list(dict.fromkeys(reading[n].text for n in reading.kinds("version")))
    replaces = task == "deploy" and any(_replaces(e.text.lower()) for e in reading.entities)
    if replaces and versions:
        version = versions[-1]
    sources = list(dict.fromkeys([*artefacts, *files]))
    if not artefacts and version and name and task in ("deploy", "rollback", "evaluate", "scale", "watch"):
        sources = [f"{name}:{version}"]
    if task == "rollback":
        sources = _destination(reading, name, sources)
    if replaces:
        sources = sources[-1:]  # `replace prices:v1 by prices:v2`
    if task == "compare" and not artefacts and len(versions) > 1 and name:
        sources = [f"{name}:{v}" for v in versions]
    if task == "compare" and not sources:
        sources = _sides(reading)
    if task in ("diagnose", "scale", "watch", "cleanup", "estimate"):
        sources = []
    return Subject(target=name, subject=name, source_models=tuple(sources))


def _measured_against(reading: Reading) -> str | None:
    """`not worse than what serves at s-cls`: the endpoint whose model is to be beaten."""
    for at in reading.where("comparand"):
        name = reading.get(at + 1)
        placed = reading[at].text.lower().endswith((" at", " behind", " by"))
        if placed and name is not None and name.kind in ("word", "quoted") and plain(name):
            return name.text
    return None


def _sides(reading: Reading) -> list[str]:
    """`compare s-cls and s-rf`, `model a-1 or model a-2`: two names written as only names are, or quoted."""
    shaped = [
        reading[n].text
        for n in reading.kinds("word", "quoted")
        if reading.near(n, "label", before=2, after=0) is None
        and (reading[n].kind == "quoted" or SHAPED.match(reading[n].text))
    ]
    found = list(dict.fromkeys(shaped))
    return found if len(found) > 1 else []


def _is_yardstick(reading: Reading, at: int) -> bool:
    """`not worse than sent:v8`, `不能比 sent:v8 差`: only what another is held against."""
    before = reading.get(at - 1)
    return before is not None and (before.text in ("比", "than", "较") or before.means("cmp", "better", "worse"))


def _replaces(text: str) -> bool:
    return text.startswith(("replac", "swap", "替换", "换成", "换上"))


def _destination(reading: Reading, name: str | None, sources: list[str]) -> list[str]:
    """`search:v7 … back to v6`: of several versions the last is where to go."""
    spoken = sorted((*reading.kinds("version"), *reading.kinds("artefact")))
    if len(spoken) < 2 or name is None:
        return sources
    aimed = [n for n in spoken if n and reading[n - 1].text.lower().endswith(("to", "到", "至", "成", "回"))]
    last = reading[(aimed or spoken)[-1]]
    return [last.text if last.kind == "artefact" else f"{name}:{last.text}"]


def families(reading: Reading) -> tuple[str, ...]:
    """Model families and checkpoints, in the order of the text."""
    found: list[str] = []
    for n, entity in enumerate(reading.entities):
        if _ruled_out(reading, n) or not reading.free(n):
            continue
        after = reading.get(n + 1)
        if entity.text.lower() == "lr" and after is not None and (after.number is not None or after.text == "="):
            continue  # a learning rate
        if entity.means("family"):
            found.append(entity.readings["family"])
        elif entity.kind == "checkpoint":
            found.append(_hub_name(_with_size(reading, entity)))
    return tuple(dict.fromkeys(found))


def excluded(reading: Reading) -> tuple[str, ...]:
    """Families that the goal rules out: `do not use random forest`."""
    found = [e.readings["family"] for n, e in enumerate(reading.entities) if e.means("family") and reading.negated(n)]
    return tuple(dict.fromkeys(found))


_BUT: Final = frozenset(("but", "except", "besides", "excluding", "除了", "除", "than"))


def _ruled_out(reading: Reading, at: int) -> bool:
    """`do not use a random forest`, `any model but SVM`, `除了 SVM 都行`."""
    before, second = reading.get(at - 1), reading.get(at - 2)
    if before is not None and before.means("article"):
        before, second = second, reading.get(at - 3)
    but = before is not None and before.text.lower() in _BUT
    told = second is not None and (second.text.lower() in ("other", "anything", "any", "all") or second.means("noun"))
    if but and before is not None and (before.text.lower() not in ("but", "than") or told):
        return True
    return reading.negated(at) is not None


_SIZED: Final = Pattern(
    r"(?:(?:llama|mistral|mixtral|qwen|gemma|phi|falcon|bloom|pythia|deepseek|bert|roberta)[\d.]*)"
    r"(?:[ -]\d+(?:\.\d+)?(?![\w%]))?(?:[ -]\d+(?:\.\d+)?[bm](?!\w))?"
    r"(?:[ -](?:base|large|small|tiny|instruct|chat)\b)*",
    re.IGNORECASE,
)


def _with_size(reading: Reading, entity: Entity) -> str:
    """`Llama 3 8B`, `Mistral 7B`: the checkpoint with what is said of its size, as its hub spells it."""
    whole = _SIZED.match(reading.text, entity.start)
    longer = whole is not None and whole.end() > entity.end and "/" not in entity.text
    return whole.group().replace(" ", "-") if longer and whole is not None else entity.text


def _hub_name(text: str) -> str:
    name = text.rpartition("/")[2].lower()
    return re.sub(r"^(resnet|vgg)(\d)", r"\1-\2", name)


def program(reading: Reading) -> Train | None:
    """The user's own program or image, when the goal names one."""
    commands = reading.kinds("command", "program")
    predicts = _predictor(reading, commands)
    for n in commands:
        if n == predicts:
            continue
        if reading[n].kind == "command" or (reading[n].quoted and predicts is not None):
            predict = None if predicts is None else reading[predicts].text
            return Train(kind="command", value=reading[n].text, predict=predict)
        before = reading.get(n - 1)
        runner = before is not None and before.text.lower() in ("python", "python3", "bash", "sh")
        value = f"{before.text} {reading[n].text}" if before is not None and runner else reading[n].text
        predict = None if predicts is None else _whole(reading, predicts)
        return Train(kind="command", value=_with_flags(reading, n, value), predict=predict)
    for n in reading.kinds("image"):
        return Train(kind="image", value=reading[n].text)
    return None


_PREDICTS: Final = Pattern(r"predict|infer|scor|forecast|预测|推理|推断|打分", re.IGNORECASE)


def _predictor(reading: Reading, commands: list[int]) -> int | None:
    """Which of two programs makes the predictions: the one beside such a word, or that is called so."""
    for n in commands[1:] if len(commands) > 1 else ():
        near = [e for e in reading.entities[max(0, n - 5) : n + 4] if e.kind not in ("command", "program", "data")]
        if _PREDICTS.search(reading[n].text) or any(
            e.means("act", "predict") or _PREDICTS.search(e.text) for e in near
        ):
            return n
    return None


def _whole(reading: Reading, at: int) -> str:
    before = reading.get(at - 1)
    runner = before is not None and before.text.lower() in ("python", "python3", "bash", "sh")
    value = f"{before.text} {reading[at].text}" if before is not None and runner else reading[at].text
    return _with_flags(reading, at, value)


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
    for at in sorted({*reading.where("noun"), *(reading.where("task") if trained else ())}):
        for n in (at + 1, at - 1):
            entity = reading.get(n)
            if n == at + 1 and trained and (_named_on(reading, n) or _named_apart(reading, n)):
                return reading[n].text
            shaped = n == at + 1 and trained and entity is not None and entity.kind == "word"
            if shaped and entity is not None and "-" in entity.text and SHAPED.match(entity.text) and reading.free(n):
                return entity.text
            if entity is not None and entity.kind == "quoted" and reading.free(n) and NAME.match(entity.text):
                return entity.text
    if trained:
        return _trained_name(reading)
    return None


def _named_on(reading: Reading, at: int) -> bool:
    """`a classifier leaving on churn.csv`: a plain word between the kind of model and its data."""
    entity, link, source = reading.get(at), reading.get(at + 1), reading.get(at + 2)
    if (
        entity is None
        or link is None
        or source is None
        or link.text not in ("on", "from", ":")
        or source.kind != "data"
    ):
        return False
    weak = entity.kind == "word" or (entity.kind == "term" and weakly_known(entity))
    return weak and plain(entity) and entity.text.islower() and NAME.match(entity.text) is not None


def _named_apart(reading: Reading, at: int) -> bool:
    """`训练回归模型 salt，数据 …`, `a regressor salt: data …`: a plain word between the kind of model and a mark."""
    entity, mark = reading.get(at), reading.get(at + 1)
    if (
        entity is None
        or entity.kind != "word"
        or not entity.text.islower()
        or not plain(entity)
        or not reading.free(at)
    ):
        return False
    kind = reading[at - 1].means("noun", "model") or reading[at - 1].means("task")
    if mark is None or mark.text not in (",", ":", "(") or reading[at - 1].quoted or not kind:
        return False
    return not reading[at - 1].text.isascii() or _is_matter(reading.get(at + 2))


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
        closed = second is None or second.kind == "punct"
        common = closed and (weakly_known(after) or set(after.readings) == {"custom"})
        if existing and plain(after) and (after.kind in ("word", "quoted") or common):
            reading.claim(at + 1)
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
    named = second.text in ("on", ":", "from", "-", "(") or (second.text == "," and _is_matter(reading.get(2)))
    return first.text if named and reading.kinds("data") and first.text.islower() else None


def _is_matter(entity: Entity | None) -> bool:
    """Behind `churn,` comes what it is about; behind `hey,` comes talk."""
    return entity is not None and (
        entity.kind in ("data", "quoted") or any(k in entity.readings for k in ("task", "label", "noun", "family"))
    )


_KINDS_OF: Final = ("model", "filter", "classifier", "analysis", "detection", "detector", "forecasting", "prediction")
_NO_TOPICS: Final = (
    "text", "image", "document", "binary", "tabular", "classification", "regression", "language", "recommendation",
    "recommender", "forecasting", "clustering", "chat", "generative", "ner", "predict", "causal", "series", "gradient",
)  # fmt: skip


_NO_HAN_TOPICS: Final = (
    "线性",
    "简单",
    "机器学习",
    "深度学习",
    "深度",
    "基础",
    "可靠",
    "靠谱",
    "新的",
    "好的",
    "一下",
    "什么",
    "这个",
    "那个",
    "任何",
)


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
            if entity.kind == "han" and len(entity.text) >= 2 and entity.text not in _NO_HAN_TOPICS:
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
