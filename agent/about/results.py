"""What was measured in a run, and of which models: clauses with their evidence, figures, scores, looks."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import Row, Told
from agent.documents import Attained, Bars, ClauseVerdict, Matrix
from agent.state import CallState
from agent.wording import clean, interval, number, outside
from tools.inert import Seen, marked
from tools.language import plural, tr
from tools.recipes.records import LOOKS
from tools.record import Json

_TRAINS = ("tune_model", "launch_training")
_PARAMS = 6
"""Settings of a model that are told."""


def clauses(told: Told) -> Iterator[Row]:
    """Topic `clauses`: each with its verdict, the number and its interval, and the line of its evidence."""
    for verdict in told.report.clauses:
        says = tr("clause {demanded} ({part})", demanded=outside(verdict.demanded), part=verdict.part)
        yield Row("clauses", says, _judged(verdict), _line(verdict))
        if verdict.evidence is not None and verdict.evidence.path:
            where = tr("evidence of {demanded}", demanded=outside(verdict.demanded))
            yield Row("clauses", where, clean(verdict.evidence.path), _line(verdict))
    if not told.report.clauses:
        yield Row("clauses", tr("clauses"), tr("there are none yet"), told.end)


def _judged(verdict: ClauseVerdict) -> str:
    said = [tr(verdict.verdict)]
    if verdict.measured is not None:
        between = f" {interval(verdict.interval)}" if verdict.interval is not None else ""
        said.append(tr("measured {value}", value=number(verdict.measured)) + between)
    else:
        said.append(tr("not measured"))
    if verdict.note and verdict.note not in said:
        said.append(outside(verdict.note))
    return tr("; ").join(said)


def _line(verdict: ClauseVerdict) -> int | None:
    """`RUN#25` is line 25."""
    seq = verdict.evidence.id.rpartition("#")[2] if verdict.evidence is not None else ""
    return int(seq) if seq.isdecimal() and int(seq) else None


def figures(told: Told) -> Iterator[Row]:
    """Topic `figures`: confusion matrices row by row, what was measured in order, and series."""
    drawn = told.report.figures
    for matrix in drawn.matrices:
        yield from _matrix(matrix, _evaluated(matrix.part, told))
    for attained in drawn.attained:
        points = ", ".join(f"{tr(p.stage)} {number(p.value)}" for p in attained.points)
        says = tr("{metric} of {part} as it was measured", metric=attained.metric, part=attained.part)
        yield Row("figures", says, points, _seen(attained, told))
    for bars in drawn.bars:
        yield _series(bars, _evaluated(bars.part, told))
    if not drawn.matrices:
        yield Row("figures", tr("confusion matrix"), tr("none is on record"), told.end)


def _matrix(matrix: Matrix, seq: int | None) -> Iterator[Row]:
    """Names of classes come from the data."""
    for label, counts in zip(matrix.classes, matrix.counts, strict=False):
        says = tr("confusion matrix of {part}, rows labelled {label}", part=matrix.part, label=_quoted(label))
        row = ", ".join(f"{_quoted(c)} {n}" for c, n in zip(matrix.classes, counts, strict=False))
        yield Row("figures", says, tr("predicted {row}", row=row), seq, outside=True)


def _quoted(name: str) -> str:
    return marked(Seen(text=outside(name, limit=60), count=1, lines=()))


def _series(bars: Bars, seq: int | None) -> Row:
    says = tr("{metric} of {part} by {of}", metric=bars.metric, part=bars.part, of=tr(_BY[bars.of]))
    row = ", ".join(f"{_quoted(n)} {number(v)}" for n, v in zip(bars.names, bars.values, strict=False))
    return Row("figures", says, row, seq, outside=True)


def _seen(attained: Attained, told: Told) -> int | None:
    """The line of the last measurement of a metric."""
    mine = (attained.part, attained.metric)
    seen = zip(told.run.observations, told.run.observed_at, strict=False)
    return max((seq for o, seq in seen if (o.part, o.metric) == mine), default=None)


_BY = {"error_by_horizon": "steps ahead", "ranking": "length of the list", "clusters": "cluster"}


def _evaluated(part: str, told: Told) -> int | None:
    """The line of the part's last evaluation, else of its last choice on validation."""
    for tool in ("evaluate_model", "select_model"):
        steps = {s.id for p in told.run.plans for s in p.plan.of_part(part) if s.tool == tool}
        done = [c.seq for c in told.run.calls.values() if c.call.step in steps and c.phase == "done"]
        if done:
            return max(done)
    return None


def models(told: Told) -> Iterator[Row]:
    """Topic `models`: what was tried, with what on validation; what was chosen, registered, served."""
    tried = [c for c in told.run.calls.values() if c.call.tool in _TRAINS and c.started_at is not None]
    for state in tried:
        yield Row("models", tr("tried in {step}", step=state.call.step), _tried(state), state.seq, _claims(state))
    for state in told.run.calls.values():
        result = state.ended.result if state.phase == "done" and state.ended is not None else None
        if result is not None and state.call.tool in _SAID:
            yield Row("models", tr(_SAID[state.call.tool]), _named(result), state.seq)
    if not tried:
        yield Row("models", tr("models that were tried"), tr("none so far"), told.end)


_SAID = {
    "select_model": "chosen on validation",
    "register_model": "registered",
    "deploy_model": "deployed",
}


def _tried(state: CallState) -> str:
    if state.phase == "failed" and state.ended is not None:
        return tr("{family} failed ({cause})", family=_family(state), cause=state.ended.cause)
    result = state.ended.result if state.phase == "done" and state.ended is not None else None
    if result is None:
        return tr("{family} is under way", family=_family(state))
    said = tr("{family}, {value} on validation", family=_family(state), value=_score(result))
    if result.get("trials"):
        said += tr(", {trials}", trials=plural(int(result["trials"]), "trial"))
    params = result.get("params") or {}
    told = ", ".join(
        f"{outside(str(k), limit=40)}={outside(str(v), limit=40)}" for k, v in list(params.items())[:_PARAMS]
    )
    return f"{said} ({told})" if told else said


def _family(state: CallState) -> str:
    return str(state.call.args.get("family") or tr("the goal's own program"))


def _score(result: Json) -> str:
    value = result.get("value")
    return number(value) if isinstance(value, int | float) else tr("unmeasured")


def _claims(state: CallState) -> bool:
    """What the user's own program left may hold text of its own."""
    return state.call.tool == "launch_training"


def _named(result: Json) -> str:
    name = next((str(result[k]) for k in ("version", "family", "url") if result.get(k)), tr("done"))
    if result.get("family") and "value" in result:
        return tr("{family}, {value} on validation", family=name, value=_score(result))
    return outside(name)


def holdout(told: Told) -> Iterator[Row]:
    """Topic `holdout`: how often it was opened, and how it was kept apart."""
    yield Row(
        "holdout", tr("looks at the holdout"), tr("{n} of {most}", n=told.report.holdout_looks, most=LOOKS), told.end
    )
    yield Row("holdout", tr("isolation of the training jobs"), tr(told.report.isolation), told.end)
    for n, seen in enumerate(told.run.observations):
        if seen.stage == "holdout" and n < len(told.run.observed_at):
            value = tr("undefined") if seen.value is None else number(seen.value)
            rows = f" ({plural(seen.n, 'row')})" if seen.n is not None else ""
            says = tr("{metric} of {part} on the holdout", metric=seen.metric, part=seen.part)
            yield Row("holdout", says, value + rows, told.run.observed_at[n])
