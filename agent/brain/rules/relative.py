"""Demands relative to what exists: `two points better than the current model`, `does not fall`, `10 % faster`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agent.brain.rules.conditions import change_rolls_back
from agent.brain.rules.measures import Mention, value_for
from agent.brain.rules.reading import Reading
from agent.contract import Relative
from tools.metrics import metric

_FIGURES: Final = ("points", "percent", "")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A metric held against a comparand."""

    at: int
    name: str
    relative: Relative


def comparisons(reading: Reading, found: list[Mention]) -> list[Comparison]:
    """Relative demands; the figures they use are claimed, so this runs before absolute pairs are made."""
    result: list[Comparison] = []
    for mention in found:
        made = _compared(reading, mention, found)
        if made is not None:
            result.append(made)
    return result + _left_over(reading, found, result) + _speeds(reading, found)


def _compared(reading: Reading, mention: Mention, found: list[Mention]) -> Comparison | None:
    figure = _delta(reading, mention, found)
    to = _comparand(reading, mention, found)
    steady = _steady(reading, mention, found)
    slips = (steady and not _same(reading, mention)) or _breaks(reading, mention)
    if figure is None and _has_threshold(reading, mention, found):
        return None
    said = figure is not None and (reading[figure].dim == "points" or _before_compar(reading, figure))
    if figure is not None and (to is not None or steady or said):
        reading.claim(figure)
        relative = _with_delta(reading, mention, figure, to, slips=slips)
    elif steady or (to is not None and figure is None and _against(reading, mention, found)):
        relative = Relative(to=_to(reading, to), delta=0.0, kind="absolute")
    else:
        return None
    reading.claim(mention.at)
    return Comparison(at=mention.at, name=mention.name, relative=relative)


def _breaks(reading: Reading, mention: Mention) -> bool:
    """The change that is named is the one that rolls back."""
    return change_rolls_back(reading, mention.at) and not reading.sentence_has(mention.at, "cond", "unless")


def _scope(reading: Reading, mention: Mention, found: list[Mention]) -> range:
    """The stretch of the sentence that belongs to this mention: up to the neighbouring metrics."""
    inside = list(reading.in_sentence(mention.at))
    low, high = inside[0], inside[-1] + 1
    others = [m.at for m in found if reading.sentence(m.at) == reading.sentence(mention.at)]
    after = [n for n in others if n > mention.at]
    before = [n for n in others if n < mention.at]
    if after:
        commas = [n for n in range(mention.at, after[0]) if reading[n].kind == "punct" or reading[n].means("and")]
        high = commas[0] if commas else after[0]
    if before:
        commas = [n for n in range(before[-1], mention.at) if reading[n].kind == "punct" or reading[n].means("and")]
        low = commas[-1] if commas else before[-1] + 1
    return range(low, high)


def _delta(reading: Reading, mention: Mention, found: list[Mention]) -> int | None:
    """The figure by which the metric is to differ: points, or a percentage or number beside a comparative."""
    scope = _scope(reading, mention, found)
    own = _has_threshold(reading, mention, found)
    for n in scope:
        near = not own or reading.clause(n) == reading.clause(mention.at)
        if reading[n].dim == "points" and reading.free(n) and near and not _is_time(reading, n):
            return n
    shares = (n for n in scope if reading[n].dim == "percent" and reading.free(n))
    lower = next((n for n in shares if _before_compar(reading, n)), None)
    if lower is not None:
        return lower  # `its MAE is 5 % lower`
    if _comparand(reading, mention, found) is None and not _drop_by(reading, scope):
        return None
    figures = (n for n in scope if reading[n].kind in ("quantity", "number") and reading[n].dim in ("percent", ""))
    return next((n for n in figures if reading.free(n) and reading[n].exact and _beside_comparative(reading, n)), None)


def _is_time(reading: Reading, at: int) -> bool:
    return reading.near(at, "day") is not None and reading[at].text.endswith("点")


def _before_compar(reading: Reading, at: int) -> bool:
    after = reading.get(at + 1)
    return after is not None and after.means("compar") and not after.means("cmp") and after.text.isascii()


def _beside_comparative(reading: Reading, at: int) -> bool:
    after, before, second = reading.get(at + 1), reading.get(at - 1), reading.get(at - 2)
    if after is not None and (after.means("compar") or (after.means("cmp") and after.text.lower().endswith(" than"))):
        return True
    if before is None:
        return False
    if before.text.lower() == "by" or (before.means("compar") and not before.means("cmp")):
        return True
    return before.means("cmp") and second is not None and (second.text.lower() == "by" or second.means("stable"))


def _drop_by(reading: Reading, scope: range) -> bool:
    return any(reading[n].means("stable") for n in scope) and any(
        reading[n].text.lower() in ("by", "超过") for n in scope
    )


def _comparand(reading: Reading, mention: Mention, found: list[Mention]) -> int | None:
    scope = _scope(reading, mention, found)
    inside = [n for n in scope if reading[n].means("comparand") or _than_existing(reading, n)]
    if inside:
        return inside[0]
    sentence = reading.in_sentence(mention.at)
    shared = [n for n in sentence if reading[n].means("comparand") or _than_existing(reading, n)]
    return shared[0] if shared and any(reading[n].dim == "points" for n in scope) else None


def _than_existing(reading: Reading, at: int) -> bool:
    """`比线上的 ltv 模型`, `than the churn model in production`: what runs, told by its name."""
    if reading[at].text.lower() not in ("比", "than", "较", "相比"):
        return False
    for n in range(at + 1, min(at + 7, len(reading))):
        entity = reading[n]
        if entity.number is not None or entity.means("metric") or entity.kind == "punct":
            return False
        if entity.means("noun", "model") or entity.means("env") or entity.kind in ("artefact", "version"):
            return True
    return False


def _against(reading: Reading, mention: Mention, found: list[Mention]) -> bool:
    """`better than the baseline`: a comparator or comparative stands before the comparand."""
    scope = _scope(reading, mention, found)
    for n in scope:
        if _than_existing(reading, n):
            return True
        if not reading[n].means("comparand"):
            continue
        near = [reading[k] for k in range(max(scope.start, n - 5), n)]
        if any(e.means("cmp") or e.text.lower() in ("than", "比", "match", "vs") for e in near):
            return True
    return False


def _steady(reading: Reading, mention: Mention, found: list[Mention]) -> bool:
    """`does not fall`, `at the same error rate`, `保持不变`: no figure is needed."""
    scope = _scope(reading, mention, found)
    for n in scope:
        entity = reading[n]
        if not entity.means("stable") or abs(n - mention.at) > 6:
            continue
        if entity.means("stable", "same") and reading.clause(n) == reading.clause(mention.at):
            return True
        negative = reading.negated(n) is not None or (reading.negated(mention.at) is not None and n < mention.at)
        if entity.means("stable", "stable") and negative:
            return True
    return False


def _same(reading: Reading, mention: Mention) -> bool:
    return any(reading[n].means("stable", "same") for n in reading.in_clause(mention.at))


def _has_threshold(reading: Reading, mention: Mention, found: list[Mention]) -> bool:
    scope = _scope(reading, mention, found)
    return any(
        reading[n].kind in ("number", "quantity")
        and reading.free(n)
        and reading[n].dim != "points"
        and value_for(mention.name, reading[n]) is not None
        and abs(n - mention.at) <= 8
        for n in scope
    )


def _to(reading: Reading, at: int | None) -> Literal["incumbent", "baseline", "other"]:
    return "baseline" if at is not None and reading[at].means("comparand", "baseline") else "incumbent"


def _with_delta(reading: Reading, mention: Mention, figure: int, to: int | None, *, slips: bool) -> Relative:
    known = metric(mention.name)
    sign = -1.0 if known is not None and known.better == "min" else 1.0
    clause = [reading[n] for n in reading.in_sentence(figure)]
    worse = slips or any(e.means("compar", "bad") and not e.means("stable") for e in clause)
    amount = reading[figure]
    ratio = amount.dim == "percent"
    delta = sign * (amount.number or 0.0) * (-1.0 if worse else 1.0)
    return Relative(to=_to(reading, to), delta=delta, kind="ratio" if ratio else "absolute")


def _left_over(reading: Reading, found: list[Mention], made: list[Comparison]) -> list[Comparison]:
    """`… at least 1.5 points up`: points in a clause of their own speak of the last holdout metric before them."""
    result: list[Comparison] = []
    for n in reading.dims("points"):
        before = [m for m in found if m.at < n and m.at not in {c.at for c in made} and _on_holdout(m.name)]
        said = any(reading[k].means("compar") or reading[k].means("comparand") for k in reading.in_clause(n))
        if before and said and not _is_time(reading, n):
            reading.claim(n, before[-1].at)
            relative = _with_delta(reading, before[-1], n, None, slips=False)
            result.append(Comparison(at=before[-1].at, name=before[-1].name, relative=relative))
    return result


def _on_holdout(name: str) -> bool:
    known = metric(name)
    return known is not None and known.where == "holdout"


def _speeds(reading: Reading, found: list[Mention]) -> list[Comparison]:
    """`10 % faster than today's`: latency is meant though no metric is named."""
    result: list[Comparison] = []
    for at in reading.where("speed"):
        figure = next(
            (n for n in (at - 1, at + 1) if (e := reading.get(n)) and e.dim == "percent" and reading.free(n)), None
        )
        nearby = any(m.name.startswith("latency") and reading.clause(m.at) == reading.clause(at) for m in found)
        if figure is None or nearby or not reading.sentence_has(at, "comparand"):
            continue
        reading.claim(figure)
        sign = 1.0 if reading[at].means("compar", "bad") else -1.0
        relative = Relative(to="incumbent", delta=sign * (reading[figure].number or 0.0), kind="ratio")
        result.append(Comparison(at=at, name="latency_p95_ms", relative=relative))
    return result
