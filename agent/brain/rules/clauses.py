"""From pairs of metric and figure to clauses and an objective.

Decides demand, abort condition or symptom by polarity: what would breach the metric's better direction is a
condition for rolling back or retraining, or the complaint itself, never a demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.brain.rules.measures import Mention, Pair, mentions, pairs
from agent.brain.rules.reading import Reading
from agent.brain.rules.relative import Comparison, comparisons
from agent.contract import Clause, Objective
from tools.metrics import Where, metric

_OPS: Final = {"ge": ">=", "le": "<=", "gt": ">", "lt": "<", "eq": "=="}
_WEAK: Final = (
    "by",
    "on",
    "以",
    "按",
    "看",
    "based on",
    "根据",
    "按照",
    "依据",
    "in terms of",
    "according to",
    "compare by",
)
_MODEL_FREE: Final = ("deploy", "watch", "scale", "rollback", "diagnose", "cleanup")


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a part demands, and what it optimises."""

    clauses: tuple[Clause, ...]
    objective: Objective | None
    assumed: tuple[str, ...] = ()
    """Metrics that the goal names only loosely (`latency`), read as the canonical one given here."""
    retrain: tuple[str, ...] = ()
    """Metrics whose breach asks for a new training."""


def demands(reading: Reading, task: str, *, serves: bool) -> Demands:
    """Clauses and objective of one part. Claims every figure it uses."""
    confidence = _confidence(reading)
    windows = _windows(reading)
    found = mentions(reading)
    compared = comparisons(reading, found)
    rest = [m for m in found if m.at not in {c.at for c in compared}]
    matched = pairs(reading, rest)
    kept = [p for p in matched if not _is_symptom(reading, p, task)]
    objective = _objective(reading, rest, {p.at for p in matched}, task)
    places: list[tuple[int, Clause]] = [(p.at, _absolute(reading, p, task, serves=serves)) for p in kept]
    places += [(c.at, _relative(reading, c, task, serves=serves)) for c in compared]
    places += _unnamed(reading, task)
    made = _with_confidence(reading, sorted(places, key=lambda place: place[0]), confidence)
    made = _with_windows(reading, made, windows)
    retrain = [p.name for p in kept if _retrains(reading, p)]
    loose = [c.metric for at, c in made if reading[at].readings.get("metric") == "latency"]
    return Demands(
        clauses=tuple(_numbered([c for _, c in made])), objective=objective, assumed=tuple(loose),
        retrain=tuple(retrain),
    )  # fmt: skip


def _numbered(found: list[Clause]) -> list[Clause]:
    """Clauses with ids by metric; a clause said twice counts once."""
    result: list[Clause] = []
    for clause in found:
        same = [c for c in result if c.model_copy(update={"id": ""}) == clause.model_copy(update={"id": ""})]
        if same:
            continue
        base = clause.metric.removeprefix("custom:")
        taken = {c.id for c in result}
        name = next(n for n in (base, *(f"{base}-{k}" for k in range(2, 99))) if n not in taken)
        result.append(clause.model_copy(update={"id": name}))
    return result


def _agrees(pair: Pair) -> bool | None:
    """Whether the comparator points the way the metric gets better; None if there is none."""
    known = metric(pair.name)
    if pair.polarity is None or pair.polarity == "eq":
        return None
    if pair.polarity in ("better", "worse"):
        return pair.polarity == "better"
    if known is None:
        return None
    return (pair.polarity in ("ge", "gt")) == (known.better == "max")


def _is_symptom(reading: Reading, pair: Pair, task: str) -> bool:
    agrees = _agrees(pair)
    if _aborts(reading, pair) or _retrains(reading, pair) or agrees:
        return False
    if task in ("diagnose", "rollback", "cleanup"):
        return True
    if pair.cmp is None and reading.clause_has(pair.at, "comparand"):
        return True  # `our incumbent has 0.81 AUC` tells what is, not what is wanted
    around = [n for n in reading.in_clause(pair.figure) if abs(n - pair.at) <= 5 or abs(n - pair.figure) <= 2]
    said = any(reading[n].means("symptom") and not reading[n].means("filler") for n in around)
    return agrees is False and said


def _conditional(reading: Reading, at: int) -> bool:
    return reading.sentence_has(at, "cond", "if", "unless", "otherwise") or reading.sentence_has(at, "cond", "then")


def _aborts(reading: Reading, pair: Pair) -> bool:
    verbs = [n for n in reading.in_sentence(pair.at) if reading[n].means("abort") and not reading.negated(n)]
    if not verbs:
        return False
    agrees = _agrees(pair)
    if agrees is None:
        return _conditional(reading, pair.at)
    if agrees:
        turned = [n for n in reading.in_sentence(pair.at) if reading[n].means("cond", "unless", "otherwise")]
        return any(pair.at < n for n in turned if reading[n].means("cond", "otherwise")) or any(
            n < pair.at for n in turned if reading[n].means("cond", "unless")
        )
    return True


def _retrains(reading: Reading, pair: Pair) -> bool:
    verbs = [n for n in reading.in_sentence(pair.at) if reading[n].means("act", "retrain") and not reading.negated(n)]
    return bool(verbs) and not _agrees(pair) and not _aborts(reading, pair)


def _where(name: str, task: str, *, serves: bool) -> Where:
    known = metric(name)
    if known is None:
        return "live" if serves or task in _MODEL_FREE else "holdout"
    return "live" if known.where == "holdout" and task in _MODEL_FREE else known.where


def _absolute(reading: Reading, pair: Pair, task: str, *, serves: bool) -> Clause:
    known = metric(pair.name)
    abort = _aborts(reading, pair)
    breach = abort or _retrains(reading, pair)
    op = _operator(pair, None if known is None else known.better, breach=breach and not _agrees(pair))
    return Clause.model_validate(
        {"id": "c", "metric": pair.name, "op": op, "value": pair.value, "abort": abort,
         "where": _where(pair.name, task, serves=serves), "class": _class(reading, pair.at)}
    )  # fmt: skip


def _operator(pair: Pair, better: str | None, *, breach: bool) -> str:
    if better is None:
        said = {"better": "ge", "worse": "le"}.get(pair.polarity or "ge", pair.polarity or "ge")
        if breach:
            return "<=" if said in ("ge", "gt") else ">="
        return _OPS[said]
    if pair.polarity == "eq" and not breach:
        return "=="
    strict = pair.polarity in ("gt", "lt") and _agrees(pair)
    return (">" if strict else ">=") if better == "max" else ("<" if strict else "<=")


def _relative(reading: Reading, compared: Comparison, task: str, *, serves: bool) -> Clause:
    known = metric(compared.name)
    op = "<=" if known is not None and known.better == "min" else ">="
    return Clause.model_validate(
        {"id": "c", "metric": compared.name, "op": op, "value": None, "relative": compared.relative,
         "where": _where(compared.name, task, serves=serves), "class": _class(reading, compared.at)}
    )  # fmt: skip


def _unnamed(reading: Reading, task: str) -> list[tuple[int, Clause]]:
    """`handle 200 requests per second` and `answers within 50 ms` need no metric's name."""
    made: list[tuple[int, Clause]] = []
    for n in reading.dims("rps"):
        reading.claim(n)
        made.append((n, _live("throughput_rps", ">=", reading[n].number)))
    for n in reading.dims("duration"):
        if reading[n].means("unit", "duration:0.001") and reading.near(n, "cmp") is not None and task != "diagnose":
            reading.claim(n)
            value = round((reading[n].number or 0.0) * 1000, 9)
            made.append((n, _live("latency_p95_ms", "<=", value)))
    return made


def _live(name: str, op: str, value: float | None) -> Clause:
    return Clause.model_validate({"id": "c", "metric": name, "op": op, "value": value, "where": "live"})


def _class(reading: Reading, at: int) -> str | None:
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
    named = ("word", "quoted", "number", "han")
    if (
        after is not None
        and reading[cue].text.isascii()
        and (
            after.kind in named
            or (after.kind == "term" and after.text.lower() in ("yes", "no", "true", "false", "positive"))
        )
    ):
        return after.text
    if (
        before is not None
        and before.kind in named
        and before.text.lower() not in ("each", "every", "per", "对", "该", "每", "各", "这")
    ):
        return before.text
    if after is not None and after.kind in ("word", "quoted", "number"):
        return after.text
    return None


def _objective(reading: Reading, found: list[Mention], matched: set[int], task: str) -> Objective | None:
    for mention in found:
        best = _best(reading, mention.at)
        cue = _optimised(reading, mention.at, weak=mention.at not in matched)
        lone = task == "compare" and mention.at not in matched
        if best is None and not cue and not lone:
            continue
        known = metric(mention.name)
        better = best or (known.better if known is not None else "max")
        return Objective.model_validate({"metric": mention.name, "direction": better})
    return None


def _best(reading: Reading, at: int) -> str | None:
    """`lowest RMSE`, `MAE 最小`: not when a figure follows, for then it is a comparator."""
    known = metric(reading[at].readings.get("metric", ""))
    for n in (at - 1, at - 2, at + 1):
        entity, after = reading.get(n), reading.get(n + 1)
        if entity is None or not entity.means("best") or reading.clause(n) != reading.clause(at):
            continue
        if (
            n == at - 2
            and not any(reading[at - 1].means(k) for k in ("filler", "det", "article"))
            and reading[at - 1].text != "possible"
        ):
            continue
        if entity.means("cmp") and after is not None and after.number is not None:
            continue
        if n > at and entity.text.isascii():
            continue
        value = entity.readings["best"]
        if entity.text.lower() in ("best", "better", "最好", "最优", "更好", "最佳") and known is not None:
            return known.better
        return value
    return None


def _optimised(reading: Reading, at: int, *, weak: bool) -> bool:
    for n in range(at - 1, max(-1, at - 4), -1):
        entity = reading[n]
        if reading.clause(n) != reading.clause(at) and entity.text != ":":
            return False
        if entity.means("optimise"):
            if entity.text.lower() not in _WEAK:
                return True
            return weak and not reading.sentence_has(at, "comparand")
        if not any(k in entity.readings for k in ("filler", "article", "det")):
            return False
    after = reading.get(at + 1)
    return after is not None and after.text in ("为准", "为指标", "作为指标", "优化")


def _confidence(reading: Reading) -> tuple[int, float] | None:
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


def _with_confidence(
    reading: Reading, made: list[tuple[int, Clause]], confidence: tuple[int, float] | None
) -> list[tuple[int, Clause]]:
    """The confidence belongs to the nearest clause of its sentence, else to the nearest of the part."""
    if confidence is None or not made:
        return made
    cue, value = confidence
    near = min(made, key=lambda place: (reading.sentence(place[0]) != reading.sentence(cue), abs(place[0] - cue)))
    return [(n, c.model_copy(update={"confidence": value}) if (n, c) == near else c) for n, c in made]


def _windows(reading: Reading) -> list[tuple[int, float]]:
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


def _with_windows(
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
