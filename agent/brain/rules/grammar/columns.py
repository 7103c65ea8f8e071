"""Which names in a goal are columns: labels, times, identifiers, columns to leave out.

A name is taken as spelled; quoting it protects it from every other reading.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading

_NAME: Final = Pattern(r"^[^\W\d][\w.-]*$")
_STOPS: Final = ("from", "filler", "neg", "cmp", "and", "demand", "optimise", "by", "cond", "label")
_OPEN: Final = frozenset(",:(=-")


def label_columns(reading: Reading) -> list[int]:
    """Places of the names said to be the label, explicit statements only."""
    found: list[int] = []
    for at in reading.where("label"):
        if found and at in found:
            continue  # `the label is target`
        if _is_value(reading, at):
            found.append(at)
            continue
        place = _subject(reading, at)
        if place is None:
            place = _after_cue(reading, at)
        if place is None:
            place = _before_cue(reading, at)
        if place is not None and place not in found:
            found.append(place)
    found.extend(n for n in _arrows(reading) if n not in found)
    return found


_SUBJECTS: Final = frozenset(("numeric", "textual", "visual", "topic", "role", "class", "retrain_on", "unit"))


def protected(reading: Reading) -> Reading:
    """The reading with every label as a name and nothing else: a column `diagnosis` is no order to diagnose."""
    split = [_within_phrase(reading, n) or e for n, e in enumerate(reading.entities)]
    reading = Reading(split, reading.text)
    places = {n for n in label_columns(reading) if reading[n].kind == "term"}
    if not places:
        return reading
    plain = [_as_name(e) if n in places else e for n, e in enumerate(reading.entities)]
    return Reading(plain, reading.text)


_PHRASE: Final = Pattern(r"(target|outcome|y|class|response|label) (column|field|variable)", re.IGNORECASE)


def _within_phrase(reading: Reading, at: int) -> Entity | None:
    """`the label is in the outcome column`: the phrase for a label holds the name of one."""
    entity = reading[at]
    phrase = _PHRASE.fullmatch(entity.text)
    cue = next((n for n in range(at - 1, max(-1, at - 5), -1) if reading[n].means("label")), None)
    linked = cue is not None and all(e.means("labelverb") or e.text.lower() == "in" for e in reading.between(cue, at))
    if phrase is None or not linked or cue == at - 1:
        return None
    name = phrase.group(1)
    return Entity(kind="quoted", text=name, start=entity.start, end=entity.start + len(name), quoted=True)


def _as_name(entity: Entity) -> Entity:
    return replace(entity, readings={k: v for k, v in entity.readings.items() if k in _SUBJECTS}, quoted=True)


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
        inside = entity.kind == "data" and reading[at - 1].text.lower() in ("in", "of", "里", "中")
        if (
            inside
            and (link := reading.get(at + 1)) is not None
            and link.means("labelverb", "is")
            and link.kind != "punct"
        ):
            at += 1  # `the thing to predict in a.csv is called late`
            continue
        if entity.kind in _NO_LABEL or (entity.kind == "punct" and entity.text not in _OPEN):
            return None
        if entity.means("column", "column") and entity.kind == "term" and is_name(reading.get(at + 1)):
            at += 1
            continue
        if entity.kind == "term" and not entity.means("labelverb"):
            return at if _common_name(reading, at) else None
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
    if name.text.lower() in _RELATIVES:
        return _antecedent(reading, at - 1)
    named = name.kind in ("word", "quoted") or (name.kind == "term" and not name.means("label") and not _link(name))
    return at - 1 if named and is_name(name) else None


_RELATIVES: Final = ("which", "that", "where", "what", "this")


def _antecedent(reading: Reading, at: int) -> int | None:
    """`the category in `queue`, which is the label`: the name straight before the mark."""
    place = at - 2 if at >= 2 and reading[at - 1].text == "," else at - 1
    name = reading.get(place)
    if name is None or not is_name(name) or name.kind not in ("word", "quoted") or reading[at].text.lower() == "what":
        return None
    return place if name.quoted or "_" in name.text or not reading[place - 1].means("det") else None


_NO_LABEL: Final = ("data", "number", "quantity", "artefact", "enum")


def _common_name(reading: Reading, at: int) -> bool:
    """A word the lexicon knows as something else, where the name of the label is due."""
    entity = reading[at]
    closed = (after := reading.get(at + 1)) is None or after.kind == "punct"
    if closed and not entity.text.isascii() and set(entity.readings) <= {"numeric", "textual", "visual"}:
        return True  # `目标列 租金`
    if entity.means("bundled") and not closed:
        return False
    free = (closed and _noun(entity)) or not any(kind in entity.readings for kind in _STOPS)
    return is_name(entity) and free and not _is_cue_for_value(reading, at)


def _is_value(reading: Reading, at: int) -> bool:
    """`with target as the label`: here `target` is the name."""
    link, place = reading.get(at + 1), at + 2
    while (entity := reading.get(place)) is not None and entity.text.lower() in ("the", "our"):
        place += 1
    return (
        link is not None and link.text.lower() in ("as", "作为", "当") and entity is not None and entity.means("label")
    )


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
    linked = reading[cue].text[:1] in ("是", "就")  # `这列就是结果`
    while at >= 0 and cue - at < 5:
        entity = reading[at]
        if entity.kind in ("punct", "data", "number", "quantity"):
            return None
        named = entity.kind in ("word", "checkpoint", "han") and not _link(entity)
        if named or entity.kind == "quoted" or (linked and is_name(entity) and not _link(entity)):
            return at if linked and entity.text.lower() not in ("which", "that", "where") else None
        if not _link(entity):
            return None
        linked = linked or entity.text.lower() in _LINKS
        at -= 1
    return None


_LINKS: Final = (
    "is",
    "as",
    "是",
    "为",
    "列为",
    "字段为",
    "列是",
    "作为",
    "作",
    "当",
    "做",
    "being",
    "当作",
    "serves as",
)


def _link(entity: Entity) -> bool:
    return entity.text.lower() in (
        *_LINKS,
        "the",
        "a",
        "our",
        "列",
        "字段",
        "这一列",
        "这列",
        "那列",
        "该列",
        "这",
        "column",
        "for",
        "use",
    )


def _arrows(reading: Reading) -> list[int]:
    """`text → stars`: what the arrow points at."""
    found = []
    for at in reading.where("arrow"):
        before, after = reading.get(at - 1), reading.get(at + 1)
        source = is_name(before) or (before is not None and before.kind == "data")
        if source and is_name(after) and not reading.clause_has(at, "traffic"):
            found.append(at + 1)
    return found


def named_by(reading: Reading, kind: str, *values: str) -> list[int]:
    """Places of the names that stand directly behind a cue such as `date column` or `按...`."""
    found = []
    for at in reading.where(kind, *values):
        place = at + 1
        while (entity := reading.get(place)) is not None and place < at + 4:
            if is_name(entity) and not entity.means("labelverb"):
                found.append(place)
                break
            if entity.text == "," or not (entity.means("labelverb") or entity.means("column")):
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
        elif (
            len(found) == 1 and entity.text == "," and (after := reading.get(at + 1)) is not None and after.means("and")
        ):
            break  # `drop the column id, and stop after an hour`
        elif not expects and (joins or (entity.text in (",", "、") and not last)):
            expects, last = True, joins
        elif expects and joins:
            last = True
        else:
            break
        at += 1
    return found


_LISTABLE: Final = _SUBJECTS | {"task", "custom", "bundled", "column", "per", "budget", "key", "ml", "named", "version"}


def _listable(entity: Entity) -> bool:
    return is_name(entity) and (entity.kind != "term" or set(entity.readings) <= _LISTABLE)


def dropped(reading: Reading) -> list[int]:
    """Places of the columns to leave out."""
    found: list[int] = [n for at in range(len(reading)) for n in _left_out(reading, at)]
    for at in reading.where("neg"):
        closing = (after := reading.get(at + 1)) is None or after.kind == "punct" or after.text in ("了", "参与")
        if reading[at].text in ("不要", "不用", "别用", "不参与", "不能用", "不要用", "不使用") and closing:
            found.extend(n for n in _before_closing(reading, at) if n not in found)
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


def _left_out(reading: Reading, at: int) -> list[int]:
    """`leave the id column out`, `keep name and email out`: the names between the verb and its particle."""
    if reading[at].text.lower() not in ("leave", "leaving", "keep", "throw", "take"):
        return []
    end = next((n for n in range(at + 2, min(at + 8, len(reading))) if reading[n].text.lower() == "out"), None)
    inside = range(at + 1, end if end is not None else at)
    said = any(reading[n].means("column") for n in inside) or any("_" in reading[n].text for n in inside)
    names = [
        n for n in inside if is_name(reading[n]) and (reading[n].kind in ("word", "quoted") or reading[n].text == "id")
    ]
    return names if said else []


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
    return _before_closing(reading, cue)


def _before_closing(reading: Reading, cue: int) -> list[int]:
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
