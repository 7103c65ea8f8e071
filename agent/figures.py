"""The numbers behind a report's pictures, from the journal and the evaluations it points to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from agent import judge
from agent.contract import Clause, Part
from agent.documents import Attained, Bars, Figures, Histogram, Matrix, Point, Span, StepPhase
from agent.observe import QUANTILES
from agent.state import CallState, Run
from tools import latency
from tools.record import Json

LARGEST_MATRIX = 30
"""Classes beyond which a matrix shows nothing to the eye."""
_PHASE: Mapping[str, StepPhase] = {"done": "done", "failed": "failed", "running": "running", "intended": "running"}


def evaluations(run: Run) -> Mapping[str, str]:
    """Part → object key of its latest evaluation."""
    return {
        str(step.part): str(result["key"])
        for planned in run.plans
        for step in planned.plan.steps
        if step.tool == "evaluate_model" and (result := run.result(step.id)) is not None
    }


def figures(run: Run, evidence: Mapping[str, Json]) -> Figures:
    """Every figure that can be drawn; `evidence` holds `evaluation.json` by part."""
    parts = run.contract.parts if run.contract is not None else ()
    return Figures(
        attained=tuple(a for p in parts for c in p.clauses if (a := _attained(c, p, run)) is not None),
        matrices=tuple(m for part, told in evidence.items() if (m := _matrix(part, told)) is not None),
        histograms=(
            *(h for part, told in evidence.items() if (h := _residuals(part, told)) is not None),
            *(h for p in parts if (h := _latency(p, run)) is not None),
        ),
        bars=tuple(b for part, told in evidence.items() for b in _bars(part, told)),
        timeline=tuple(_timeline(run)),
    )


def _attained(clause: Clause, part: Part, run: Run) -> Attained | None:
    target = judge.threshold(clause)
    if clause.where not in ("holdout", "live") or target is None:
        return None
    stages = ("live",) if clause.where == "live" else ("validation", "holdout")
    points = tuple(
        Point(step=o.step, stage=o.stage, value=o.value, low=o.low, high=o.high)
        for o in run.observations
        if o.part == part.name and o.stage in stages and o.value is not None and judge.answers(clause, o)
    )
    if not points:
        return None
    return Attained(part=part.name, clause=clause.id, metric=clause.metric, op=clause.op, target=target, points=points)


def _matrix(part: str, told: Json) -> Matrix | None:
    confusion, classes = told.get("confusion"), told.get("classes")
    if not confusion or not classes or len(classes) > LARGEST_MATRIX:
        return None
    return Matrix(part=part, classes=tuple(classes), counts=tuple(tuple(row) for row in confusion["counts"]))


def _residuals(part: str, told: Json) -> Histogram | None:
    bins = (told.get("residuals") or {}).get("histogram")
    if not bins:
        return None
    return Histogram(part=part, of="residuals", edges=tuple(bins["edges"]), counts=tuple(bins["rows"]))


def _latency(part: Part, run: Run) -> Histogram | None:
    """Of the last watch of the version that the part ended with."""
    watched = [s for s in run.plan.of_part(part.name) if s.tool == "monitor_endpoint" and run.done(s.id)]
    result = run.result(watched[-1].id) if watched else None
    bins = [(float(upper), int(count)) for upper, count in (result or {}).get("traffic", {}).get("histogram_ms", ())]
    edges, counts = latency.whole(bins)
    if not counts:
        return None
    targets = [c.value for c in part.clauses if c.metric in QUANTILES and isinstance(c.value, int | float)]
    target = float(targets[0]) if targets else None
    return Histogram(part=part.name, of="latency_ms", edges=edges, counts=counts, target=target)


def _bars(part: str, told: Json) -> Iterator[Bars]:
    """Error by steps ahead, ranking by length of the list, silhouette by cluster: whichever the evaluation holds."""
    if steps := (told.get("forecast") or {}).get("error_by_step"):
        yield _series(part, "error_by_horizon", "rmse", steps, "step", "rmse", ("seasonal naive", "naive_rmse"))
    if cutoffs := (told.get("ranking") or {}).get("by_cutoff"):
        rows = [{**row, "popular": (row.get("popularity") or {}).get("ndcg")} for row in cutoffs]
        yield _series(part, "ranking", "ndcg", rows, "cutoff", "ndcg", ("popularity", "popular"))
    if clusters := (told.get("clusters") or {}).get("each"):
        yield _series(part, "clusters", "silhouette", clusters, "cluster", "silhouette", None)


def _series(
    part: str,
    of: Literal["error_by_horizon", "ranking", "clusters"],
    metric: str,
    rows: Sequence[Json],
    name: str,
    value: str,
    other: tuple[str, str] | None,
) -> Bars:
    """Rows of an evaluation as bars; the other series only where every row has it."""
    known = [row for row in rows if row.get(value) is not None]
    others = [row.get(other[1]) for row in known] if other is not None else []
    whole = other is not None and all(v is not None for v in others)
    return Bars(
        part=part,
        of=of,
        metric=metric,
        names=tuple(str(row[name]) for row in known),
        values=tuple(float(row[value]) for row in known),
        other=other[0] if other is not None and whole else "",
        others=tuple(float(v) for v in others if v is not None) if whole else (),
    )


def _timeline(run: Run) -> Iterator[Span]:
    calls = [c for c in run.calls.values() if c.started_at is not None]
    for state in sorted(calls, key=lambda c: (c.started_at or 0.0, c.seq)):
        yield _span(state, run)


def _span(state: CallState, run: Run) -> Span:
    started = state.started_at or run.started
    ended = state.ended_at if state.ended_at is not None else run.last
    step = next((s for p in reversed(run.plans) for s in p.plan.steps if s.id == state.call.step), None)
    return Span(
        step=state.call.step,
        tool=state.call.tool,
        part=step.part if step is not None else None,
        start_s=round(started - run.started, 3),
        seconds=round(max(0.0, ended - started), 3),
        phase=_PHASE.get(state.phase, "pending"),
        attempt=state.call.attempt,
    )
