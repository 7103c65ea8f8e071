"""What is done to the data of a part before training: cleaning, joins, columns left out, and the split."""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules import columns
from agent.brain.rules.calendar import date_figures
from agent.brain.rules.reading import Reading
from agent.contract import Join, Prepare, Split


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
    if reading[at].readings["cleanlist"] != "scale":
        return _in_list(reading, at)
    others = [n for n in reading.in_sentence(at) if n != at and reading[n].means("clean")]
    after = reading.get(at + 1)
    return bool(others) or (after is not None and (after.means("column") or after.kind == "data"))


def _in_list(reading: Reading, at: int) -> bool:
    """`drop empty rows and duplicates`: the verb of the first reaches to the second."""
    joint, head = reading.get(at - 1), reading.get(at - 2)
    if joint is None or head is None or not (joint.means("and") or joint.text == ","):
        return False
    dropping = ("drop", "remov", "discard", "delet", "删", "去", "剔", "丢")
    return head.means("clean") and head.text.lower().startswith(dropping)


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
            how = "left" if any(_tells_how(reading, n, at) for n in reading.where("joinhow", "left")) else "inner"
            return [Join.model_validate(
                {"left": reading[left].text, "right": reading[right].text, "on": on, "how": how}
            )]  # fmt: skip
    return []


_NEWEST: Final = re.compile(
    r"(?:\b(?:last|final|latest|newest|most recent)|最后|最近|最新|末尾)的?\s?\d+(?:\.\d+)?\s?(?:%|percent|成)",
    re.IGNORECASE,
)


def _tells_how(reading: Reading, n: int, join: int) -> bool:
    """`left join` says so anywhere in the sentence, `left` alone only beside the verb."""
    alone = reading[n].text.lower() == "left"
    return n in range(join - 3, join + 3) or (not alone and reading.sentence(n) == reading.sentence(join))


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
    way = ways[0] if ways else "time" if date or (share and _NEWEST.search(reading.text)) else "random"
    names = [] if not ways else [n for n in _split_column(reading, kinds) if reading[n].kind in ("word", "quoted")]
    column = reading[names[0]].text if names and way in ("time", "group", "stratified") else None
    if way == "time" and column is None:
        column = _time_column(reading)
    return Split.model_validate({"by": way, "column": column, "at": date, "holdout": share})


def _time_column(reading: Reading) -> str | None:
    """The date column the goal names, or `by order_date` in the sentence of the split."""
    dated = columns.named_by(reading, "column", "date")
    if dated:
        return reading[dated[0]].text
    for at, entity in enumerate(reading.entities):
        name = reading.get(at + 1)
        cued = entity.text.lower() in ("by", "on", "按", "根据", "以") and name is not None and columns.is_name(name)
        if (
            cued
            and name is not None
            and re.search(r"date|time|day|week|month|year|_at$|_ts$|^ts$|^ds$|^dt$", name.text)
        ):
            return name.text if name.kind in ("word", "quoted") else None
    return None


def _is_split(reading: Reading, at: int, share: float | None, date: str | None) -> bool:
    text = reading[at].text.lower()
    if text == "分组":
        cue = reading.get(at - 2)
        return cue is not None and cue.text in ("按", "以", "按照")  # `把顾客分组` is clustering
    if text in ("by time", "chronologically", "按时间", "group by", "grouped by", "按"):
        return bool(share or date or reading.sentence_has(at, "split", "by") or "split" in reading.text.lower())
    return True


def _split_column(reading: Reading, kinds: list[int]) -> list[int]:
    found = []
    for at in kinds:
        cue, name = reading.get(at - 2), reading.get(at - 1)
        keyed = cue is not None and cue.text in ("按", "by", "按照")
        if keyed and name is not None and name.kind in ("word", "quoted"):
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
        cuts = re.match(r"\s?[^,.;]{0,4}(?:为界|切分|划分|分界|拆分|分割|cut-?off)", reading.text[reading[at].end :])
        if near is not None or cuts or reading.sentence_has(at, "split", "time"):
            reading.claim(at)
            figures = date_figures(reading[at].text)
            if len(figures) < 2 or figures[0] < 1000:
                continue
            year, month, day = [*figures, 1][:3]
            return f"{year:04d}-{month:02d}-{day:02d}"
    return None


def _share(reading: Reading) -> float | None:
    pair = re.search(r"\b(\d{2})\s?[/:]\s?(\d{2})\s+(?:train|split|random|stratified|holdout)", reading.text)
    if pair and int(pair.group(1)) + int(pair.group(2)) == 100:
        return int(pair.group(2)) / 100
    loose = re.search(r"(?<![\d.])(\d{1,2})\s?[/:]\s?(\d{1,2})(?![\d.%])", reading.text)
    told = reading.where("split") or reading.where("holdshare")
    spelled = re.search(r"split|切分|划分|拆分", reading.text.lower())
    if loose and (told or spelled) and (whole := int(loose.group(1)) + int(loose.group(2))) in (10, 100):
        return int(loose.group(2)) / whole
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
