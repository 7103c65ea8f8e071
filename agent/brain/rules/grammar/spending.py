"""What a run may cost or take beside what runs today: `20 % less time than the incumbent`, `half of its cost`."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.reading import Reading
from agent.contract import Clause

_MONEY: Final = ("cost", "costs", "price", "money", "spend", "花费", "成本", "费用", "开销", "花销", "cheaper", "便宜")
_TIME: Final = (
    "time",
    "long",
    "longer",
    "duration",
    "训练时间",
    "时间",
    "耗时",
    "用时",
    "时长",
    "runtime",
    "run time",
    "时",
)


def spent(reading: Reading) -> list[tuple[int, Clause]]:
    """Clauses on money or time relative to what exists. Claims the shares they use."""
    made: list[tuple[int, Clause]] = []
    for at in reading.where("comparand"):
        window = _before(reading, at)
        share = next((n for n in window if _is_share(reading, n)), None)
        name = _measure(reading, [*window, *range(at + 1, min(at + 4, len(reading)))])
        if share is None or name is None:
            continue
        reading.claim(share)
        delta = _delta(reading, share)
        relative = {"to": reading[at].readings["comparand"], "delta": delta, "kind": "ratio"}
        clause = {"id": "c", "metric": name, "op": "<=", "value": None, "relative": relative, "where": "run"}
        made.append((share, Clause.model_validate(clause)))
    return made


def _before(reading: Reading, at: int) -> list[int]:
    """The stretch before the yardstick, up to a mark, another metric or another yardstick."""
    found: list[int] = []
    for n in range(at - 1, max(-1, at - 14), -1):
        entity = reading[n]
        if entity.kind == "punct" or entity.means("metric") or entity.means("custom") or entity.means("comparand"):
            break
        found.insert(0, n)
    return found


def _is_share(reading: Reading, n: int) -> bool:
    entity = reading[n]
    half = entity.number == 0.5 and entity.kind in ("number", "term") and not entity.exact
    return reading.free(n) and (entity.dim == "percent" or half)


def _measure(reading: Reading, window: list[int]) -> str | None:
    words = {reading[n].text.lower() for n in window if reading.get(n) is not None}
    if words & set(_MONEY):
        return "cost_usd"
    return "duration_s" if words & set(_TIME) or any(reading[n].means("speed") for n in window) else None


def _delta(reading: Reading, share: int) -> float:
    """`20 % less` is -0.2; `at most 80 % of`, `half of` say what is left."""
    number, after = reading[share].number or 0.0, reading.get(share + 1)
    less = after is not None and (after.means("compar") or after.means("speed"))
    left = (after is not None and after.text.lower() in ("of", "的")) or reading[share].dim != "percent"
    return round(number - 1.0, 12) if left and not less else -number
