"""Which column is asked for when no word says `label`: `predict price`, `a classifier for churned on a.csv`.

Every way to say it is a slot: something that asks, a name, and something that ends the phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent.brain.rules.grammar.columns import is_name
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.reading import Reading

_WEAK: Final = frozenset(
    ("numeric", "textual", "topic", "role", "task", "custom", "retrain_on", "class", "bundled", "ml", "unit")
)
_SKIPPED: Final = (
    "the", "column", "列", "字段", "variable", "field", "value", "values", "的", "出", "target", "its", "future",
    "daily", "weekly", "monthly", "hourly", "yearly", "quarterly", "一下", "下", "一", "一个", "of", "next", "each",
    "me", "label", "未来", "future values of", "how", "much",
    "每天", "每日", "每周", "每月", "每小时", "每年", "中", "里", "里的", "中的", "'s", "people's",
    "来", "个", "column called",
)  # fmt: skip
_NO_NAMES: Final = frozenset(
    [
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
        "future",
        "them",
        "this",
        "these",
        "those",
        "next",
        "new",
        "one",
    ]
)
_ENDS: Final = ("from", "and", "or", "cmp", "then", "by", "cond", "column", "every", "dataword", "window", "class")
_LEARNS: Final = ("learn", "learns", "model", "modelling", "modeling")


def asked(reading: Reading) -> int | None:
    """The place of the column the goal asks for without calling it the label; None if it names none."""
    finders = (_objects, _regressed, _of_data, _described, _for_names, _columns_of, _participles, _lone_columns)
    return next((place for find in finders for place in find(reading)), None)


def _objects(reading: Reading) -> Iterator[int]:
    """`predict price`, `forecast the daily revenue per store`, `预测一下 minutes`."""
    verbs = reading.where("act", "predict") + [n for n, e in enumerate(reading.entities) if e.text.lower() in _LEARNS]
    for verb in sorted(set(verbs)):
        bare = reading[verb].text.lower() in _LEARNS
        place = None if reading.negated(verb) else _object(reading, verb)
        if place is not None and (not bare or _told_apart(reading, place)):
            yield place


def _told_apart(reading: Reading, at: int) -> bool:
    """`model kwh in a.csv`, `learn is_fraud`: with `model` and `learn` a plain word alone is none."""
    after = reading.get(at + 1)
    sourced = after is not None and after.means("from") and _from_data(reading, at)
    return sourced or "_" in reading[at].text or reading[at].quoted


def _object(reading: Reading, verb: int) -> int | None:
    at, limit = verb + 1, verb + 6
    while (entity := reading.get(at)) is not None and at < limit:
        after = reading.get(at + 1)
        if entity.kind == "quoted":
            return at
        if entity.text == ":" and at == verb + 1:
            at, limit = at + 1, limit + 1  # `predict: tonnes_per_ha`
            continue
        if entity.kind == "data" and after is not None and after.text in ("的", "里的", "中的", "'s", "中", "里"):
            at, limit = at + 1, limit + 1  # `预测 sales.csv 的 amount`
            continue
        passed = entity.kind == "han" or entity.means("column", "id") or entity.means("watchfor")
        told = not entity.text.isascii() and passed  # `预测每个门店未来的 营业额`
        if (told or entity.text.lower() in _SKIPPED) and _more_to_come(reading, at):
            at += 1
            continue
        sorts = reading[verb].text.lower().startswith("classif")  # `classify the pictures` says what, not which column
        seen = sorts and any(kind in entity.readings for kind in ("visual", "textual"))
        named = is_name(entity) and entity.text.lower() not in _NO_NAMES and not seen
        return at if named and _closes(reading, at) else None
    return None


def _may_be(entity: Entity) -> bool:
    """A name, or a common word that may be the name of a column."""
    if not is_name(entity) or entity.kind == "checkpoint" or entity.text.lower() in _NO_NAMES:
        return False
    return entity.kind != "term" or set(entity.readings) <= _WEAK or _is_spoken_name(entity)


def _is_spoken_name(entity: Entity) -> bool:
    """`target` and `label` are names where a name is due."""
    return entity.text.lower() in ("target", "label", "class", "value", "score", "rate", "level", "y", "count")


def _more_to_come(reading: Reading, at: int) -> bool:
    after = reading.get(at + 1)
    if after is None or after.kind == "punct":
        return False
    if reading[at].text.lower() in ("target", "label", "value"):
        return _may_be(after) or after.kind == "quoted"
    return True


def _closes(reading: Reading, at: int) -> bool:
    """`predict price from` names a column; `predict house prices` is prose."""
    after = reading.get(at + 1)
    if after is None or after.kind in ("punct", "data", "han") or not after.text.isascii():
        return True
    named = re.search(r"[_\d]", reading[at].text) is not None
    return named or reading[at].quoted or any(kind in after.readings for kind in _ENDS)


def _regressed(reading: Reading) -> Iterator[int]:
    """`regression of price on the other columns`."""
    for at in (*reading.where("task", "regression"), *reading.where("family")):
        of, name, on = (reading.get(at + k) for k in (1, 2, 3))
        if of is not None and of.text.lower() == "of" and is_name(name) and on is not None and on.text.lower() == "on":
            yield at + 2


def _of_data(reading: Reading) -> Iterator[int]:
    """`按 orders.csv 里的 金额 做回归`, `orders.csv 里的 refund 列`, `the column tier of a.csv`."""
    for at in reading.kinds("data"):
        link = reading.get(at + 1)
        if link is not None and link.text in ("的", "里的", "中的", "里", "中"):
            at += 2 if (more := reading.get(at + 2)) is not None and more.text == "的" else 1
            if _names_column(reading, at + 1):
                yield at + 1


def _names_column(reading: Reading, at: int) -> bool:
    name, after = reading.get(at), reading.get(at + 1)
    if name is None or not _may_be(name):
        return False
    return after is None or after.means("column") or after.text in ("做", "进行", "作") or after.means("act", "predict")


def _described(reading: Reading) -> Iterator[int]:
    """`a classifier for churned on a.csv`, `a model of default from`, `识别 churned 的模型`."""
    for at, entity in enumerate(reading.entities):
        if (
            not any(kind in entity.readings for kind in ("task", "noun", "family"))
            and entity.text.lower() != "something"
        ):
            continue
        link, name = reading.get(at + 1), reading.get(at + 2)
        if link is None or link.text.lower() not in ("for", "of", "predicting", "to", "on") or name is None:
            continue
        place = at + 3 if name.text.lower() in ("the", "column", "predict") else at + 2
        found = reading.get(place)
        if found is not None and _may_be(found) and _from_data(reading, place):
            yield place


def _from_data(reading: Reading, at: int) -> bool:
    """Behind the name come `from`, `in` or `on` and data; or the phrase ends."""
    after, second = reading.get(at + 1), reading.get(at + 2)
    if after is None or after.kind == "punct" or after.text.lower() == "column":
        return reading[at].quoted or "_" in reading[at].text or bool(reading.kinds("data"))
    rest = [reading.get(n) for n in range(at + 2, at + 8)]
    if after.text.lower() == "from" and reading[at].kind in ("word", "quoted"):
        stop = next((k for k, e in enumerate(rest) if e is None or e.kind == "punct"), len(rest))
        if any(e is not None and e.kind == "data" for e in rest[:stop]):
            return True  # `learn late from the other columns in a.csv`
    third = reading.get(at + 3)
    return after.means("from") and any(
        e is not None and (e.kind == "data" or e.means("bundled")) for e in (second, third)
    )


def _for_names(reading: Reading) -> Iterator[int]:
    """`on bikes.csv for `count``, `a.csv by defaulted`, `load_mw` in `a model for load_mw`."""
    for at, entity in enumerate(reading.entities):
        after = reading.get(at + 1)
        if after is None or entity.text.lower() not in ("for", "by", "into") or not _may_be(after):
            continue
        before = reading.get(at - 1)
        from_data = before is not None and before.kind == "data"
        sorts = entity.text.lower() != "for"
        if sorts and not (from_data and (after.quoted or _closes(reading, at + 1)) and _classifies(reading)):
            continue
        if after.quoted or "_" in after.text or (from_data and _closes(reading, at + 1)):
            yield at + 1


def _classifies(reading: Reading) -> bool:
    return any(reading[n].text.lower().startswith("classif") for n in range(len(reading)))


def _columns_of(reading: Reading) -> Iterator[int]:
    """`the `late` column of parcels.csv`."""
    for at in reading.where("column", "column"):
        link, source = reading.get(at + 1), reading.get(at + 2)
        of_data = link is not None and link.text.lower() in ("of", "in", "from") and source is not None
        named = bool(at) and _free_name(reading, at - 1) and not reading.clause_has(at, "dropcol")
        if of_data and source is not None and source.kind == "data" and named:
            yield at - 1


def _participles(reading: Reading) -> Iterator[int]:
    """`I want late predicted from parcels.csv`."""
    for at, entity in enumerate(reading.entities):
        after = reading.get(at + 1)
        said = entity.text.lower() in ("predicted", "forecast", "estimated", "classified", "modelled")
        sourced = after is not None and (after.means("from") or after.kind == "punct")
        if said and sourced and at and reading[at - 1].kind in ("word", "quoted") and _free_name(reading, at - 1):
            yield at - 1


def _lone_columns(reading: Reading) -> Iterator[int]:
    """`for column tier`, `a.csv, column tier`, `字段是 returned`: the one column that is spoken of."""
    for at, entity in enumerate(reading.entities):
        before = reading.get(at - 1)
        if entity.text.lower() not in _COLUMN or before is None or reading.clause_has(at, "dropcol"):
            continue
        opening, closing = reading.get(at - 2), reading.get(at + 1)
        if opening is not None and closing is not None and (opening.text, closing.text) == ("(", ")"):
            if _free_name(reading, at - 1):
                yield at - 1  # `（default_12m 列）`
            continue
        after = reading.get(at + 1)
        place = at + 2 if after is not None and (after.text == ":" or _calls(after)) else at + 1
        name, end = reading.get(place), reading.get(place + 1)
        if name is None or not _free_name(reading, place):
            continue
        opens = before.text in (",", "(", ";", "。", ".") and not name.means("act")
        if before.text.lower() in _LEADS or (opens and (end is None or end.kind == "punct")):
            yield place


_COLUMN: Final = ("column", "col", "field", "variable", "列", "字段", "字段是", "列是", "字段为", "列为", "字段叫")
_LEADS: Final = ("for", "on", "predict", "the", "in", "a")


def _calls(entity: Entity) -> bool:
    """`is`, `is called`, `叫`: what stands between a column and its name."""
    return entity.means("labelverb") and entity.kind != "punct" and not entity.means("column")


def _free_name(reading: Reading, at: int) -> bool:
    name = reading[at]
    return (_may_be(name) or name.kind == "quoted") and not name.means("labelverb") and reading.free(at)
