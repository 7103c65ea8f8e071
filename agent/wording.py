"""Values in words, for every screen and report. What outside text loses before it is shown: `tools.inert`.

Pure: knows the records, no terminal and no format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from agent.contract import Clause, Contract, Objective, Part, Rollout
from agent.documents import ClauseVerdict, Pace, RunDocument, Verdict
from agent.plan import Range
from tools.amounts import duration as duration
from tools.amounts import money as money
from tools.inert import clean as clean
from tools.inert import outside as outside
from tools.language import plural, tr
from tools.metrics import metric


def moment(text: str) -> str:
    """An RFC 3339 time in UTC to the minute: `2026-03-02 09:00Z`; anything else as it is."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(?:Z|\+00:00)", text)
    return f"{match[1]} {match[2]}Z" if match else clean(text)


def number(value: float | str | None) -> str:
    """6 significant digits, without an exponent between 1e-4 and 1e15."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return clean(value)
    text = f"{value:.6g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e15 else text


def span(value: Range, unit: Literal["usd", "seconds"]) -> str:
    """A range in words: `$0.10–$0.40`, `8–12 s`, `50 s–2 min`, `at least $3.00`, `unknown`."""
    show = money if unit == "usd" else _rough
    if value.low is None and value.high is None:
        return tr("unknown")
    if value.low is None or value.high is None:
        known = value.low if value.high is None else value.high
        return tr("at least {value}" if value.high is None else "at most {value}", value=show(known))
    low, high = show(value.low), show(value.high)
    if low == high:
        return low
    number_, _, name = low.rpartition(" ")
    same_unit = unit == "seconds" and " " not in number_ and high.endswith(f" {name}") and high.count(" ") == 1
    return f"{number_ if same_unit else low}–{high}"


def _rough(seconds: float | None) -> str:
    """An estimate: tenths only below a second."""
    return duration(seconds if seconds is None or seconds < 1 else float(round(seconds)))


def percent(fraction: float) -> str:
    return f"{fraction * 100:.0f} %"


def demand(clause: Clause) -> str:
    """A clause in words, without where it is measured: `recall of yes >= 0.9`."""
    of = tr("{metric} of {name}", metric=clause.metric, name=clean(clause.class_)) if clause.class_ else clause.metric
    words = f"{of} {clause.op} {_threshold(clause)}"
    if clause.confidence is not None:
        words += tr(" with {share} confidence", share=percent(clause.confidence))
    if clause.window_s is not None:
        words += tr(" over {time}", time=duration(clause.window_s))
    return words


def _threshold(clause: Clause) -> str:
    if clause.relative is None:
        return number(clause.value)
    relative = clause.relative
    if not relative.delta:
        return tr("the {model}'s", model=tr(relative.to))
    delta = percent(relative.delta) if relative.kind == "ratio" else number(relative.delta)
    return tr("the {model}'s", model=tr(relative.to)) + f" {'' if delta.startswith('-') else '+'}{delta}"


def wanted(objective: Objective) -> str:
    """What is optimised, in words."""
    if objective.direction == "max":
        return tr("{metric} as high as possible", metric=objective.metric)
    return tr("{metric} as low as possible", metric=objective.metric)


def budget(contract: Contract) -> str:
    """The contract's budget: `$5.00`, `$60.00 a month`."""
    usd = money(contract.budget_usd)
    if contract.budget_per in (None, "goal"):
        return usd
    return tr("{usd} a day", usd=usd) if contract.budget_per == "day" else tr("{usd} a month", usd=usd)


def spent(usd: float, limit: float | None) -> str:
    """What was spent, beside the budget where there is one."""
    return money(usd) if limit is None else tr("{usd} of {limit}", usd=money(usd), limit=money(limit))


def paces(pace: Pace) -> Iterator[tuple[str, str]]:
    """(name, figure) of what goes on and of what it comes to; nothing of what costs nothing."""
    if pace.usd_per_hour:
        yield tr("what goes on"), tr("{usd} an hour", usd=money(pace.usd_per_hour))
    if pace.home_usd_per_hour > pace.usd_per_hour:
        yield tr("all runs of this home"), tr("{usd} an hour", usd=money(pace.home_usd_per_hour))
    if pace.month_forecast_usd:
        so_far, most = money(pace.month_usd), money(pace.month_forecast_usd)
        yield tr("all runs this month"), tr("{usd} so far, {most} with what is reserved", usd=so_far, most=most)


def measured_where(clause: Clause) -> str:
    """Where a clause is measured: `on holdout`, `live`, `at the end`."""
    return {
        "holdout": tr("on holdout"),
        "live": tr("on live traffic"),
        "run": tr("of the run"),
        "state": tr("at the end"),
    }[clause.where]


def rollout(value: Rollout) -> str:
    """How a model reaches traffic, in a phrase."""
    words = [tr(value.strategy.replace("_", "/"))]
    if value.steps:
        words[0] += " " + " → ".join(f"{number(step)}" for step in value.steps) + " %"
    if value.hold_s is not None:
        words.append(tr("{time} each", time=duration(value.hold_s)))
    if value.replicas is not None:
        words.append(plural(value.replicas, "replica"))
    if value.min_replicas is not None or value.max_replicas is not None:
        most = value.max_replicas if value.max_replicas is not None else tr("any number of")
        words.append(tr("{low} to {high} replicas", low=value.min_replicas or 0, high=most))
    if value.lease_s is not None:
        words.append(tr("up for {time}", time=duration(value.lease_s)))
    return ", ".join(words)


def work(part: Part) -> str:
    """What a part is about: `classification of species from penguins.csv`."""
    labels = [clean(d.label) for d in part.data if d.label]
    task = tr(part.task)
    source = ", ".join(clean(d.uri) for d in part.data)
    if labels and source:
        return tr("{task} of {label} from {source}", task=task, label=labels[0], source=source)
    if source:
        return tr("{task} from {source}", task=task, source=source)
    target = labels[0] if labels else clean(part.target or "")
    return tr("{task} of {label}", task=task, label=target) if target else task


def evidence(verdict: ClauseVerdict) -> str:
    """Where a verdict can be checked: the record's id and the file."""
    if verdict.evidence is None:
        return tr("none")
    return verdict.evidence.id + (f" · {clean(verdict.evidence.path)}" if verdict.evidence.path else "")


def is_measured(verdict: ClauseVerdict) -> bool:
    """Whether a model or an endpoint was measured for it, rather than the run itself still under way."""
    known = metric(verdict.metric)
    return verdict.measured is not None and (known is None or known.where in ("holdout", "live"))


def interval(value: tuple[float, float] | None) -> str:
    return "" if value is None else f"[{number(value[0])}, {number(value[1])}]"


def headline(document: RunDocument) -> tuple[str, str]:
    """How a run stands, in a word and a sentence."""
    run = document.run
    if run.status in _UNFINISHED:
        return _UNFINISHED[run.status], run.reason
    refused = document.feasibility.verdict == "refused" or run.exit_code == 3
    verdicts = [v.verdict for v in run.clauses]
    if refused:
        return "REFUSED", run.reason
    if document.feasibility.verdict == "needs_input":
        return "NEEDS INPUT", run.reason
    if run.exit_code == 1 or "NOT MET" in verdicts:
        return "NOT MET", run.reason or _count(verdicts)
    if run.exit_code == 4 or "UNPROVEN" in verdicts:
        return "UNPROVEN", run.reason or _count(verdicts)
    return "MET", run.reason or _count(verdicts)


_UNFINISHED = {
    "planning": "PLANNING",
    "waiting": "WAITING",
    "running": "RUNNING",
    "cancelled": "CANCELLED",
    "failed": "FAILED",
}


def _count(verdicts: list[Verdict]) -> str:
    met = verdicts.count("MET")
    return tr("{met} of {clauses} met", met=met, clauses=plural(len(verdicts), "clause")) if verdicts else ""
