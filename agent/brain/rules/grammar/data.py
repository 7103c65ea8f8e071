"""Data sets of one part: where they lie, what they are for, their columns, cleaning, joins and split."""

from __future__ import annotations

import re
from typing import Final, Literal

from agent.brain.rules.grammar import columns
from agent.brain.rules.grammar.asked import asked
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Data

Role = Literal["train", "holdout", "interactions", "items", "users", "unlabelled"]
Format = Literal["csv", "parquet", "jsonl", "text", "images", "folder", "bundled", "hub"]
_ROLES: Final[dict[str, Role]] = {
    "items": "items", "users": "users", "interactions": "interactions", "holdout": "holdout",
    "unlabelled": "unlabelled",
}  # fmt: skip
_FORMATS: Final[dict[str, Format]] = {
    "csv": "csv", "tsv": "csv", "parquet": "parquet", "pq": "parquet", "jsonl": "jsonl", "ndjson": "jsonl",
    "txt": "text",
}  # fmt: skip
_VISUAL: Final = Pattern(r"image|img|photo|picture|xray|x-ray|scan|mri|mnist|cifar|图片|图像|照片", re.IGNORECASE)


def data_sets(reading: Reading, task: str) -> tuple[Data, ...]:
    """Every data set the part names, in the order of the text."""
    places = [n for n in reading.kinds("data") if not _is_output(reading, n)]
    uris = [_tidy(reading[n].text) for n in places]
    known = [(n, uri) for n, uri in _known_sets(reading, uris) if uri not in uris]
    found = sorted([*zip(places, uris, strict=True), *known])
    if not found:
        return ()
    roles = [_role(reading, n, uri, task, first=k == 0, several=len(found) > 1) for k, (n, uri) in enumerate(found)]
    label = _label(reading)
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
        if told or (not uris and (beside or _from_it(reading, at) or _on_its_own(reading, at))):
            found.append((at, "sklearn:" + reading[at].readings["bundled"]))
    for at in reading.where("hub"):
        if not uris or any(u.startswith("hf:") for u in uris):
            found.append((at, "hf:" + reading[at].readings["hub"]))
    return found


def _on_its_own(reading: Reading, at: int) -> bool:
    """`iris, accuracy 95 %`: a name that means nothing else, as a clause of its own."""
    alone = all(n == at or reading[n].kind == "punct" for n in reading.in_clause(at))
    return alone and reading[at].readings["bundled"] in ("iris", "digits", "breast_cancer", "california_housing")


def _from_it(reading: Reading, at: int) -> bool:
    """`on iris`, `在 iris 上`."""
    before = reading.get(at - 1)
    return before is not None and before.text.lower() in ("on", "using", "with", "from", "在", "用")


def _label(reading: Reading) -> str | None:
    """As spelled in the goal; a set of scikit-learn's has `target`, which need not be said."""
    said = labels(reading)
    if said:
        reading.claim(*columns.label_columns(reading))
        return said[0]
    place = asked(reading)
    if place is not None:
        reading.claim(place)
        return reading[place].text
    return None


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
    if named is None:
        named = _worded(reading, ("按", "by"), closing=_SEPARATELY)
    if named is None:
        ends = [n for n, e in enumerate(reading.entities) if e.text in _SEPARATELY and n]
        named = next(
            (reading[n - 1].text for n in ends if reading[n - 1].kind in ("word", "quoted") and reading.free(n - 1)),
            None,
        )
    if named is None:
        return _column_of(reading)
    spelled = (e.text for e in reading.entities if e.kind == "word" and e.text.startswith(f"{named}_"))
    return next(spelled, named)  # `per station … station_id`


_SEPARATELY: Final = ("分别", "各自", "separately", "逐个", "单独", "独立", "区分", "分开")


def _column_of(reading: Reading) -> str | None:
    """`门店列 store`, `the store column is store_id`: a column of something that is neither time nor label."""
    merged = [n for n, e in enumerate(reading.entities) if e.text in ("列是", "列为", "字段是", "字段为")]
    for at in sorted((*reading.where("column", "column"), *merged)):
        before, name = reading.get(at - 1), reading.get(at + 1)
        if name is not None and name.text.lower() in ("是", "为", "叫", "is", ":"):
            name = reading.get(at + 2)
        known = before is None or before.kind in ("punct", "data") or any(k in before.readings for k in _NO_SERIES)
        if known or name is None or not columns.is_name(name) or name.kind not in ("word", "quoted"):
            continue
        if not (reading.clause_has(at, "dropcol") or reading.clause_has(at, "label")):
            return name.text
    return None


_NO_SERIES: Final = (
    "dropcol",
    "label",
    "article",
    "neg",
    "det",
    "filler",
    "act",
    "column",
    "and",
    "from",
    "labelverb",
    "clean",
)


def _role(reading: Reading, at: int, uri: str, task: str, *, first: bool, several: bool) -> Role:
    if task in ("compare", "evaluate"):
        return "holdout"
    name = re.split(r"[/:]", uri.rstrip("/"))[-1].lower()
    if task == "recommendation":
        told = _role_before(reading, at) or _role_behind(reading, at)
        if told is not None:
            return told
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


_TO_DATA: Final = frozenset(
    (
        ":",
        "=",
        "(",
        "is",
        "are",
        "in",
        "are in",
        "is in",
        "table",
        "file",
        "data",
        "from",
        "是",
        "为",
        "在",
        "表",
        "文件",
        "数据",
        "取自",
    )
)
_TO_ROLE: Final = frozenset(
    ("(", ",", "is", "are", "as", "the", "our", "for", "holds", "has", "with", "contains", "which", "是", "为", "作为",
     "作", "存",     "是我们的", "里是", "里面是", "放")
)  # fmt: skip


def _role_before(reading: Reading, at: int) -> Role | None:
    """`interactions: plays.csv`, `the items are in shows.csv`, `物品表 shows.csv`."""
    n = at - 1
    while n > at - 4 and (entity := reading.get(n)) is not None and entity.text.lower() in _TO_DATA:
        n -= 1
    said, before = reading.get(n), reading.get(n - 1)
    if said is None or not said.means("role"):
        return None
    if before is not None and before.text.lower() in ("for", "to", "of", "向", "给", "为", "by"):
        return None  # `products for users: purchases.csv`
    direct = n == at - 1 or reading[at - 1].text in (":", "=", "(") or not said.text.isascii()
    opens = before is None or before.kind in ("punct", "data") or before.means("det") or before.means("and")
    return _ROLES[said.readings["role"]] if direct or opens else None


def _role_behind(reading: Reading, at: int) -> Role | None:
    """`plays.csv are the interactions`, `shows.csv (the items)`, `plays.csv 是交互数据`."""
    n = at + 1
    while n < at + 5 and (entity := reading.get(n)) is not None and entity.text.lower() in _TO_ROLE:
        n += 1
    said, after = reading.get(n), reading.get(n + 1)
    if said is None or not said.means("role") or n == at + 1:
        return None
    if reading[at + 1].text == "," and reading[at + 2].text.lower() != "which":
        return None  # `plays.csv, the items in shows.csv`
    named = after is not None and (after.kind == "data" or after.text in (":", "="))
    return None if named else _ROLES[said.readings["role"]]


def _says_holdout(reading: Reading, at: int) -> bool:
    for n in range(at - 1, max(-1, at - 5), -1):
        entity = reading[n]
        if entity.kind == "data" or (entity.kind == "punct" and entity.text not in ":("):
            break
        if entity.means("role", "holdout"):
            return True
    after = [reading.get(n) for n in range(at + 1, at + 4)]
    texts = [e.text.lower() for e in after if e is not None]
    if texts and (texts[0].startswith(("测试", "验证", "评估", "做测试", "做验证", "留作测试", "用来测试", "当测试"))):
        return True
    purpose = ("testing", "validation", "evaluation", "test", "validate", "evaluate", "scoring")
    if texts and texts[0].startswith(("for ", "as ")) and texts[0].split()[-1] in purpose:
        return True
    if texts[:1] in (["for"], ["to"]) and any(t in purpose for t in texts[1:]):
        return True
    links = ("as", "is", "作为", "做", "作", "为", "是", "当", "当作", "用来", "用于", "拿来", "留作")
    return bool(texts) and texts[0] in links and any(e is not None and _tests(e) for e in after)


def _tests(entity: Entity) -> bool:
    return entity.means("role", "holdout") or entity.text.startswith(("测试", "验证", "评估"))
