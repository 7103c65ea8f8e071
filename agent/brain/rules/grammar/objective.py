"""What a part optimises, when it names a metric to choose by."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.measures import Mention
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Objective
from tools.metrics import metric

_DECIDES: Final = (
    "为准", "为指标", "作为指标", "优化", "说了算", "decides", "wins", "counts", "matters", "is decisive",
    "is the criterion", "is what counts", "is what matters", "is what we care about", "decides it",
)  # fmt: skip
_WHO: Final = {"低": "min", "小": "min", "高": "max", "大": "max", "好": "max"}


def objective(reading: Reading, found: list[Mention], matched: set[int], task: str) -> Objective | None:
    for mention in found:
        best = _best(reading, mention.at)
        cue = _optimised(reading, mention.at, weak=mention.at not in matched)
        lone = task == "compare" and mention.at not in matched
        if best is None and not cue and not lone:
            continue
        known = metric(mention.name)
        if known is None and best is None and matched:
            continue  # `the miss rate is what matters: recall 95 %`
        better = best or (known.better if known is not None else "max")
        return Objective.model_validate({"metric": mention.name, "direction": better})
    return by_means(reading)


def _best(reading: Reading, at: int) -> str | None:
    """`lowest RMSE`, `MAE 最小`: not when a figure follows, for then it is a comparator."""
    known = metric(reading[at].readings.get("metric", ""))
    told = reading.get(at + 1)
    asked = any(reading[n].text.startswith(("谁", "哪")) for n in reading.in_clause(at))
    if told is not None and told.text[:1] in _WHO and (asked or told.text[1:2] in ("者", "的")):
        return _WHO[told.text[:1]] if told.text[:1] != "好" or known is None else known.better
    for n in (at - 1, at - 2, at + 1, at + 2):
        entity, after = reading.get(n), reading.get(n + 1)
        if n == at + 2 and (told is None or not told.means("filler") or told.text.isascii()):
            continue  # `把 log loss 降到最低`
        if entity is None or not entity.means("best") or reading.clause(n) != reading.clause(at):
            continue
        if (
            n == at - 2
            and not any(reading[at - 1].means(k) for k in ("filler", "det", "article"))
            and reading[at - 1].text != "possible"
        ):
            continue
        if (entity.means("cmp") or n > at) and after is not None and after.number is not None:
            continue  # `R2 最好 0.8 往上` asks for 0.8
        if n > at and entity.text.isascii() and not entity.text.lower().startswith("as "):
            continue
        value = entity.readings["best"]
        if entity.text.lower() in ("best", "better", "最好", "最优", "更好", "最佳") and known is not None:
            return known.better
        return value
    return None


def _optimised(reading: Reading, at: int, *, weak: bool) -> bool:
    after = reading.get(at + 1)
    if after is not None and after.text.lower() in _DECIDES:
        return True
    for n in range(at - 1, max(-1, at - 4), -1):
        entity = reading[n]
        if reading.clause(n) != reading.clause(at) and entity.text != ":":
            return False
        if entity.means("act", "compare"):
            return weak
        if entity.means("optimise"):
            if entity.text.lower() not in lexicon().words["weak"]:
                return True
            return weak and not reading.sentence_has(at, "comparand")
        if not any(k in entity.readings for k in ("filler", "article", "det")):
            return False
    return False


_CHOICE: Final = (
    "take", "pick", "choose", "select", "keep", "use", "whichever", "prefer", "go", "选", "取", "用", "挑", "留",
    "选用", "采用", "哪个", "whatever", "the",
)  # fmt: skip


def by_means(reading: Reading) -> Objective | None:
    """`take whichever trains fastest`, `选花费最低的`: what it costs decides, not a score."""
    for at in reading.where("superlative"):
        chosen = any(
            reading[n].text.lower() in _CHOICE or reading[n].text[:1] in "选取挑留"
            for n in reading.in_clause(at)
            if n != at
        )
        if chosen and not reading.negated(at):
            return Objective.model_validate({"metric": reading[at].readings["superlative"], "direction": "min"})
    return None
