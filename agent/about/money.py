"""What a run has cost and will cost, and what its brain took: from the ledger's view in the report, and the journal."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import MICRO, Row, Told
from agent.lines import Consulted
from agent.plan import total
from agent.record.ledger import Crossing
from agent.sentences import sentence
from agent.state import Ended, Overran, Planned, Settled, Stated, Understood
from agent.wording import budget, money, paces, span
from tools.language import plural, tr


def cost(told: Told) -> Iterator[Row]:
    """Topic `cost`: spent, reserved, what it comes to, what is allowed; by source and by step."""
    run, report = told.run, told.report
    paid = max(told.last(Ended) or 0, told.last(Settled) or 0) or told.end
    yield Row("cost", tr("spent so far"), money(report.spent.usd), paid)
    for source, usd in report.spent.by.items():
        yield Row("cost", tr("of that for {source}", source=tr(source)), money(usd), paid)
    yield Row("cost", tr("reserved for what runs"), money(run.reserved_micro / MICRO), told.end)
    yield Row("cost", tr("what it comes to at most if nothing new starts"), money(report.pace.forecast_usd), told.end)
    if run.plans:
        planned = span(total(run.plan.steps).usd, "usd")
        yield Row("cost", tr("what the whole plan is estimated to cost"), planned, told.last(Planned))
    yield from _allowed(told)
    for name, figure in paces(report.pace):
        yield Row("cost", name, figure, told.end)
    for state in run.calls.values():
        if state.settled_micro:
            yield Row(
                "cost", tr("what {step} cost", step=state.call.step), money(state.settled_micro / MICRO), state.seq
            )
    for seq, crossing in told.lines(Crossing):
        yield Row("cost", tr("a threshold was crossed"), sentence(crossing), seq)
    for seq, over in told.lines(Overran):
        yield Row("cost", tr("a bill came in above its reservation"), sentence(over), seq)


def _allowed(told: Told) -> Iterator[Row]:
    contract = told.run.contract
    if contract is None or contract.budget_usd is None:
        yield Row("cost", tr("the budget"), tr("the goal names none"), told.last(Understood))
        return
    yield Row("cost", tr("the budget"), budget(contract), told.last(Understood))
    if contract.budget_per in (None, "goal"):
        left = contract.budget_usd - (told.run.settled_micro + told.run.reserved_micro) / MICRO
        yield Row("cost", tr("left of the budget"), money(max(0.0, left)), told.end)


def brain(told: Told) -> Iterator[Row]:
    """Topic `brain`: which brain the run has, and what a model was asked and took."""
    name = told.run.stated.brain if told.run.stated is not None else told.report.brain
    yield Row("brain", tr("the brain"), tr(_NAMES.get(name, name)), told.first(Stated))
    asked = list(told.lines(Consulted))
    if not asked:
        yield Row("brain", tr("calls of a language model"), tr("none"), told.end)
        return
    last = asked[-1][0]
    records = [record for _, record in asked]
    taken, given = sum(r.tokens_in for r in records), sum(r.tokens_out for r in records)
    yield Row("brain", tr("calls of a language model"), plural(len(records), "call"), last)
    tokens = tr("{taken} read, {given} written", taken=taken, given=given)
    yield Row("brain", tr("tokens of the language model"), tokens, last)
    priced = [r.usd_micro for r in records if r.usd_micro is not None]
    usd = money(sum(priced) / MICRO) if len(priced) == len(records) else tr("not known: its price is not")
    yield Row("brain", tr("what the language model cost"), usd, last)
    yield Row("cost", tr("what the language model cost"), usd, last)
    for seq, record in asked:
        if record.outcome != "answered" or record.instead:
            yield Row("brain", tr("the model was asked to {purpose}", purpose=tr(record.purpose)), _went(record), seq)


def _went(record: Consulted) -> str:
    why = f"{tr(': ')}{record.why}" if record.why else ""
    instead = tr("; the embedded brain did it") if record.instead else ""
    return f"{tr(record.outcome)}{why}{instead}"


_NAMES = {"rules": "the embedded brain", "llm": "a language model", "none": "none: it was an order"}
