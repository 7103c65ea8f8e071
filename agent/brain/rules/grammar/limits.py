"""Money and time: the budget and the deadline of the whole goal, and the contradictions in them."""

from __future__ import annotations

from dataclasses import dataclass

from agent.brain.rules.grammar.calendar import due
from agent.brain.rules.grammar.measures import polarity
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Remark
from tools.language import tr


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The budget, or the question that must be answered before there is one."""

    usd: float | None = None
    per: str | None = None
    question: Remark | None = None
    assumption: Remark | None = None


@dataclass(frozen=True, kw_only=True)
class Deadline:
    seconds: float | None = None
    question: Remark | None = None
    assumption: Remark | None = None


def budget(reading: Reading) -> Budget:
    """The one amount of money the goal allows. Other currencies and two amounts are questions."""
    places = reading.dims("money")
    places = [n for n in places if not _is_past(reading, n)] or places
    foreign = [n for n in places if not reading[n].means("unit", "USD")]
    if foreign:
        currency = reading[foreign[0]].readings.get("unit", tr("another currency"))
        dollars = [n for n in places if n not in foreign]
        if not dollars:
            text = tr("The budget is given in {currency}; how much is it in US dollars?", currency=currency)
            return Budget(question=Remark(field="budget_usd", text=text))
        places = dollars
    if not places:
        return _bare(reading)
    amounts = {reading[n].number for n in places}
    if len(amounts) > 1 and not _range(reading, places):
        named = tr(" and ").join(f"${value:g}" for value in sorted(a for a in amounts if a is not None))
        return Budget(
            question=Remark(
                field="budget_usd", text=tr("The goal names two budgets, {named}; which one holds?", named=named)
            )
        )
    per = next((p for n in places if (p := _per(reading, n)) is not None), None)
    if per == "other":
        text = tr("The goal limits the cost per hour or week; how much may it cost per day, per month or in all?")
        return Budget(question=Remark(field="budget_usd", text=text))
    reading.claim(*places)
    return Budget(usd=max(a for a in amounts if a is not None), per=per)


def _is_past(reading: Reading, at: int) -> bool:
    """`our last attempt cost us $300`, `上次花了 300 美元`: what was spent, or how long it took, limits nothing."""
    said = [n for n in reading.in_clause(at) if reading[n].means("past")]
    return bool(said) and not any(reading[n].means("demand") for n in reading.in_clause(at))


def _bare(reading: Reading) -> Budget:
    """`budget 50`: an amount without a currency is taken as dollars."""
    for cue in reading.where("budget"):
        for n in (cue + 1, cue + 2, cue + 3):
            entity = reading.get(n)
            if entity is None or (
                reading.clause(n) != reading.clause(cue)
                and reading.get(cue + 1) is not None
                and reading[cue + 1].text != ":"
            ):
                break
            if entity.kind == "number" and not entity.dim and entity.exact and reading.free(n):
                reading.claim(n)
                text = tr("the budget of {amount:g} has no currency; US dollars are assumed", amount=entity.number)
                return Budget(usd=entity.number, assumption=Remark(field="budget_usd", text=text))
            if not any(k in entity.readings for k in ("cmp", "filler", "labelverb", "neg")):
                break
    return Budget()


def _range(reading: Reading, places: list[int]) -> bool:
    """`between $10 and $20`, `$10-20`: the upper end is the budget."""
    low, high = places[0], places[-1]
    texts = {e.text.lower() for e in reading.between(low, high)}
    return len(places) == 2 and high - low <= 2 and bool(texts & {"-", "to", "and", "到", "至", "~"})


def _per(reading: Reading, at: int) -> str | None:
    cue = reading.near(at, "per", before=5, after=2)
    if cue is not None:
        value = reading[cue].readings["per"]
        return {"day": "day", "month": "month", "goal": None}.get(value, "other")
    after = reading.get(at + 1)
    if after is not None and after.text in ("/", "per", "every", "each"):
        after = reading.get(at + 2)
    if after is not None and after.dim == "duration" and after.raw == 1 and after.start - reading[at].end <= 4:
        reading.claim(reading.entities.index(after))
        return {86400.0: "day", 2592000.0: "month"}.get(after.number or 0.0, "other")
    if (
        after is not None
        and after.means("unit")
        and reading.get(at + 1) is not None
        and reading[at + 1].text in ("/", "per")
    ):
        return {"duration:86400": "day", "duration:2592000": "month"}.get(after.readings["unit"], "other")
    return _span_before(reading, at)


def _span_before(reading: Reading, at: int) -> str | None:
    """`一个月最多花 50 美元`, `一天不超过 20 刀`: one day or month right before the amount and its comparator."""
    for n in range(at - 1, max(-1, at - 5), -1):
        entity = reading[n]
        if entity.dim == "duration" and entity.raw == 1 and not entity.text.isascii():
            first = n == 0 or reading.clause(n - 1) != reading.clause(n) or reading[n - 1].means("budget")
            per = {86400.0: "day", 2592000.0: "month"}.get(entity.number or 0.0)
            if per and (first or reading.near(n, "deadline", before=0, after=1) is None):
                reading.claim(n)
                return per
            return None
        if (
            not any(kind in entity.readings for kind in ("cmp", "filler", "budget", "neg", "touch"))
            and entity.kind != "han"
        ):
            return None
    return None


def deadline(reading: Reading, *, now: float, utc_offset_s: int) -> Deadline:
    """Seconds from now until the work must be finished; two different ones are a question."""
    spans = [n for n in reading.dims("duration") if _limits(reading, n)]
    reading.claim(*spans)
    values = [reading[n].number or 0.0 for n in spans]
    moment = due(reading, now=now, utc_offset_s=utc_offset_s)
    assumption = None
    if moment is not None:
        values.append(moment.seconds)
        if moment.assumed:
            assumption = Remark(field="deadline_s", text=moment.assumed)
    distinct = list(dict.fromkeys(v for v in values if v > 0))
    if len(distinct) > 1:
        named = tr(" and ").join(f"{v:g} s" for v in distinct)
        return Deadline(
            question=Remark(
                field="deadline_s", text=tr("The goal names two deadlines, {named}; which one holds?", named=named)
            )
        )
    return Deadline(seconds=distinct[0] if distinct else None, assumption=assumption)


def _limits(reading: Reading, at: int) -> bool:
    """Whether a duration nobody else claimed is a limit on the work."""
    before = reading.get(at - 1)
    if _is_past(reading, at) or reading[at].means("unit", "duration:0.001") or reading.clause_has(at, "idle"):
        return False
    if before is not None and (
        before.means("every") or before.text.lower() in ("for", "last", "past", "since", "最近", "过去")
    ):
        return reading.near(at, "deadline", before=3, after=0) is not None and before.text.lower() == "for"
    if before is not None and before.means("watchfor"):
        return _in_time(reading, at)
    titled = reading.get(at - 2)
    if before is not None and before.text == ":" and titled is not None and titled.means("deadline"):
        return True
    if _alone(reading, at) or _beside_money(reading, at):
        return True
    compared = reading.near(at, "cmp", before=3, after=2)
    if compared is not None:
        ruled = any(reading[n].means("neg") for n in reading.in_clause(at) if n < at)
        return ruled or polarity(reading, compared) not in ("ge", "gt")  # `older than 7 days` limits nothing
    cue = reading.near(at, "deadline", before=3, after=3)
    if cue is None:
        return False
    return (
        cue < at
        or not reading[cue].text.isascii()
        or reading[cue].text.lower() in ("deadline", "limit", "time limit", "tops")
    )


def _beside_money(reading: Reading, at: int) -> bool:
    """`30 minutes and 3 dollars`, `3 小时和 25 刀`: what time and money there is."""
    for link, other in ((at + 1, at + 2), (at - 1, at - 2)):
        joint, amount = reading.get(link), reading.get(other)
        if joint is not None and amount is not None and joint.means("and") and amount.dim == "money":
            return True
    return False


def _alone(reading: Reading, at: int) -> bool:
    """`$8, 3 hours.`: a span that is a clause of its own limits a training; beside a rollout it may be a hold."""
    lone = all(n == at or reading[n].kind == "punct" for n in reading.in_clause(at))
    trains = bool(reading.kinds("data")) or bool(reading.where("act", "train"))
    before = reading.get(at - 1)
    return lone and trains and not reading.where("strategy") and before is not None and before.text in ",;.。"


def _in_time(reading: Reading, at: int) -> bool:
    """`in the next two hours` is a limit, `for the next 14 days` and `未来两周` a horizon."""
    cue, after = reading.get(at - 2), reading.get(at + 1)
    if cue is not None and cue.text.lower() in ("in", "within", "done in"):
        return True
    return after is not None and after.means("deadline") and not after.text.isascii()
