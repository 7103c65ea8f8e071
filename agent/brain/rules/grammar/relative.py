"""Demands relative to what exists: `two points better than the current model`, `does not fall`, `10 % faster`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agent.brain.rules.grammar.conditions import change_rolls_back
from agent.brain.rules.grammar.measures import Mention, value_for
from agent.brain.rules.grammar.reading import Reading
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
    said = figure is not None and (
        reading[figure].dim == "points" or _before_compar(reading, figure) or _change_past(reading, figure)
    )
    if figure is not None and (to is not None or steady or said):
        reading.claim(figure)
        relative = _with_delta(reading, mention, figure, to, slips=slips)
    elif steady or (to is not None and figure is None and _against(reading, mention, found)):
        relative = Relative(to=_to(reading, to), delta=0.0, kind="absolute")
    else:
        return None
    reading.claim(mention.at)
    return Comparison(at=mention.at, name=mention.name, relative=relative)


def _change_past(reading: Reading, figure: int) -> bool:
    """`点击率下降超过 2%`: the figure is of the change."""
    before, second = reading.get(figure - 1), reading.get(figure - 2)
    by = second is not None and second.text.lower() == "by"
    if by:
        second = reading.get(figure - 3)
    return (
        before is not None
        and before.means("cmp", "ge", "gt")
        and second is not None
        and (second.means("stable", "stable") or (by and second.means("compar")))
    )  # `improves by at least 3 %`


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
        commas = _marks(reading, range(mention.at, after[0]))
        high = commas[0] if commas else after[0]
    if before:
        commas = _marks(reading, range(before[-1], mention.at))
        low = commas[-1] if commas else before[-1] + 1
    return range(low, high)


def _marks(reading: Reading, between: range) -> list[int]:
    """Marks that part two metrics, else the `and`s: in `和现在一样，p95 …` only the comma does."""
    marks = [n for n in between if reading[n].kind == "punct"]
    return marks or [n for n in between if reading[n].means("and")]


def _delta(reading: Reading, mention: Mention, found: list[Mention]) -> int | None:
    """The figure by which the metric is to differ: points, or a percentage or number beside a comparative."""
    scope = _scope(reading, mention, found)
    own = _has_threshold(reading, mention, found)
    for n in scope:
        near = not own or reading.clause(n) == reading.clause(mention.at)
        if reading[n].dim == "points" and reading.free(n) and near and not _is_time(reading, n):
            return n
    shares = (n for n in scope if reading[n].dim == "percent" and reading.free(n))
    lower = next((n for n in shares if _before_compar(reading, n) or _before_than(reading, n)), None)
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


def _before_than(reading: Reading, at: int) -> bool:
    """`10 % lower than the incumbent's`."""
    after, second = reading.get(at + 1), reading.get(at + 2)
    compares = after is not None and after.means("cmp") and after.text.lower().endswith(" than")
    return compares and second is not None and (second.means("comparand") or second.means("det"))


def _beside_comparative(reading: Reading, at: int) -> bool:
    after, before, second = reading.get(at + 1), reading.get(at - 1), reading.get(at - 2)
    if after is not None and (after.means("compar") or (after.means("cmp") and after.text.lower().endswith(" than"))):
        return True
    if before is None:
        return False
    if before.text.lower() == "by" or (before.means("compar") and not before.means("cmp")):
        return True
    bound = before.text.lower() in ("below", "under", "above", "低于", "高于", "到")  # `must not drop below 92 %`
    return (
        before.means("cmp")
        and not bound
        and second is not None
        and (second.text.lower() == "by" or second.means("stable"))
    )


def _drop_by(reading: Reading, scope: range) -> bool:
    if any(reading[n].dim == "percent" and _changes_by(reading, n) for n in scope):
        return True
    return any(reading[n].means("stable") for n in scope) and any(
        reading[n].text.lower() in ("by", "超过") for n in scope
    )


def _changes_by(reading: Reading, at: int) -> bool:
    """`lower … by 20 %`, `降两成`, `低 5 % 以上`: by how much, though nothing is compared with."""
    before, after, second = reading.get(at - 1), reading.get(at + 1), reading.get(at - 2)
    bounded = before is not None and before.means("cmp") and second is not None and second.text.lower() == "by"
    if before is None or (before.means("cmp") and before.text.lower() != "by" and not bounded):
        return False
    if bounded or before.text.lower() == "by":
        return any(reading[n].means("compar") for n in reading.in_clause(at) if n < at)
    arrives = before.text.endswith(("到", "至", "了"))
    bare = not before.text.isascii() and before.means("compar") and not arrives
    return bare and (after is None or not after.means("metric"))


def _comparand(reading: Reading, mention: Mention, found: list[Mention]) -> int | None:
    scope = _scope(reading, mention, found)
    inside = [n for n in scope if _yardstick(reading, n) or _than_existing(reading, n)]
    if inside:
        return inside[0]
    sentence = reading.in_sentence(mention.at)
    shared = [n for n in sentence if _yardstick(reading, n) or _than_existing(reading, n)]
    return shared[0] if shared and any(reading[n].dim == "points" for n in scope) else None


def _yardstick(reading: Reading, at: int) -> bool:
    """What exists, as a measure; `回退到旧版本` only says where to go."""
    before = [e for e in (reading.get(at - 1), reading.get(at - 2)) if e is not None]
    return reading[at].means("comparand") and not any(e.means("abort") or e.means("act", "rollback") for e in before)


def _than_existing(reading: Reading, at: int) -> bool:
    """`比线上的 ltv 模型`, `than the churn model in production`: what runs, told by its name."""
    said = reading[at].text.lower()
    if (
        said not in ("比", "than", "较", "相比")
        and not said.endswith(" than")
        and not reading[at].means("cmp", "better")
    ):
        return False
    for n in range(at + 1, min(at + 7, len(reading))):
        entity = reading[n]
        if entity.number is not None or entity.means("metric") or entity.kind == "punct":
            return False
        if (
            entity.means("family")
            or entity.means("noun", "model")
            or entity.means("env")
            or entity.kind in ("artefact", "version")
        ):
            return True
    return False


def _against(reading: Reading, mention: Mention, found: list[Mention]) -> bool:
    """`better than the baseline`: a comparator or comparative stands before the comparand."""
    scope = _scope(reading, mention, found)
    for n in scope:
        if _than_existing(reading, n):
            return True
        if not _yardstick(reading, n):
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
        if abs(n - mention.at) > 6 or not (entity.means("stable") or entity.means("compar")):
            continue
        if _turned_off(reading, n, mention):
            return True
        if entity.means("stable", "same") and reading.clause(n) == reading.clause(mention.at):
            return True
        negative = reading.negated(n) is not None or (reading.negated(mention.at) is not None and n < mention.at)
        if entity.means("stable", "stable") and negative:
            return True
    return False


def _turned_off(reading: Reading, at: int, mention: Mention) -> bool:
    """`CTR is not lower`, `误差不更高`: the change for the worse, negated, at the end of its clause."""
    known, after = metric(mention.name), reading.get(at + 1)
    worse = "up" if known is not None and known.better == "min" else "down"
    closed = after is None or (after.kind == "punct" and after.text != ":") or after.means("and")
    if not closed or reading.clause(at) != reading.clause(mention.at) or at < mention.at:
        return False
    return reading[at].means("compar", worse, "bad") and reading.negated(at) is not None


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
        and (n < mention.at or reading.clause(n) == reading.clause(mention.at) or _leads(reading, n))
        for n in scope
    )


def _leads(reading: Reading, at: int) -> bool:
    """`accuracy: 0.9`, `accuracy, at least 0.9`: a figure that opens its clause, with or without a comparator."""
    first = min(reading.in_clause(at))
    return all(reading[n].means("cmp") or reading[n].means("filler") for n in range(first, at))


def _to(reading: Reading, at: int | None) -> Literal["incumbent", "baseline", "other"]:
    """A version called by its name is another model; only `the live churn:v3` says that it runs."""
    if at is None:
        return "incumbent"
    if reading[at].means("comparand"):
        return "baseline" if reading[at].means("comparand", "baseline") else "incumbent"
    inside = [reading[n] for n in range(at + 1, min(at + 7, len(reading))) if reading.clause(n) == reading.clause(at)]
    runs = any(e.means("env") or e.means("comparand") for e in inside)
    return (
        "other"
        if any(e.kind in ("artefact", "version") or e.means("family") for e in inside) and not runs
        else "incumbent"
    )


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
