"""A version beside another under the same traffic: what is proven of the two together. Pure.

Neither side is known exactly, so half of the error that a proof may have is spent on each: limits of a quantile are
order statistics, those of a share Clopper and Pearson's. "No worse" cannot be proven of two equal versions; it is
taken as "worse by less than a margin", which is named wherever it is used.
"""

from __future__ import annotations

from typing import NamedTuple

from agent import bounds
from agent.contract import Clause, Relative
from agent.observe import QUANTILES, Observation
from tools.language import tr

POINTS, SHARE = 0.01, 0.2
"""Failures are no worse within the larger of a percentage point and this share of the other's."""
SLOWER = 0.1
"""A latency is no worse within this share of the other's."""


class Span(NamedTuple):
    """Between what limits a quantile in ms, or a share of requests that fail, lies."""

    low: float
    high: float


def no_worse(clause: Clause) -> bool:
    """Whether the clause asks for no more than not to get worse."""
    return clause.relative is not None and clause.relative.delta == 0.0 and clause.op not in ("<", ">")


def margin_words(clause: Clause) -> str:
    """What "no worse" is taken as; empty where the clause has a margin of its own."""
    if not no_worse(clause):
        return ""
    if clause.metric in QUANTILES:
        return tr("no worse is taken as at most {share:.0%} slower", share=SLOWER)
    return tr(
        "no worse is taken as at most {points:.0%} of the requests more, or {share:.0%} of the other's if that is more",
        points=POINTS,
        share=SHARE,
    )


def allowed(clause: Clause, relative: Relative, other: float) -> float:
    """What the quantile, or the share of requests that fail, may be when the other's is `other`; rising with it."""
    if clause.metric == "availability" and not no_worse(clause):
        kept = 1.0 - other
        return 1.0 - (kept * (1.0 + relative.delta) if relative.kind == "ratio" else kept + relative.delta)
    if no_worse(clause):
        return other * (1.0 + SLOWER) if clause.metric in QUANTILES else max(other + POINTS, other * (1.0 + SHARE))
    return other * (1.0 + relative.delta) if relative.kind == "ratio" else other + relative.delta


def kept(clause: Clause, relative: Relative, seen: Observation, alpha: float) -> bool:
    """Whether it is proven at that level that the demand is met."""
    most, least = _mine(clause, seen, alpha / 2).high, _other(clause, seen, alpha / 2).low
    limit = allowed(clause, relative, least)
    return most < limit if clause.op in ("<", ">") else most <= limit


def broken(clause: Clause, relative: Relative, seen: Observation, alpha: float) -> bool:
    """Whether it is proven at that level that the demand is not met."""
    return _mine(clause, seen, alpha / 2).low > allowed(clause, relative, _other(clause, seen, alpha / 2).high)


def _mine(clause: Clause, seen: Observation, alpha: float) -> Span:
    return _span(clause, seen.ranks, seen.count, seen.n or 0, alpha)


def _other(clause: Clause, seen: Observation, alpha: float) -> Span:
    return _span(clause, seen.other_ranks, seen.other_count, seen.other_n or 0, alpha)


def _span(clause: Clause, ranks: bounds.Ranks, count: int | None, n: int, alpha: float) -> Span:
    if (quantile := QUANTILES.get(clause.metric)) is not None:
        return Span(
            max(0.0, bounds.quantile_below(ranks, n, quantile, alpha)), bounds.quantile_above(ranks, n, quantile, alpha)
        )
    if count is None:
        return Span(0.0, 1.0)
    return Span(bounds.lower(count, n, alpha), bounds.upper(count, n, alpha))
