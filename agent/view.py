"""A run at one instant, for screens: the fold of its journal with the latest look at what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.documents import Revised, RunView, Status, StepPhase, StepView
from agent.plan import Step
from agent.record.ledger import Burn
from agent.report import MICRO, clause_verdicts, pace
from agent.state import CallState, Run
from tools.language import tr
from tools.ports import Progress
from tools.record import Json

_PHASE: Mapping[str, StepPhase] = {
    "held": "asking",
    "refused": "refused",
    "approved": "pending",
    "intended": "running",
    "running": "running",
    "done": "done",
    "failed": "failed",
}


def view(run: Run, *, status: Status, now: float, progress: Mapping[str, Progress | None], burn: Burn) -> RunView:
    """What a person sees; `progress` is by call id."""
    contract = run.contract
    plan = run.plans[-1].plan if run.plans else None
    return RunView(
        id=run.id,
        status=status,
        goal=run.stated.goal.text if run.stated is not None else "",
        plan_version=plan.version if plan is not None else 0,
        revisions=tuple(Revised(version=p.plan.version, why=p.plan.why) for p in run.plans[1:]),
        steps=tuple(_step(s, run, progress) for s in plan.steps) if plan is not None else (),
        clauses=clause_verdicts(run) if run.plans else (),
        pending=tuple(run.pending.values()),
        spent_usd=run.settled_micro / MICRO,
        reserved_usd=run.reserved_micro / MICRO,
        pace=pace(run, burn),
        budget_usd=contract.budget_usd if contract is not None else None,
        started=run.started,
        now=now,
    )


def _step(step: Step, run: Run, progress: Mapping[str, Progress | None]) -> StepView:
    state = run.of_step(step.id)
    phase: StepPhase = "pending" if state is None else _PHASE[state.phase]
    if state is None and run.report is not None:
        phase = "skipped"
    return StepView(
        id=step.id,
        tool=step.tool,
        part=step.part,
        phase=phase,
        needs=step.needs,
        started=state.started_at if state is not None else None,
        ended=state.ended_at if state is not None else None,
        expected_s=_expected(step),
        progress=progress.get(state.call.id) if state is not None and phase == "running" else None,
        summary=summary(state) if state is not None else "",
        attempt=state.call.attempt if state is not None else 1,
    )


def _expected(step: Step) -> float | None:
    seconds = step.estimate.seconds
    if seconds.low is None or seconds.high is None:
        return None
    return (seconds.low + seconds.high) / 2


def summary(state: CallState) -> str:
    """One line of what came out; numbers are the result's own."""
    if state.phase == "refused":
        return tr("; ").join(state.verdict.reasons)
    ended = state.ended
    if ended is None:
        return ""
    if ended.phase == "failed":
        return f"{ended.cause}: {ended.message}"
    say = _SAY.get(state.call.tool)
    return say(ended.result) if say is not None and ended.result is not None else ""


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else tr("unmeasured")


def _watched(result: Json) -> str:
    traffic = result["traffic"]
    p95 = traffic["quantiles_ms"].get("p95")
    return tr(
        "{n} requests, {errors} errors, p95 {p95} ms", n=traffic["requests"], errors=traffic["errors"], p95=_number(p95)
    )


_SAY: Mapping[str, Callable[[Json], str]] = {
    "prepare_data": lambda r: tr(
        "{train} train, {validation} validation, {holdout} holdout rows",
        train=r["train_rows"],
        validation=r["validation_rows"],
        holdout=r["holdout_rows"],
    ),
    "tune_model": lambda r: tr(
        "{trials} trials, best {value} on validation", trials=r["trials"], value=_number(r.get("value"))
    ),
    "select_model": lambda r: tr("{family}, {value} on validation", family=r["family"], value=_number(r.get("value"))),
    "evaluate_model": lambda r: ", ".join(f"{m['metric']} {_number(m.get('value'))}" for m in r["measured"]),
    "register_model": lambda r: str(r.get("version")),
    "find_model": lambda r: str(r.get("version")),
    "deploy_model": lambda r: str(r["url"]),
    "shift_traffic": lambda r: ", ".join(f"{name} {weight} %" for name, weight in r["weights"].items()),
    "rollback_endpoint": lambda r: ", ".join(f"{name} {weight} %" for name, weight in r["weights"].items()),
    "monitor_endpoint": _watched,
}
