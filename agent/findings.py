"""What a person should know beside the clauses: the data, the comparisons, what no threshold was set for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent import judge
from agent.consulting import notes
from agent.contract import Part
from agent.learning import objective, task_of
from agent.observe import Observation
from agent.operated import operated
from agent.state import CallState, Run
from tools.compute import Quote, Quoted
from tools.language import tr
from tools.metrics import metric
from tools.record import Json

MICRO = 1_000_000
SURE = 0.05
"""A difference is shown when resampling alone gives one this large less often than this, over all pairs."""


def results(run: Run, tool: str, part: str | None = None) -> list[Json]:
    """What the finished calls of a tool came to, of one part when it is named."""
    steps = {s.id for p in run.plans for s in p.plan.steps if part in (None, s.part)}
    return [
        c.ended.result
        for c in run.calls.values()
        if c.call.tool == tool
        and c.call.step in steps
        and c.phase == "done"
        and c.ended is not None
        and c.ended.result is not None
    ]


def findings(run: Run) -> tuple[str, ...]:
    """Everything worth knowing, each once, what was asked for first."""
    parts = run.contract.parts if run.contract is not None else ()
    found = [*answers(run), *operated(run), *(line for part in parts for line in _compared(part, run))]
    for tool in ("prepare_data", "evaluate_model"):
        found += [f for result in results(run, tool) for f in result.get("findings", ())]
    for result in results(run, "prepare_data"):
        found += _removed(result)
    found += [tr("the program claims {k} {v}: a claim, not evidence", k=k, v=v) for k, v in _claims(run)]
    told = {p.name for p in parts if p.task == "compare"}
    alone = (o for o in run.observations if o.stage == "holdout" and o.to is None and o.part not in told)
    found += [_unasked(o) for o in alone if not _asked(o, run)]
    found += [tr("{who} changed the goal: {changes}", who=a.who, changes=tr("; ").join(a.changes)) for a in run.amended]
    found += [_left(c, c.ended.message) for c in run.calls.values() if c.ended is not None and c.ended.left]
    found += notes(run.consulted)
    return tuple(dict.fromkeys(found))


def _left(state: CallState, why: str) -> str:
    return tr("{step} ({handle}) may still run: {why}", step=state.call.step, handle=state.handle, why=why)


def answers(run: Run) -> tuple[str, ...]:
    """The sentences that are the result of goals which end with knowing something."""
    parts = run.contract.parts if run.contract is not None else ()
    return tuple(line for part in parts for line in _answer(part, run))


def _answer(part: Part, run: Run) -> Iterator[str]:
    match part.task:
        case "compare":
            yield from _better(part, run)
        case "estimate":
            for result in results(run, "quote_cost", part.name):
                yield _quoted(part, Quoted.model_validate(result))
        case "prepare":
            for result in results(run, "prepare_data", part.name):
                yield _card(part, result)
        case _:
            return


def _removed(result: Json) -> Iterator[str]:
    if removed := result.get("duplicates_removed"):
        yield tr("{removed} exact duplicate rows were removed before the split", removed=removed)
    if removed := result.get("unlabelled_removed"):
        yield tr("{removed} rows without a label were removed", removed=removed)


def _card(part: Part, result: Json) -> str:
    sizes = tr(
        "{train} train, {validation} validation, {holdout} holdout",
        train=result["train_rows"],
        validation=result["validation_rows"],
        holdout=result["holdout_rows"],
    )
    label = tr("no label") if result["label"] is None else tr("label {name}", name=result["label"])
    columns = len(result["columns"])
    return tr(
        "{part}: {rows} rows, {columns} columns, {label}, {sizes}; the data lies in {key}",
        part=part.name,
        rows=result["rows"],
        columns=columns,
        label=label,
        sizes=sizes,
        key=result["key"],
    )


def _quoted(part: Part, quoted: Quoted) -> str:
    if not quoted.quotes:
        return tr("nothing that is offered here fits what {part} names, so its price is not known here", part=part.name)
    first = quoted.quotes[0]
    if first.usd_micro_per_hour is None:
        return tr(
            "the price of {offer} is not known, so nothing can be said about the cost of {part}",
            offer=first.offer,
            part=part.name,
        )
    usd = first.usd_micro_per_hour / MICRO
    hourly = tr("${usd:.4g} an hour on {machines}", usd=usd, machines=_machines(first))
    if first.usd_micro_low is None or first.usd_micro_high is None:
        return tr(
            "{part} costs {hourly}; how long it takes is not known: say for how long, or name the data",
            part=part.name,
            hourly=hourly,
        )
    low, high = first.usd_micro_low / MICRO, first.usd_micro_high / MICRO
    money = f"${low:.4g}" if low == high else tr("${low:.4g} to ${high:.4g}", low=low, high=high)
    return tr(
        "{part} is estimated at {money} for {time} at {hourly}",
        part=part.name,
        money=money,
        time=_time(quoted),
        hourly=hourly,
    )


def estimated(part: Part, run: Run, metric: str) -> tuple[float, float] | None:
    """(low, high) of money in USD or time in s on the cheapest offer, as estimated; None when that is not known."""
    told = [Quoted.model_validate(r) for r in results(run, "quote_cost", part.name)]
    if not told:
        return None
    if metric == "duration_s":
        low, high = told[-1].seconds_low, told[-1].seconds_high
    else:
        quotes = told[-1].quotes if metric == "cost_usd" else ()
        micro = (quotes[0].usd_micro_low, quotes[0].usd_micro_high) if quotes else (None, None)
        low, high = (None if m is None else m / MICRO for m in micro)
    return None if low is None or high is None else (low, high)


def _machines(quote: Quote) -> str:
    return quote.offer if quote.machines == 1 else f"{quote.machines} × {quote.offer}"


def _time(quoted: Quoted) -> str:
    low, high = quoted.seconds_low or 0.0, quoted.seconds_high or 0.0
    units = ((3600.0, tr("h")), (60.0, tr("min")), (1.0, tr("s")))
    size, unit = next((s, u) for s, u in units if high >= 2 * s or s == 1.0)
    if low == high:
        return f"{low / size:.3g} {unit}"
    return tr("{low:.3g} to {high:.3g} {unit}", low=low / size, high=high / size, unit=unit)


def _better(part: Part, run: Run) -> Iterator[str]:
    """Which of the existing models is better, or that no difference was shown."""
    seen = _pairs(part, run)
    if not seen:
        return
    name = seen[0].metric
    sign = _sign(part, name)
    values = {o.called or part.name: o.value for o in seen} | {o.name or tr("the other"): o.other for o in seen}
    known = {k: v for k, v in values.items() if v is not None}
    if not known:
        yield tr("{name} is not defined on these rows for any of {values}", name=name, values=", ".join(values))
        return
    best = max(known, key=lambda k: sign * known[k])
    mine = [o for o in seen if best in (o.called or part.name, o.name)]
    even = [o for o in mine if not shown(o, pairs=len(seen))]
    if even:
        rivals = [o.name if (o.called or part.name) == best else o.called or part.name for o in even]
        yield tr(
            "by {name} no difference is shown between {best} and {rivals}: {figures}",
            name=name,
            best=best,
            rivals=", ".join(map(str, rivals)),
            figures=_figures(even),
        )
    else:
        yield tr("by {name} {best} is better: {figures}", name=name, best=best, figures=_figures(mine))


def _pairs(part: Part, run: Run) -> list[Observation]:
    """The paired comparisons with other models by the first metric that they have."""
    mine = [o for o in run.observations if (o.part, o.stage, o.to) == (part.name, "holdout", "other")]
    wanted = part.objective.metric if part.objective is not None else None
    name = wanted if any(o.metric == wanted for o in mine) else mine[0].metric if mine else ""
    return [o for o in mine if o.metric == name and o.of == mine[0].of]


def shown(seen: Observation, *, pairs: int = 1) -> bool:
    """Whether the difference is more than resampling alone gives; of several pairs each must be surer (Bonferroni)."""
    if not seen.difference:
        return False
    apart = seen.low is not None and seen.high is not None and not seen.low <= 0.0 <= seen.high
    return apart and (seen.p_value is None or seen.p_value < SURE / max(1, pairs))


def _compared(part: Part, run: Run) -> Iterator[str]:
    """Comparisons that no clause asks for, by what decides: a baseline that is not beaten, and other candidates."""
    deciding = objective(part, task_of(part, run.survey))[0]
    for seen in run.observations:
        about = (seen.part, seen.stage, seen.metric) == (part.name, "holdout", deciding)
        if not about or seen.to is None or _asked(seen, run):
            continue
        if seen.to == "baseline" and not _beats(seen, part):
            ahead = seen.low is None and _sign(part, seen.metric) * (seen.difference or 0.0) > 0
            yield tr(
                "by {metric} the model of {part} is better than the baseline ({baseline}), on too little to be sure: "
                "{figure}"
                if ahead
                else "by {metric} the model of {part} is not shown to beat the baseline ({baseline}): {figure}",
                metric=seen.metric,
                part=part.name,
                baseline=tr(_BASELINE[task_of(part, run.survey)]),
                figure=_figure(seen),
            )
        elif seen.to == "other" and part.task != "compare":
            yield _rival(seen, part, run)


_BASELINE = {
    "classification": "the most frequent class",
    "regression": "the mean",
    "text-classification": "the most frequent class",
    "image-classification": "the most frequent class",
    "recommendation": "the most popular items",
    "clustering": "one group",
    "forecasting": "the seasonal naive forecast",
}


def _beats(seen: Observation, part: Part) -> bool:
    return shown(seen) and _sign(part, seen.metric) * (seen.difference or 0.0) > 0


def _rival(seen: Observation, part: Part, run: Run) -> str:
    chosen = [r.get("family") for r in results(run, "select_model", part.name)]
    own = str(chosen[-1]) if chosen else part.name
    pairs = len([o for o in run.observations if o.step == seen.step and o.to == "other" and o.metric == seen.metric])
    if not shown(seen, pairs=pairs):
        return tr(
            "by {metric} no difference is shown between {own} and {name}: {figure}",
            metric=seen.metric,
            own=own,
            name=seen.name,
            figure=_figure(seen),
        )
    ahead = _sign(part, seen.metric) * (seen.difference or 0.0) > 0
    first, second = (own, seen.name) if ahead else (seen.name, own)
    return tr(
        "by {metric} {first} is better than {second} on the holdout: {figure}",
        metric=seen.metric,
        first=first,
        second=second,
        figure=_figure(seen),
    )


def _sign(part: Part, name: str) -> float:
    known = metric(name)
    if known is not None:
        return 1.0 if known.better == "max" else -1.0
    wanted = part.objective
    return -1.0 if wanted is not None and wanted.metric == name and wanted.direction == "min" else 1.0


def _figures(seen: Sequence[Observation]) -> str:
    return tr("; ").join(_figure(o) for o in seen)


def _figure(seen: Observation) -> str:
    if seen.value is None or seen.other is None or seen.difference is None:
        return tr("{name}: not defined on these rows", name=seen.name)
    span = "" if seen.low is None or seen.high is None else f" [{seen.low:+.4g}, {seen.high:+.4g}]"
    own = f"{seen.called} " if seen.called else ""
    return tr(
        "{own}{value:.6g} against {other:.6g} of {name}, difference {difference:+.4g}{span}",
        own=own,
        value=seen.value,
        other=seen.other,
        name=seen.name,
        difference=seen.difference,
        span=span,
    )


def _claims(run: Run) -> list[tuple[str, int | float | str]]:
    """What a user's own program says of itself, as far as it is short."""
    pairs = [(str(k)[:40], v) for r in results(run, "launch_training") for k, v in r.get("claimed", {}).items()]
    return [(k, v) for k, v in pairs if isinstance(v, int | float | str) and len(str(v)) < 40][:20]


def _asked(seen: Observation, run: Run) -> bool:
    parts = run.contract.parts if run.contract is not None else ()
    return any(judge.answers(c, seen) for p in parts if p.name == seen.part for c in p.clauses)


def _unasked(seen: Observation) -> str:
    value = tr("undefined") if seen.value is None else f"{seen.value:.6g}"
    span = "" if seen.low is None or seen.high is None else f" [{seen.low:.6g}, {seen.high:.6g}]"
    whose = seen.called or seen.part
    return tr(
        "{metric} of {whose} on the holdout is {value}{span}; no clause asks for it",
        metric=seen.metric,
        whose=whose,
        value=value,
        span=span,
    )
