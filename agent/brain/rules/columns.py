"""Which names in a goal are columns: labels, times, identifiers, columns to leave out.

A name is taken as spelled; quoting it protects it from every other reading.
"""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules.entities import Entity
from agent.brain.rules.lexicon import lexicon
from agent.brain.rules.reading import Reading

_NAME: Final = re.compile(r"^[^\W\d][\w.-]*$")
_STOPS: Final = ("from", "filler", "neg", "cmp", "and", "demand", "optimise", "by", "cond", "label")
_OPEN: Final = frozenset(",:(=-")


def label_columns(reading: Reading) -> list[int]:
    """Places of the names said to be the label, explicit statements only."""
    found: list[int] = []
    for at in reading.where("label"):
        place = _subject(reading, at)
        if place is None:
            place = _after_cue(reading, at)
        if place is None:
            place = _before_cue(reading, at)
        if place is not None and place not in found:
            found.append(place)
    found.extend(n for n in _arrows(reading) if n not in found)
    return found


def predicted(reading: Reading) -> int | None:
    """The place of the name that the goal asks to predict (`predict price`); None if it is not one name."""
    learnt = [n for n in reading.where("act", "train") if reading[n].text.lower().startswith("learn")]
    for at in (*reading.where("act", "predict"), *learnt):
        place = _object(reading, at)
        if place is not None and not reading.negated(at):
            return place
    return None


def regressed(reading: Reading) -> int | None:
    """`regression of price on the other columns`."""
    for at in (*reading.where("task", "regression"), *reading.where("family")):
        of, name, on = (reading.get(at + k) for k in (1, 2, 3))
        if of is not None and of.text.lower() == "of" and is_name(name) and on is not None and on.text.lower() == "on":
            return at + 2
    return None


def is_name(entity: Entity | None) -> bool:
    """Whether it could be a column's name."""
    if entity is None:
        return False
    if entity.kind == "quoted":
        return True
    return entity.kind in ("word", "term", "checkpoint") and bool(_NAME.match(entity.text)) and entity.text.isascii()


def _after_cue(reading: Reading, cue: int) -> int | None:
    at = cue + 1
    while (entity := reading.get(at)) is not None and at < cue + 6:
        if entity.kind in ("quoted", "word", "checkpoint"):
            return at
        if entity.kind == "han":
            return at if at > cue + 1 or len(entity.text) > 1 else None
        if entity.kind == "punct" and entity.text not in _OPEN:
            return None
        if entity.kind in ("data", "number", "quantity", "artefact", "enum"):
            return None
        if entity.kind == "term" and not entity.means("labelverb"):
            closed = (after := reading.get(at + 1)) is None or after.kind == "punct"
            if closed and not entity.text.isascii() and set(entity.readings) <= {"numeric", "textual", "visual"}:
                return at  # `目标列 租金`
            plain = is_name(entity) and ((closed and _noun(entity)) or not any(k in entity.readings for k in _STOPS))
            if entity.means("bundled") and not closed:
                return None
            return at if plain and not _is_cue_for_value(reading, at) else None
        if entity.text == "," and at > cue + 1:
            return None
        at += 1
    return None


def _subject(reading: Reading, cue: int) -> int | None:
    """`left 是标签`, `attrition is the label`: the name that the sentence says to be the label."""
    at = cue - 1
    while (entity := reading.get(at)) is not None and entity.text.lower() in ("the", "our", "my", "a"):
        at -= 1
    name = reading.get(at - 1)
    if entity is None or name is None or entity.text.lower() not in ("is", "是", "作为", "为", "as"):
        return None
    named = name.kind in ("word", "quoted") or (name.kind == "term" and not name.means("label") and not _link(name))
    return at - 1 if named and is_name(name) and name.text.lower() not in ("which", "that", "where", "what") else None


def _noun(entity: Entity) -> bool:
    return entity.text.lower() in lexicon().words["columns"]


def _is_cue_for_value(reading: Reading, at: int) -> bool:
    """`target accuracy 0.9` asks for a value, it names no column."""
    after = reading.get(at + 1)
    if not reading[at].means("metric"):
        return False
    return after is not None and (after.number is not None or after.means("cmp") or after.means("filler"))


def _before_cue(reading: Reading, cue: int) -> int | None:
    """`column spam is the label`, `以 churn 为标签`, `churn 是标签列`, `x as target`."""
    at = cue - 1
    linked = False
    while at >= 0 and cue - at < 5:
        entity = reading[at]
        if entity.kind in ("punct", "data", "number", "quantity"):
            return None
        if entity.kind in ("word", "quoted", "checkpoint", "han") or (linked and is_name(entity) and not _link(entity)):
            return at if linked and entity.text.lower() not in ("which", "that", "where") else None
        if not _link(entity):
            return None
        linked = linked or entity.text.lower() in _LINKS
        at -= 1
    return None


_LINKS: Final = ("is", "as", "是", "为", "作为", "作", "当", "做", "being", "当作", "serves as")


def _link(entity: Entity) -> bool:
    return entity.text.lower() in (*_LINKS, "the", "a", "our", "列", "字段", "这一列", "column", "for", "use")


def _arrows(reading: Reading) -> list[int]:
    """`text → stars`: what the arrow points at."""
    found = []
    for at in reading.where("arrow"):
        before, after = reading.get(at - 1), reading.get(at + 1)
        source = is_name(before) or (before is not None and before.kind == "data")
        if source and is_name(after) and not reading.clause_has(at, "traffic"):
            found.append(at + 1)
    return found


def _object(reading: Reading, verb: int) -> int | None:
    at = verb + 1
    while (entity := reading.get(at)) is not None and at < verb + 5:
        if entity.kind == "quoted":
            return at
        after = reading.get(at + 1)
        if entity.kind == "data" and after is not None and after.text in ("的", "里的", "中的", "'s", "中", "里"):
            at += 1  # `预测 sales.csv 的 amount`
            continue
        introduces = entity.text.lower() in (
            "the",
            "column",
            "列",
            "字段",
            "variable",
            "field",
            "value",
            "的",
            "出",
            "target",
            "its",
        )
        if introduces and _more_to_come(reading, at):
            at += 1
            continue
        if not is_name(entity) or entity.text.lower() in _QUESTION:
            return None
        return at if _ends_phrase(reading, at) else None
    return None


_QUESTION: Final = (
    "whether",
    "if",
    "which",
    "who",
    "what",
    "when",
    "how",
    "that",
    "with",
    "on",
    "a",
    "an",
    "it",
    "from",
)


def _more_to_come(reading: Reading, at: int) -> bool:
    after = reading.get(at + 1)
    return after is not None and after.kind not in ("punct", "data")


def _ends_phrase(reading: Reading, at: int) -> bool:
    """`predict price from` names a column; `predict house prices` is prose."""
    after = reading.get(at + 1)
    if after is None or after.kind in ("punct", "data", "han"):
        return True
    if not after.text.isascii():
        return True
    named = re.search(r"[_\d]", reading[at].text) is not None
    return named or any(k in after.readings for k in ("from", "and", "or", "cmp", "then", "by", "cond", "column"))


def named_by(reading: Reading, kind: str, *values: str) -> list[int]:
    """Places of the names that stand directly behind a cue such as `date column` or `按...`."""
    found = []
    for at in reading.where(kind, *values):
        place = at + 1
        while (entity := reading.get(place)) is not None and place < at + 4:
            if is_name(entity) and not entity.means("labelverb"):
                found.append(place)
                break
            if not entity.means("labelverb") and not entity.means("column"):
                break
            place += 1
    return found


def listed(reading: Reading, at: int) -> list[int]:
    """Names in a row from that place: `id, email and zip`, `id 和 email`."""
    found: list[int] = []
    expects = True
    last = False
    while (entity := reading.get(at)) is not None:
        joins = entity.means("and") and entity.text != "、"
        if expects and _listable(entity) and not _is_cue_for_value(reading, at):
            found.append(at)
            expects = False
        elif not expects and (joins or (entity.text in (",", "、") and not last)):
            expects, last = True, joins
        elif expects and joins:
            last = True
        else:
            break
        at += 1
    return found


def _listable(entity: Entity) -> bool:
    if entity.kind != "term":
        return is_name(entity)
    return is_name(entity) and not any(
        k in entity.readings for k in (*_STOPS, "act", "list", "dropcol", "clean", "det")
    )


def dropped(reading: Reading) -> list[int]:
    """Places of the columns to leave out."""
    found: list[int] = []
    for cue in reading.where("dropcol"):
        found.extend(n for n in _dropped_before(reading, cue) if n not in found)
        at = cue + 1
        said = False
        while (entity := reading.get(at)) is not None and (
            entity.means("column") or entity.text.lower() in ("the", "out")
        ):
            said = said or entity.means("column")
            at += 1
        names = listed(reading, at)
        after = reading.get(names[-1] + 1) if names else None
        closes = after is not None and after.means("column")
        if names and (said or closes or _columns_by_look(reading, cue, names)):
            found.extend(names)
    return found


def _columns_by_look(reading: Reading, cue: int, names: list[int]) -> bool:
    """`ignore row_id`, `删掉 Name、Cabin`: several unknown words, or words written as only columns are."""
    if all(reading[n].quoted for n in names):
        return True
    subjects = {"named", "numeric", "role", "visual", "textual", "topic"}
    if not reading.kinds("data") or any(not set(reading[n].readings) <= subjects for n in names):
        return False
    written = all(re.search(r"[_\d]|^[A-Z]|[a-z][A-Z]", reading[n].text) for n in names)
    return written or not reading[cue].text.isascii() or len(names) > 1


def _dropped_before(reading: Reading, cue: int) -> list[int]:
    """`employee_id 不要用`, `phone 和 email 两列去掉`: the names stand before the verb that closes the clause."""
    after = reading.get(cue + 1)
    if reading[cue].text.isascii() or (after is not None and after.kind != "punct" and after.text != "了"):
        return []
    at = cue - 1
    while (entity := reading.get(at)) is not None and at > cue - 5 and _passed_over(entity):
        at -= 1
    names: list[int] = []
    while (entity := reading.get(at)) is not None and entity.kind in ("word", "quoted"):
        names.append(at)
        joint = reading.get(at - 1)
        if joint is None or not (joint.means("and") or joint.text == "、"):
            break
        at -= 2
    return names[::-1]


def _passed_over(entity: Entity) -> bool:
    return (
        entity.means("column")
        or entity.means("filler")
        or entity.text in ("这", "两", "几", "列", "都", "2", "3", "三")
    )
