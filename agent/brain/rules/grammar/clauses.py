"""From pairs of metric and figure to clauses and an objective.

Decides demand, abort condition or symptom by polarity: what would breach the metric's better direction is a
condition for rolling back or retraining, or the complaint itself, never a demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.brain.rules.grammar import scope
from agent.brain.rules.grammar.conditions import abort_verbs, as_alternative, change_rolls_back, conditional, governing
from agent.brain.rules.grammar.measures import Pair, mentions, pairs
from agent.brain.rules.grammar.objective import objective
from agent.brain.rules.grammar.paraphrases import paraphrased
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.relative import Comparison, comparisons
from agent.brain.rules.grammar.spending import spent
from agent.brain.rules.grammar.states import STATES, states
from agent.contract import Clause, Objective
from tools.metrics import Where, metric

_OPS: Final = {"ge": ">=", "le": "<=", "gt": ">", "lt": "<", "eq": "=="}
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
    turned: tuple[str, ...] = ()
    """Metrics that are demanded the wrong way round: `accuracy no more than 50 %`."""


def demands(reading: Reading, task: str, *, serves: bool) -> Demands:
    """Clauses and objective of one part. Claims every figure it uses."""
    sure = scope.confidences(reading)
    spans = scope.windows(reading)
    found = [m for m in mentions(reading) if m.name not in STATES]
    found = sorted(found + paraphrased(reading, found), key=lambda m: m.at)
    compared = [c for c in comparisons(reading, found) if task != "compare" or c.relative.delta]
    rest = [m for m in found if m.at not in {c.at for c in compared}]
    matched = pairs(reading, rest)
    kept = [p for p in matched if not _is_symptom(reading, p, task)]
    chosen = objective(reading, rest, {p.at for p in matched}, task)
    places = [(p.at, _absolute(reading, p, task, serves=serves)) for p in kept]
    places += [(c.at, _relative(reading, c, task, serves=serves)) for c in compared]
    places = [
        (at, clause.model_copy(update={"class_": name}))
        for at, clause in places
        for name in scope.classes_of(reading, at)
    ]
    places += _unnamed(reading, task) + states(reading, task) + spent(reading)
    made = scope.with_confidence(reading, sorted(places, key=lambda place: place[0]), sure)
    made = scope.with_windows(reading, made, spans)
    retrain = [p.name for p in kept if _retrains(reading, p)]
    turned = [p.name for p in kept if task not in _MODEL_FREE and _is_turned(reading, p)]
    loose = [c.metric for at, c in made if reading[at].readings.get("metric") == "latency"]
    return Demands(
        clauses=tuple(numbered([c for _, c in made])), objective=chosen, assumed=tuple(loose),
        retrain=tuple(retrain), turned=tuple(dict.fromkeys(turned)),
    )  # fmt: skip


def numbered(found: list[Clause]) -> list[Clause]:
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


def _is_turned(reading: Reading, pair: Pair) -> bool:
    """A plain demand for the worse: likely a slip, and no guess is safe."""
    known = metric(pair.name)
    plain = (
        known is not None
        and known.where == "holdout"
        and pair.cmp is not None
        and pair.polarity in ("ge", "le", "gt", "lt")
        and _agrees(pair) is False
    )
    return plain and not (_aborts(reading, pair) or _retrains(reading, pair))


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


def _aborts(reading: Reading, pair: Pair) -> bool:
    agrees = _agrees(pair)
    verbs = governing(reading, pair.at) if agrees is not False else abort_verbs(reading, pair.at)
    if not verbs or (agrees is not False and _only_live(reading, pair)):
        return False
    if agrees is None:
        return conditional(reading, pair.at)
    if agrees:
        turned = [n for n in reading.in_sentence(pair.at) if reading[n].means("cond", "unless", "otherwise")]
        return (
            any(pair.at < n for n in turned if reading[n].means("cond", "otherwise"))
            or any(n < pair.at for n in turned if reading[n].means("cond", "unless"))
            or any(pair.figure < n and as_alternative(reading, n) for n in verbs)
        )
    return True


def _only_live(reading: Reading, pair: Pair) -> bool:
    """`F1 0.88，p99 不超过 500 ms，超了就回滚`: what runs rolls back, not what was trained."""
    known = metric(pair.name)
    others = (metric(reading[n].readings.get("metric", "")) for n in reading.in_sentence(pair.at))
    return known is not None and known.where == "holdout" and any(m is not None and m.where == "live" for m in others)


def _retrains(reading: Reading, pair: Pair) -> bool:
    verbs = [n for n in reading.in_sentence(pair.at) if reading[n].means("act", "retrain") and not reading.negated(n)]
    agrees = _agrees(pair)
    close = [
        n
        for n in verbs
        if agrees is False
        or reading.clause(n) == reading.clause(pair.at)
        or reading.clause(n) == reading.clause(pair.figure)
    ]
    return bool(close) and not agrees and not _aborts(reading, pair)


def where_of(name: str, task: str, *, serves: bool) -> Where:
    """Where a demand on that metric is measured when the goal is about that task."""
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
         "where": where_of(pair.name, task, serves=serves)}
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
         "where": where_of(compared.name, task, serves=serves),
         "abort": change_rolls_back(reading, compared.at)}
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
