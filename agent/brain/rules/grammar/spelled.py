"""Chinese names that stand apart: `标签列为 是否流失，`, `label 违约`, `drop 备注 和 手机号`.

Chinese runs words together, so a run of characters set apart by blanks behind a word that announces a column is a name
as spelled, and is protected from every other reading as a quoted one is.
"""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.patterns import Pattern

_RUN: Final = Pattern(r"\w{0,12}[\u3400-\u9fff]\w{0,12}(?=[\s,;:.。!?()、/\]]|$)")
_CUES: Final = ("label", "column", "dropcol", "class", "key", "split")
_LINKS: Final = frozenset(
    [
        "为",
        "是",
        "叫",
        "叫做",
        "名为",
        ":",
        "=",
        "列",
        "字段",
        "(",
        "the",
        "is",
        "are",
        "as",
        "column",
        "columns",
        "field",
        "called",
        "named",
        "feature",
        "两列",
        "by",
        "on",
        "of",
        "用",
        "即",
        "取",
        "里",
        "的",
        "中",
        "里的",
        "中的",
        "里面的",
        "一",
        "下",
        "一下",
        "列是",
        "列为",
        "列叫",
        "列名是",
        "列名为",
        "字段是",
        "字段为",
        "字段叫",
    ]
)
_FIGURE: Final = Pattern(r"[零〇一二两三四五六七八九十百千万成半分之点]+以?[上下]?")
_OTHER: Final = (
    "metric", "custom", "act", "family", "cmp", "neg", "clean", "cleanlist", "strategy", "env", "dataword", "demand",
    "search", "deadline", "split", "holdshare", "budget", "join", "gpuword", "role", "label", "and", "or", "cond",
)  # fmt: skip


def set_apart(found: list[Entity], text: str) -> list[Entity]:
    """The entities with every such name as one quoted entity."""
    result: list[Entity] = []
    cue: Entity | None = None
    at = 0
    while at < len(found):
        end = _name_end(found, at, text, cue) if cue is not None else None
        if cue is not None and end is not None:
            size = next(n for n in range(at, len(found) + 1) if n == len(found) or found[n].start >= end) - at
            start = found[at].start
            result.append(Entity(kind="quoted", text=text[start:end], start=start, end=end, quoted=True))
            at += size
            if not (at < len(found) and _joins(found[at], cue)):
                cue = None
            continue
        entity = found[at]
        listed = bool(result) and result[-1].kind == "quoted" and cue is not None and _joins(entity, cue)
        if _announces(entity) or _of_these(result, entity):
            cue = entity
        elif not listed and entity.text.lower() not in _LINKS:
            cue = None
        result.append(entity)
        at += 1
    return result


def _of_these(before: list[Entity], entity: Entity) -> bool:
    """`orders.csv 里的 金额`, `预测每个门店未来的 营业额`."""
    if not entity.text.endswith(("的", "里", "中")):
        return False
    last = before[-1] if before else None
    asks = any(e.means("act", "predict") for e in before[-5:])
    return (last is not None and last.kind == "data") or (asks and not any(e.kind == "punct" for e in before[-4:]))


def _announces(entity: Entity) -> bool:
    if entity.text == "分":
        return False  # half of `划分`
    told = entity.text in ("列是", "列为", "字段是", "字段为")
    return told or any(kind in entity.readings for kind in _CUES) or entity.means("act", "predict")


def _joins(entity: Entity, cue: Entity) -> bool:
    """`身份证号 和 手机号`; a comma goes on only among columns to leave out."""
    return entity.means("and") or entity.text == "、" or (entity.text == "," and cue.means("dropcol"))


def _name_end(found: list[Entity], at: int, text: str, cue: Entity) -> int | None:
    start = found[at].start
    apart = start > 0 and (text[start - 1].isspace() or text[start - 1] in ":(=")
    run = _RUN.match(text, start) if apart else None
    if run is None or (run.group() in _LINKS and not (found[at - 1].means("class") and found[at - 1].text.isascii())):
        return None
    if _FIGURE.fullmatch(run.group()):
        return None
    inside = [e for e in found[at:] if e.start < run.end()]
    if inside[-1].end > run.end() or any(e.kind in ("data", "artefact", "quoted", "date", "clock") for e in inside):
        return None
    told = cue.means("label")
    return None if any(_means_else(e, alone=len(inside) == 1, told=told) for e in inside) else run.end()


def _means_else(entity: Entity, *, alone: bool, told: bool) -> bool:
    if told and entity.means("role"):
        return False
    if not alone and entity.means("label") and entity.text != "标":
        return True  # `target 是标签`
    if not alone and (entity.end - entity.start == 1 or entity.means("role")):
        return False
    return any(kind in entity.readings for kind in _OTHER)
