"""What a metric is measured over: a class, a window of time, with which confidence."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.reading import Reading
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
    for n in (*range(at + 1, at + 6), *range(at - 1, max(-1, at - 5), -1)):
        entity = reading.get(n)
        if entity is None or reading.sentence(n) != reading.sentence(at) or not entity.means("class"):
            continue
        if any(reading[k].means("metric") for k in range(min(n, at) + 1, max(n, at))):
            continue
        return _class_name(reading, n)
    return None


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


def confidence(reading: Reading) -> tuple[int, float] | None:
    for cue in reading.where("confidence"):
        near = [
            n for n in reading.dims("percent", "") if abs(n - cue) <= 3 and reading.clause(n) == reading.clause(cue)
        ]
        near = [n for n in near if reading[n].kind in ("quantity", "number")]
        if near:
            place = min(near, key=lambda n: (abs(n - cue), n > cue))
            value = reading[place].number or 0.0
            reading.claim(place)
            value = value / 100 if value > 1 else value
            return (cue, value) if 0 < value < 1 else None
    return None


def with_confidence(
    reading: Reading, made: list[tuple[int, Clause]], confidence: tuple[int, float] | None
) -> list[tuple[int, Clause]]:
    """The confidence belongs to the nearest clause of its sentence, else to the nearest of the part."""
    if confidence is None or not made:
        return made
    cue, value = confidence
    near = min(made, key=lambda place: (reading.sentence(place[0]) != reading.sentence(cue), abs(place[0] - cue)))
    return [(n, c.model_copy(update={"confidence": value}) if (n, c) == near else c) for n, c in made]


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
        words = [e for e in cued if e.text.lower() not in ("over", "over a", "平均") or plain]
        if words or (after is not None and after.means("metric")) or (after is not None and after.text == "内的"):
            reading.claim(n)
            found.append((n, reading[n].number or 0.0))
    return found


def _beside_live(reading: Reading, at: int) -> bool:
    live = [n for n in reading.in_clause(at) if reading[n].means("metric") and _is_live(reading[n].readings["metric"])]
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
            near = min(live, key=lambda place: abs(place[0] - at))
            result = [
                (n, c.model_copy(update={"window_s": seconds}) if (n, c) is near or (n, c) == near else c)
                for n, c in result
            ]
    return result
