"""Data sets of one part: where they lie, what they are for, their columns, cleaning, joins and split."""

from __future__ import annotations

import re
from typing import Final, Literal

from agent.brain.rules import columns
from agent.brain.rules.reading import Reading
from agent.contract import Data, Join, Prepare, Split

Role = Literal["train", "holdout", "interactions", "items", "users", "unlabelled"]
Format = Literal["csv", "parquet", "jsonl", "text", "images", "folder", "bundled", "hub"]
_FORMATS: Final[dict[str, Format]] = {
    "csv": "csv", "tsv": "csv", "parquet": "parquet", "pq": "parquet", "jsonl": "jsonl", "ndjson": "jsonl",
    "txt": "text",
}  # fmt: skip
BUNDLED_REGRESSION: Final = ("diabetes", "california_housing", "linnerud")
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
        if entity.text.lower() not in ("for", "column", "列"):
            continue
        after = reading.get(at + 1)
        if after is None or not columns.is_name(after) or after.means("labelverb") or after.means("dataword"):
            continue
        if entity.text.lower() == "column" and (reading[at - 1].text.lower() in ("for", "on", "predict", "the")):
            return at + 1
        before = reading.get(at - 1)
        from_data = before is not None and before.kind == "data"
        if entity.text == "for" and (after.quoted or "_" in after.text or (from_data and _lone(reading, at + 1))):
            return at + 1
    return None


def _lone(reading: Reading, at: int) -> bool:
    after = reading.get(at + 1)
    return reading[at].kind == "word" and (after is None or after.kind == "punct")


def _first(reading: Reading, kind: str, value: str) -> str | None:
    places = columns.named_by(reading, kind, value)
    if not places:
        return None
    reading.claim(places[0])
    return reading[places[0]].text


def _series(reading: Reading, task: str) -> str | None:
    if task != "forecasting":
        return None
    return _first(reading, "column", "id")


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
    if (not first or several) and re.match(r"(?:test|holdout|eval)\b|(?:test|holdout|eval)[._-]", name):
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
    return (
        bool(texts)
        and texts[0] in ("as", "is", "作为", "做", "作", "为", "是")
        and any(e is not None and e.means("role", "holdout") for e in after)
    )


def preparation(reading: Reading, task: str) -> Prepare | None:
    """Cleaning, joins and columns to drop; None if the part asks for none of them."""
    clean: list[str] = []
    places = [n for n in reading.where("clean") if not reading.negated(n)]
    marked = [n for n in reading.where("cleanlist") if _in_cleaning(reading, n, task)]
    for at in sorted({*places, *marked}):
        name = reading[at].readings.get("clean") or reading[at].readings["cleanlist"]
        reading.claim(at)
        if name not in clean:
            clean.append(name)
    drop = columns.dropped(reading)
    joins = _joins(reading)
    if not (clean or drop or joins):
        return None
    reading.claim(*drop)
    return Prepare.model_validate({"clean": clean, "drop_columns": [reading[n].text for n in drop], "join": joins})


def _in_cleaning(reading: Reading, at: int, task: str) -> bool:
    """`scale` is cleaning when it stands among cleaning or before columns, never beside replicas."""
    if task in ("scale", "deploy", "watch", "rollback") or reading.sentence_has(at, "replicas"):
        return False
    others = [n for n in reading.in_sentence(at) if n != at and reading[n].means("clean")]
    after = reading.get(at + 1)
    return bool(others) or (after is not None and (after.means("column") or after.kind == "data"))


def _joins(reading: Reading) -> list[Join]:
    for at in reading.where("join"):
        lefts = [n for n in reading.kinds("data") if n < at]
        rights = [n for n in reading.kinds("data") if n > at]
        if not lefts and len(rights) >= 2:
            left, right = rights[0], rights[1]
        elif len(lefts) >= 2 and (not rights or reading.sentence(rights[0]) != reading.sentence(at)):
            left, right = lefts[-2], lefts[-1]
        elif lefts and rights:
            left, right = lefts[-1], rights[0]
        else:
            continue
        on = _join_keys(reading, at, right)
        if on:
            how = "left" if any(n in range(at - 3, at + 3) for n in reading.where("joinhow", "left")) else "inner"
            return [Join.model_validate(
                {"left": reading[left].text, "right": reading[right].text, "on": on, "how": how}
            )]  # fmt: skip
    return []


def _join_keys(reading: Reading, at: int, right: int) -> list[str]:
    for cue in reading.where("key"):
        if reading.sentence(cue) != reading.sentence(at) or not min(at, right) - 5 <= cue <= max(at, right) + 6:
            continue
        start = cue + 1
        while (entity := reading.get(start)) is not None and (
            entity.means("column") or entity.text.lower() in ("the", "key", "both", "their")
        ):
            start += 1
        names = [n for n in columns.listed(reading, start) if reading[n].kind in ("word", "quoted")]
        if names:
            reading.claim(*names)
            return [reading[n].text for n in names]
    return []


def splitting(reading: Reading) -> Split | None:
    """How the holdout is parted from the rest; None if the goal does not say."""
    share = _share(reading)
    kinds = [n for n in reading.where("split") if reading[n].readings["split"] != "by"]
    date = _date(reading)
    if not kinds and share is None and date is None:
        return None
    ways = [reading[n].readings["split"] for n in kinds if _is_split(reading, n, share, date)]
    if not ways and share is None and date is None:
        return None
    way = ways[0] if ways else "time" if date else "random"
    names = [] if not ways else [n for n in _split_column(reading, kinds) if reading[n].kind in ("word", "quoted")]
    column = reading[names[0]].text if names and way in ("time", "group", "stratified") else None
    return Split.model_validate({"by": way, "column": column, "at": date, "holdout": share})


def _is_split(reading: Reading, at: int, share: float | None, date: str | None) -> bool:
    text = reading[at].text.lower()
    if text in ("by time", "chronologically", "按时间", "group by", "grouped by", "按"):
        return bool(share or date or reading.sentence_has(at, "split", "by") or "split" in reading.text.lower())
    return True


def _split_column(reading: Reading, kinds: list[int]) -> list[int]:
    found = []
    for at in kinds:
        cue, name = reading.get(at - 2), reading.get(at - 1)
        if (
            cue is not None
            and cue.text in ("按", "by", "按照")
            and name is not None
            and name.kind in ("word", "quoted")
        ):
            found.append(at - 1)
        start = at + 1
        while (entity := reading.get(start)) is not None and (
            entity.means("column") or entity.text.lower() in ("on", "by", "using", "the", "of", "along", "按", "用")
        ):
            start += 1
        if start > at + 1 or reading[at].text.lower().endswith("by"):
            found.extend(columns.listed(reading, start)[:1])
    return found


def _date(reading: Reading) -> str | None:
    for at in reading.kinds("date"):
        near = reading.near(at, "holdshare", before=8, after=8) or reading.near(at, "split", before=8, after=8)
        if near is not None or reading.sentence_has(at, "split", "time"):
            reading.claim(at)
            figures = [int(f) for f in re.findall(r"\d+", reading[at].text)]
            if len(figures) < 2 or figures[0] < 1000:
                continue
            year, month, day = [*figures, 1][:3]
            return f"{year:04d}-{month:02d}-{day:02d}"
    return None


def _share(reading: Reading) -> float | None:
    pair = re.search(r"\b(\d{2})\s?[/:]\s?(\d{2})\s+(?:train|split|random|stratified|holdout)", reading.text)
    if pair and int(pair.group(1)) + int(pair.group(2)) == 100:
        return int(pair.group(2)) / 100
    for at in reading.dims("percent"):
        cue = reading.near(at, "holdshare", before=4, after=4)
        if cue is None or any(reading[n].means("metric") for n in range(min(at, cue), max(at, cue))):
            continue
        number = reading[at].number
        if number is not None and 0 < number < 1 and not _is_threshold(reading, at):
            reading.claim(at)
            return number
    return None


def _is_threshold(reading: Reading, at: int) -> bool:
    around = [e for e in (reading.get(at - 1), reading.get(at + 1)) if e is not None]
    return any(e.means("metric") or e.means("confidence") or e.means("cmp") for e in around)
