"""What is done to the data of a part before training: cleaning, joins, columns left out, and the split."""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules.grammar import columns
from agent.brain.rules.grammar.calendar import date_figures
from agent.brain.rules.grammar.joins import joins
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Prepare, Split


def preparation(reading: Reading, task: str) -> Prepare | None:
    """Cleaning, joins and columns to drop; None if the part asks for none of them."""
    clean = _cleaning(reading, task)
    joined = joins(reading)
    drop = columns.dropped(reading)
    if not (clean or drop or joined):
        return None
    reading.claim(*drop)
    return Prepare.model_validate({"clean": clean, "drop_columns": [reading[n].text for n in drop], "join": joined})


def _cleaning(reading: Reading, task: str) -> list[str]:
    found: dict[int, str] = {n: reading[n].readings["clean"] for n in reading.where("clean") if not reading.negated(n)}
    found |= {n: made for n in reading.where("blemish") if (made := _treated(reading, n)) is not None}
    for n in reading.where("cleanlist"):
        if n not in found and _in_cleaning(reading, n, task):
            found[n] = reading[n].readings["cleanlist"]
    reading.claim(*found)
    return list(dict.fromkeys(found[n] for n in sorted(found)))


_TREATMENTS: Final = {
    ("missing", "removing"): "drop_missing", ("missing", "filling"): "impute",
    ("duplicates", "removing"): "drop_duplicates",
    ("outliers", "removing"): "clip_outliers", ("outliers", "clipping"): "clip_outliers",
}  # fmt: skip


def _treated(reading: Reading, at: int) -> str | None:
    """What the verb around a blemish does to it: `throw out rows that have missing values`, `把缺失值补上`."""
    kind = reading[at].readings["blemish"]
    for n in sorted(reading.in_clause(at), key=lambda n: abs(n - at)):
        if (
            abs(n - at) > 7
            or reading.negated(n)
            or any(e.means("blemish", kind) for e in reading.between(*sorted((n, at))))
        ):
            continue
        for verb in ("filling", "removing", "clipping"):
            made = _TREATMENTS.get((kind, verb))
            if made is not None and reading[n].means(verb) and (n < at or not reading[n].text.isascii()):
                return made
    return None


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


_NEWEST: Final = Pattern(
    r"(?:\b(?:last|final|latest|newest|most recent)|最后|最近|最新|末尾)的?\s?"
    r"(?:\d+(?:\.\d+)?|[一二两三四五])\s?(?:%|percent|成)",
    re.IGNORECASE,
)


def splitting(reading: Reading) -> Split | None:
    """How the holdout is parted from the rest; None if the goal does not say."""
    share = _share(reading)
    kinds = [n for n in reading.where("split") if reading[n].readings["split"] != "by"]
    date = _date(reading)
    apart = _kept_apart(reading) or _grouped(reading)
    if not kinds and share is None and date is None and apart is None:
        return None
    ways = [reading[n].readings["split"] for n in kinds if _is_split(reading, n, share, date)]
    if not ways and apart is not None:
        return Split.model_validate({"by": "group", "column": apart, "holdout": share})
    if not ways and share is None and date is None:
        return None
    way = ways[0] if ways else "time" if date or (share and _NEWEST.search(reading.text)) else "random"
    names = [] if not ways else [n for n in _split_column(reading, kinds) if _is_column(reading, n)]
    column = reading[names[0]].text if names and way in ("time", "group", "stratified") else None
    if way == "time" and column is None:
        column = _time_column(reading)
    return Split.model_validate({"by": way, "column": column, "at": date, "holdout": share})


def _closing_name(reading: Reading, at: int) -> list[int]:
    """`split by time on when`: a common word that ends its clause."""
    after = reading.get(at + 1)
    closed = after is None or after.kind == "punct"
    return [at] if closed and columns.is_name(reading.get(at)) else []


def _is_column(reading: Reading, at: int) -> bool:
    """`split by time on when`: at the end of its clause a common word is a name too."""
    after = reading.get(at + 1)
    return reading[at].kind in ("word", "quoted") or after is None or after.kind == "punct"


_APART: Final = Pattern(
    r"(?:同一个?|相同的?|一个)\s?(?P<han>[A-Za-z_]\w*)\s?(?:的.{0,6})?(?:不能|不要|不得|别|不可).{0,4}(?:同时|既|都|分到|跨)"
    r"|(?:同一个?|每个)\s?(?P<kept>[A-Za-z_]\w*)\s?的.{0,8}(?:放在一起|不拆|别拆|不要拆|分在一起|归一边)"
    r"|keep\s[^.;]{0,30}\b(?:of|from|for)\s(?:a|an|one|each|the\ssame|every)\s(?P<whole>[A-Za-z_]\w*)\s(?:together|in\sone)"
    r"|(?:no|same|one|each|a|every)\s(?P<latin>[A-Za-z_]\w*)\s[^.;]{0,40}\b(?:both|only one|the same side|one side)\b",
    re.IGNORECASE,
)


def _grouped(reading: Reading) -> str | None:
    """`split by patient`, `grouped by patient`: neither time nor chance, so the groups of a column."""
    if reading.where("task", "forecasting", "clustering"):
        return None
    for at, entity in enumerate(reading.entities):
        name, after = reading.get(at + 1), reading.get(at + 2)
        if entity.text.lower() not in (
            "split by",
            "grouped by",
            "group by",
            "split it by",
            "split the data by",
            "groups by",
        ):
            continue
        closed = after is None or after.kind == "punct" or after.means("and") or after.means("holdshare")
        plain = (
            name is not None
            and columns.is_name(name)
            and not any(k in name.readings for k in ("split", "column", "day"))
        )
        if name is not None and plain and closed:
            return name.text
    return None


def _kept_apart(reading: Reading) -> str | None:
    """`同一个 patient_id 不能同时出现在训练和测试里`, `no store_id may be in both`: the group that is kept together."""
    found = _APART.search(reading.text)
    if found is not None and (kept := found.group("kept") or found.group("whole")):
        return kept
    if found is None or not re.search("train|test|训练|测试|set|side|集", reading.text[found.start() :]):
        return None
    name = found.group("han") or found.group("latin")
    return name if "_" in name or found.group("han") else None


def _time_column(reading: Reading) -> str | None:
    """The date column the goal names, or `by order_date` in the sentence of the split."""
    dated = columns.named_by(reading, "column", "date")
    if dated:
        return reading[dated[0]].text
    for at, entity in enumerate(reading.entities):
        name = reading.get(at + 1)
        bracketed = entity.means("split", "time") and name is not None and name.text == "("
        if bracketed or (name is not None and name.means("column", "column")):
            name = reading.get(at + 2)
        if bracketed and name is not None and name.means("column", "column"):
            name = reading.get(at + 3)
        if bracketed and name is not None and name.kind in ("word", "quoted"):
            return name.text
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
        bracket = reading.get(start)
        if (
            bracket is not None
            and bracket.text == "("
            and (close := reading.get(start + 2)) is not None
            and close.text == ")"
        ):
            start += 1  # `按时间划分（ts）`
        if start > at + 1 or reading[at].text.lower().endswith("by"):
            found.extend(
                n
                for n in columns.listed(reading, start)[:1] or _closing_name(reading, start)
                if not reading[n].means("split") and reading[n].text.lower() != "split"
            )
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
    loose = re.search(r"(?<![\d.])(\d{1,2})\s?[/:]\s?(\d{1,2})(?![\d%]|\.\d)", reading.text)
    told = reading.where("split") or reading.where("holdshare")
    spelled = re.search(r"split|切分|划分|拆分", reading.text.lower())
    if loose and (told or spelled) and (whole := int(loose.group(1)) + int(loose.group(2))) in (10, 100):
        return int(loose.group(2)) / whole
    newest = _NEWEST.search(reading.text)
    for at in reading.dims("percent"):
        inside = newest is not None and newest.start() <= reading[at].start < newest.end()
        if inside and (told or spelled) and reading[at].number is not None:
            reading.claim(at)
            return reading[at].number
    near = [(abs(cue - at), at) for at in reading.dims("percent") if (cue := _held(reading, at)) is not None]
    if not near:
        return None
    _, at = min(near)
    reading.claim(at)
    return reading[at].number


def _held(reading: Reading, at: int) -> int | None:
    """The word for holding out that a share belongs to: in `七成训练三成测试` only the second has one beside it."""
    cue = reading.near(at, "holdshare", before=4, after=4)
    if cue is None or any(reading[n].means("metric") for n in range(min(at, cue), max(at, cue))):
        return None
    number = reading[at].number
    return cue if number is not None and 0 < number < 1 and not _is_threshold(reading, at) else None


def _is_threshold(reading: Reading, at: int) -> bool:
    around = [e for e in (reading.get(at - 1), reading.get(at + 1)) if e is not None]
    titled = (
        bool(around) and around[0].text == ":" and (head := reading.get(at - 2)) is not None and head.means("metric")
    )
    return titled or any(e.means("metric") or e.means("confidence") or e.means("cmp") for e in around)
