"""Which tables are joined on which columns: `A with B on k and with C on l`, `用 k 把 A 和 B 合并`."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar import columns
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Join


def joins(reading: Reading) -> list[Join]:
    """Every join the part asks for, in order. The first table of a chain is the left side of those that name none."""
    acts = sorted(
        {
            *reading.where("join"),
            *(n for n in reading.where("joinhow") if "join" in reading[n].text or not reading[n].text.isascii()),
        }
    )
    if not acts:
        return []
    found: list[Join] = []
    done = 0
    keys = _keys(reading, acts)
    star = _respectively(reading, keys, acts)
    if star:
        return star
    for k, (cue, names) in enumerate(keys):
        stop = keys[k + 1][0] if k + 1 < len(keys) else len(reading)
        tables = [n for n in reading.kinds("data") if done <= n < cue]
        if len(tables) < (1 if found else 2):
            tables += [n for n in reading.kinds("data") if names[-1] < n < stop and _near(reading, n, cue)]
        right = tables[-1] if tables else None
        left = tables[-2] if len(tables) > 1 else None
        uri = reading[left].text if left is not None else found[0].left if found else None
        if right is None or uri is None or uri == reading[right].text:
            continue
        how = _how(reading, done, min(stop, names[-1] + 4), cue)
        on = tuple(reading[n].text for n in names)
        found.append(Join.model_validate({"left": uri, "right": reading[right].text, "on": on, "how": how}))
        reading.claim(*names)
        done = names[-1] + 1
    return found or _bracketed(reading, acts)


def _respectively(reading: Reading, keys: list[tuple[int, list[int]]], acts: list[int]) -> list[Join]:
    """`a.csv, b.csv and c.csv joined on x and y respectively`: every further table has a key of its own."""
    if len(keys) != 1:
        return []
    cue, names = keys[0]
    tables = [n for n in reading.kinds("data") if n < cue or not any(k < cue for k in reading.kinds("data"))]
    said = [n for n in reading.in_sentence(cue) if reading[n].text.lower() in ("respectively", "分别", "各自")]
    if not said or len(tables) != len(names) + 1:
        return []
    reading.claim(*names)
    left = reading[tables[0]].text
    how = _how(reading, 0, cue, acts[0])
    return [
        Join.model_validate({"left": left, "right": reading[table].text, "on": (reading[name].text,), "how": how})
        for table, name in zip(tables[1:], names, strict=True)
    ]


def _bracketed(reading: Reading, acts: list[int]) -> list[Join]:
    """`a.csv 左连接 b.csv（id）`: the key in brackets behind the right table."""
    for right in reading.kinds("data"):
        opening, key, closing = (reading.get(right + k) for k in (1, 2, 3))
        left = next((n for n in reversed(reading.kinds("data")) if n < right), None)
        beside = left is not None and any(left < act < right for act in acts)
        if opening is None or closing is None or key is None or (opening.text, closing.text) != ("(", ")"):
            continue
        if left is not None and beside and _is_key(reading, right + 2):
            how = "left" if any(reading[n].means("joinhow", "left") for n in range(left, right)) else "inner"
            reading.claim(right + 2)
            made = {"left": reading[left].text, "right": reading[right].text, "on": (key.text,), "how": how}
            return [Join.model_validate(made)]
    return []


def _near(reading: Reading, table: int, cue: int) -> bool:
    return reading.sentence(table) == reading.sentence(cue)


def _keys(reading: Reading, acts: list[int]) -> list[tuple[int, list[int]]]:
    """Places where a key is announced, each with its names: beside the verb, behind a table, or before `把`."""
    found: list[tuple[int, list[int]]] = []
    for cue in reading.where("key"):
        if found and cue <= found[-1][1][-1]:
            continue
        names = _names(reading, cue)
        after = reading.get(names[-1] + 1) if names else None
        before = reading.get(cue - 1)
        chained = before is not None and (
            before.kind == "data" or (before.text == ")" and reading[cue - 3].text == "(")
        )
        close = any(reading.sentence(a) == reading.sentence(cue) and abs(a - cue) <= 9 for a in acts)
        ahead = after is not None and after.text == "把"
        if (
            names
            and (close or ahead or (found and chained))
            and (chained or ahead or _tied(reading, cue, names[-1], acts))
        ):
            found.append((cue, names))
    return found


def _tied(reading: Reading, cue: int, last: int, acts: list[int]) -> bool:
    """The verb stands right before the cue or right behind the names, or the tables lie between the two."""
    if any(0 < act - last <= 2 or 0 < cue - act <= 2 or _both(reading, act, cue) for act in acts):
        return True
    return any(
        act < cue and any(act < n < cue for n in reading.kinds("data")) and not _cut(reading, act, cue) for act in acts
    )


def _both(reading: Reading, act: int, cue: int) -> bool:
    """`join the two tables on`, `merge them by`: nothing but a pronoun for the tables lies between."""
    told = [e.text.lower() for e in reading.between(act, cue)]
    return 0 < cue - act <= 5 and all(word in _PRONOUNS for word in told)


_PRONOUNS: Final = frozenset(
    ("the", "two", "them", "both", "tables", "files", "sets", "data", "these", "those", "together", "it", "of", "all",
     "up", "with",     "two tables", "一下", "起来", "两张表", "两个表", "三张表", "表", "它们")
)  # fmt: skip


def _cut(reading: Reading, left: int, right: int) -> bool:
    """Another order stands between."""
    return any(e.means("act", "train", "predict", "deploy") or e.means("split") for e in reading.between(left, right))


def _names(reading: Reading, cue: int) -> list[int]:
    start = cue + 1
    while (entity := reading.get(start)) is not None and (
        entity.means("column")
        or entity.text.lower() in ("the", "key", "both", "their", "same", "common", "shared", "键", "主键")
    ):
        start += 1
    return [n for n in columns.listed(reading, start) if _is_key(reading, n)]


def _is_key(reading: Reading, at: int) -> bool:
    entity = reading[at]
    subject = entity.kind == "term" and set(entity.readings) <= {"topic", "numeric", "role", "custom"}
    return entity.kind in ("word", "quoted") or subject or entity.text.lower() in _COMMON_KEYS


_COMMON_KEYS: Final = frozenset(
    ("id", "date", "key", "user", "item", "sku", "time", "day", "week", "month", "year", "hour", "quarter", "name",
     "customer", "product", "store", "timestamp", "minute", "users", "items", "products", "code", "version", "event")
)  # fmt: skip
"""Words that mean something else as a rule, and are what tables are joined on all the same."""


def _how(reading: Reading, start: int, stop: int, cue: int) -> str:
    """`left join` says so anywhere around, `left` alone only right beside the verb."""
    for n in range(start, min(stop, len(reading))):
        if reading[n].means("joinhow", "left"):
            alone = reading[n].text.lower() == "left"
            beside = any(e is not None and e.means("join") for e in (reading.get(n + 1), reading.get(n - 1)))
            if not alone or beside or abs(n - cue) <= 3:
                return "left"
    return "inner"
