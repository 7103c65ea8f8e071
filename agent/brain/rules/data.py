"""Data sets of one part: where they lie, what they are for, their columns, cleaning, joins and split."""

from __future__ import annotations

import re
from typing import Final, Literal

from agent.brain.rules import columns
from agent.brain.rules.reading import Reading
from agent.contract import Data

Role = Literal["train", "holdout", "interactions", "items", "users", "unlabelled"]
Format = Literal["csv", "parquet", "jsonl", "text", "images", "folder", "bundled", "hub"]
_FORMATS: Final[dict[str, Format]] = {
    "csv": "csv", "tsv": "csv", "parquet": "parquet", "pq": "parquet", "jsonl": "jsonl", "ndjson": "jsonl",
    "txt": "text",
}  # fmt: skip
BUNDLED: Final = ("iris", "wine", "digits", "breast_cancer", "diabetes", "california_housing", "linnerud")
_VISUAL: Final = re.compile(r"image|img|photo|picture|xray|x-ray|scan|mri|mnist|cifar|图片|图像|照片", re.IGNORECASE)


def data_sets(reading: Reading, task: str) -> tuple[Data, ...]:
    """Every data set the part names, in the order of the text."""
    places = [n for n in reading.kinds("data") if not _is_output(reading, n)]
    uris = [_tidy(reading[n].text) for n in places]
    known = [(n, uri) for n, uri in _known_sets(reading, uris) if uri not in uris]
    found = sorted([*zip(places, uris, strict=True), *known])
    roles = [_role(reading, n, uri, task, first=k == 0, several=len(found) > 1) for k, (n, uri) in enumerate(found)]
    label = _label(reading, [uri for _, uri in found], task)
    time = _first(reading, "column", "date")
    if time is None and task == "forecasting":
        time = _worded(reading, ("时间", "日期", "time", "date", "timestamp"))
    series = _series(reading, task)
    sets: dict[str, Data] = {}
    labelled = False
    for (_, uri), role in zip(found, roles, strict=True):
        carries = not labelled and role in ("train", "holdout") and (role == "train" or "train" not in roles)
        if uri in sets:
            continue
        sets[uri] = Data(
            uri=uri, role=role, format=format_of(uri),
            label=label if carries else None, time=time if carries else None, id=series if carries else None,
        )  # fmt: skip
        labelled = labelled or carries
    return tuple(sets.values())


def labels(reading: Reading) -> list[str]:
    """Different names the part calls the label; more than one is a contradiction."""
    names: list[str] = []
    for place in columns.label_columns(reading):
        name = reading[place].text
        if name not in names:
            names.append(name)
    return names


def format_of(uri: str) -> Format | None:
    """The format the address tells; None if it does not."""
    if uri.startswith("sklearn:"):
        return "bundled"
    if uri.startswith("hf:"):
        return "hub"
    ending = re.search(r"\.([a-z]+)(?:\.gz)?$", uri.lower())
    if ending is None:
        if _VISUAL.search(uri):
            return "images"
        return "folder" if uri.startswith((".", "/", "~")) or uri.endswith("/") else None
    return _FORMATS.get(ending.group(1))


def _tidy(uri: str) -> str:
    return uri.replace("sklearn:load_", "sklearn:")


def _is_output(reading: Reading, at: int) -> bool:
    before = reading.get(at - 1)
    return (
        before is not None
        and before.text.lower() in ("to", "into", "out")
        and reading.near(at, "dataword", before=0, after=0) is not None
    )


def _known_sets(reading: Reading, uris: list[str]) -> list[tuple[int, str]]:
    """Data sets that are called by name: those that come with scikit-learn, and those of the hub."""
    found: list[tuple[int, str]] = []
    told = bool(reading.where("sklearn")) or any(u.startswith("sklearn:") for u in uris)
    for at in reading.where("bundled"):
        beside = reading.near(at, "dataword", before=1, after=3) is not None
        if told or (not uris and (beside or _from_it(reading, at))):
            found.append((at, "sklearn:" + reading[at].readings["bundled"]))
    for at in reading.where("hub"):
        if not uris or any(u.startswith("hf:") for u in uris):
            found.append((at, "hf:" + reading[at].readings["hub"]))
    return found


def _from_it(reading: Reading, at: int) -> bool:
    """`on iris`, `在 iris 上`."""
    before = reading.get(at - 1)
    return before is not None and before.text.lower() in ("on", "using", "with", "from", "在", "用")


def _label(reading: Reading, uris: list[str], task: str) -> str | None:
    said = labels(reading)
    if said:
        reading.claim(*columns.label_columns(reading))
        return said[0]
    place = columns.predicted(reading)
    if place is None:
        place = columns.regressed(reading)
    if place is None:
        place = _for_name(reading)
    if place is not None:
        reading.claim(place)
        return reading[place].text
    supervised = any(u.removeprefix("sklearn:") in BUNDLED for u in uris)
    return "target" if supervised and task not in ("clustering", "prepare") else None


def _for_name(reading: Reading) -> int | None:
    """`on bikes.csv for `count``, `for column tier`, `a model for load_mw`."""
    for at, entity in enumerate(reading.entities):
        if entity.text.lower() not in ("for", *_COLUMN):
            continue
        after = reading.get(at + 1)
        if after is None or not columns.is_name(after) or after.means("labelverb") or after.means("dataword"):
            continue
        if entity.text.lower() in _COLUMN and _introduces(reading, at):
            return at + 1
        before = reading.get(at - 1)
        from_data = before is not None and before.kind == "data"
        if entity.text == "for" and (after.quoted or "_" in after.text or (from_data and _lone(reading, at + 1))):
            return at + 1
    return None


_COLUMN: Final = ("column", "col", "field", "variable", "列", "字段")


def _introduces(reading: Reading, at: int) -> bool:
    """`for column tier`, `a.csv, column tier`, `(column tier)`: the one column that is spoken of."""
    before, end = reading.get(at - 1), reading.get(at + 2)
    if before is None or before.text.lower() in ("for", "on", "predict", "the"):
        return before is not None
    return before.text in (",", "(", ";") and (end is None or end.kind == "punct") and not reading[at + 1].means("act")


def _lone(reading: Reading, at: int) -> bool:
    after = reading.get(at + 1)
    name = reading[at]
    weak = name.kind == "word" or set(name.readings) <= {"numeric", "textual", "topic", "role", "task"}
    return weak and (after is None or after.kind == "punct")


def _first(reading: Reading, kind: str, value: str) -> str | None:
    places = columns.named_by(reading, kind, value)
    if not places:
        return None
    reading.claim(places[0])
    return reading[places[0]].text


def _worded(reading: Reading, cues: tuple[str, ...], closing: tuple[str, ...] = ()) -> str | None:
    """`时间 day`, `按 sku 分别预测`: a plain word behind the cue, and the closing word if there must be one."""
    for at, entity in enumerate(reading.entities):
        name, after = reading.get(at + 1), reading.get(at + 2)
        if entity.text.lower() not in cues or name is None or name.kind not in ("word", "quoted", "term"):
            continue
        ends = after is None or after.kind == "punct"
        closed = (after is not None and after.text in closing) if closing else ends
        if closed and columns.is_name(name) and reading.free(at + 1):
            reading.claim(at + 1)
            return name.text
    return None


def _series(reading: Reading, task: str) -> str | None:
    if task != "forecasting":
        return None
    named = _first(reading, "column", "id")
    return (
        named if named is not None else _worded(reading, ("按", "by"), closing=("分别", "各自", "separately", "逐个"))
    )


def _role(reading: Reading, at: int, uri: str, task: str, *, first: bool, several: bool) -> Role:
    if task in ("compare", "evaluate"):
        return "holdout"
    name = re.split(r"[/:]", uri.rstrip("/"))[-1].lower()
    if task == "recommendation":
        if re.match(r"item|product|catalog|movie|book|song|article|sku|商品|物品", name):
            return "items"
        if re.match(r"user|customer|member|用户", name):
            return "users"
        return "interactions"
    if _says_holdout(reading, at):
        return "holdout"
    if re.search(r"unlabel", name):
        return "unlabelled"
    if (not first or several) and re.match(r"(?:test|holdout|eval|valid|validation|val)(?:\b|[._-])", name):
        return "holdout"
    return "train"


def _says_holdout(reading: Reading, at: int) -> bool:
    for n in range(at - 1, max(-1, at - 5), -1):
        entity = reading[n]
        if entity.kind == "data" or (entity.kind == "punct" and entity.text not in ":("):
            return False
        if entity.means("role", "holdout"):
            return True
    after = [reading.get(n) for n in range(at + 1, at + 4)]
    texts = [e.text.lower() for e in after if e is not None]
    if texts and (texts[0].startswith(("测试", "验证", "评估", "做测试", "做验证", "留作测试"))):
        return True
    if texts[:1] == ["for"] and any(t in ("testing", "validation", "evaluation", "test") for t in texts[1:]):
        return True
    return (
        bool(texts)
        and texts[0] in ("as", "is", "作为", "做", "作", "为", "是")
        and any(e is not None and e.means("role", "holdout") for e in after)
    )
