"""What a metric is measured over: a class, a window of time, with which confidence."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.reading import Reading
from agent.contract import Clause
from tools.metrics import metric

_VALUES: Final = ("yes", "no", "true", "false", "positive")
_POINTERS: Final = ("each", "every", "per", "对", "该", "每", "各", "这", "几", "多", "哪", "某")


_PER_CLASS: Final = ("precision", "recall", "f1", "roc_auc", "pr_auc")


def classes_of(reading: Reading, at: int) -> list[str | None]:
    """The classes a metric is about, or None alone: `recall for 'gold' and 'silver'`, `类别 a 和 b 的召回率`."""
    one = class_of(reading, at)
    if reading[at].readings.get("metric") not in _PER_CLASS:
        return [one]
    named = (
        [n for n in reading.in_clause(at) if reading[n].text == one and n != at] if one else _for_quoted(reading, at)
    )
    if not named:
        return [one]
    found = [named[0]]
    while (joint := reading.get(found[-1] + 1)) is not None and (joint.means("and") or joint.text == "、"):
        after = reading.get(found[-1] + 2)
        if after is None or after.kind != reading[found[0]].kind or after.means("metric"):
            break
        found.append(found[-1] + 2)
    return [reading[n].text for n in found]


def _for_quoted(reading: Reading, at: int) -> list[int]:
    """`recall at least 0.7 for both 'gold' and 'silver'`: quoted names that are nothing else."""
    for n in range(at + 1, min(at + 9, len(reading))):
        entity, before, second = reading[n], reading.get(n - 1), reading.get(n - 2)
        if entity.kind == "punct" or entity.means("metric"):
            return []
        cues = [e.text.lower() for e in (before, second) if e is not None]
        if entity.kind == "quoted" and reading.free(n):
            return [n] if cues and ("for" in cues or "on" in cues or "of" in cues) else []
    return []


def class_of(reading: Reading, at: int) -> str | None:
    """The class a metric is about: `recall[fraud]`, `recall for class yes`, `fraud 类的召回率`."""
    opening, name, closing = (reading.get(at + k) for k in (1, 2, 3))
    if opening is not None and name is not None and closing is not None and (opening.text, closing.text) == ("[", "]"):
        return name.text
    places = [*range(at + 1, at + 8), *range(at - 1, max(-1, at - 8), -1)]
    cues = [n for n in places if _is_class_of(reading, n, at)]
    cues.sort(key=lambda n: reading.clause(n) != reading.clause(at))
    return next((called for n in cues if (called := _class_name(reading, n)) is not None), None)


def _is_class_of(reading: Reading, cue: int, at: int) -> bool:
    """Whether the word for a class there speaks of the metric here, and not of another one."""
    entity = reading.get(cue)
    if entity is None or reading.sentence(cue) != reading.sentence(at) or not entity.means("class"):
        return False
    if any(reading[k].means("metric") for k in range(min(cue, at) + 1, max(cue, at))):
        return False
    if reading.clause(cue) == reading.clause(at):
        return True
    if any(reading[k].means("metric") for k in reading.in_clause(cue)):
        return False  # `PR AUC 0.5，类别 fraud 的召回率 0.9`
    opens = reading[min(reading.in_clause(cue))].text.lower()
    return cue < at or opens not in ("对", "对于", "for", "on")  # `准确率 0.8，对 toxic 类，F1 0.9`


def _class_name(reading: Reading, cue: int) -> str | None:
    before, after = reading.get(cue - 1), reading.get(cue + 1)
    if before is not None and before.text == ")" and (inner := reading.get(cue - 3)) is not None and inner.text == "(":
        return reading[cue - 2].text  # `恶性(malignant)这一类`
    named = ("word", "quoted", "number", "han")
    named_after = after is not None and (after.kind in named or after.text.lower() in _VALUES)
    if after is not None and named_after and reading[cue].text.lower() in ("class", "category", "类别"):
        return after.text
    if before is not None and before.kind in named and before.text.lower() not in _POINTERS:
        return before.text
    if after is not None and after.kind in ("word", "quoted", "number"):
        return after.text
    return None


def confidences(reading: Reading) -> list[tuple[int, float]]:
    """Where a confidence is asked for, and which."""
    found: list[tuple[int, float]] = []
    for cue in reading.where("confidence"):
        inside = (
            n for n in reading.dims("percent", "") if abs(n - cue) <= 3 and reading.clause(n) == reading.clause(cue)
        )
        near = [n for n in inside if reading[n].kind in ("quantity", "number")]
        if not near:
            continue
        place = min(near, key=lambda n: (abs(n - cue), n > cue))
        value = reading[place].number or 0.0
        value = value / 100 if value > 1 else value
        reading.claim(place)
        if 0 < value < 1:
            found.append((cue, value))
    return found


def with_confidence(
    reading: Reading, made: list[tuple[int, Clause]], asked: list[tuple[int, float]]
) -> list[tuple[int, Clause]]:
    """Each confidence belongs to the demand of its own clause, else to the one before it, else to the nearest."""
    result = made
    for cue, value in asked:
        free = [n for n, (_, clause) in enumerate(result) if clause.confidence is None]
        if not free:
            break
        near = min(free, key=lambda n: _farness(reading, result[n][0], cue))
        at, clause = result[near]
        result = [*result[:near], (at, clause.model_copy(update={"confidence": value})), *result[near + 1 :]]
    return result


def _farness(reading: Reading, at: int, cue: int) -> tuple[bool, bool, bool, int]:
    clause = reading.clause(cue)
    first = min(reading.in_clause(cue))
    bracketed = first > 0 and reading[first - 1].text == "("
    same = reading.clause(at) == clause or (bracketed and reading.clause(at) == clause - 1)
    return reading.sentence(at) != reading.sentence(cue), not same, at > cue, abs(at - cue)


def windows(reading: Reading) -> list[tuple[int, float]]:
    """Durations over which a live metric is judged: `p95 over five minutes`, `5-minute window`."""
    found: list[tuple[int, float]] = []
    for n in reading.dims("duration"):
        if reading[n].means("unit", "duration:0.001") or not _beside_live(reading, n):
            continue
        before, after = reading.get(n - 1), reading.get(n + 1)
        cued = [
            e for e in (before, after, reading.get(n + 2), reading.get(n - 2)) if e is not None and e.means("window")
        ]
        plain = before is not None and before.text.lower() in (
            "over",
            "over a",
            "averaged over",
            "measured over",
            "over the last",
        )
        mean = (
            after is not None
            and after.text == "平均"
            and (beyond := reading.get(n + 2)) is not None
            and beyond.means("metric")
        )
        words = [e for e in cued if mean or e.text.lower() not in ("over", "over a", "平均") or plain]
        beyond = reading.get(n + 2)
        inside = (
            after is not None
            and after.text in ("内", "之内", "里", "以内")
            and beyond is not None
            and beyond.means("metric")
        )
        inside = inside or _sustained(reading, n)
        ends = after is not None and after.text in ("内", "之内", "以内")
        lasting = ends and before is not None and before.means("metric")  # `错误率 30 分钟内低于 1%`
        if (
            words
            or inside
            or lasting
            or (after is not None and after.means("metric"))
            or (after is not None and after.text == "内的")
        ):
            reading.claim(n)
            found.append((n, reading[n].number or 0.0))
    return found


def _sustained(reading: Reading, at: int) -> bool:
    """`if p95 exceeds 300 ms for five minutes, roll back`: how long a breach lasts before it counts."""
    cue, figure = reading.get(at - 1), reading.get(at - 2)
    lasts = cue is not None and cue.text.lower() in ("for", "over", "持续", "连续") and figure is not None
    told = reading.sentence_has(at, "cond") and reading.sentence_has(at, "abort")
    return lasts and told and figure is not None and figure.number is not None and (reading[at].number or 0) <= 3600


def _beside_live(reading: Reading, at: int) -> bool:
    first = min(reading.in_clause(at))
    bracketed = (
        range(max(0, first - 3), first - 1) if first and reading[first - 1].text == "(" else ()
    )  # `P95（1 分钟窗口）`
    inside = [*reading.in_clause(at), *bracketed]
    live = [n for n in inside if reading[n].means("metric") and _is_live(reading[n].readings["metric"])]
    return any(abs(n - at) <= 8 for n in live)


def _is_live(name: str) -> bool:
    known = metric(name)
    return name == "latency" or (known is not None and known.where == "live")


def with_windows(
    reading: Reading, made: list[tuple[int, Clause]], windows: list[tuple[int, float]]
) -> list[tuple[int, Clause]]:
    result = made
    for at, seconds in windows:
        live = [place for place in result if place[1].where == "live"]
        if live:
            near = min(
                live,
                key=lambda place: (reading.clause(place[0]) != reading.clause(at), place[0] > at, abs(place[0] - at)),
            )
            result = [
                (n, c.model_copy(update={"window_s": seconds}) if (n, c) is near or (n, c) == near else c)
                for n, c in result
            ]
    return result
