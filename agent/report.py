"""Stage 10, report: what was asked, what was measured, and what is left running. Nothing that was not measured.

Each clause ends MET, NOT MET or UNPROVEN with the id of its evidence; the exit code follows from the
clauses, not from the agent's opinion of itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from agent import judge
from agent.clock import stamp
from agent.contract import Clause, Contract, Part
from agent.documents import (
    ClauseVerdict,
    Evidence,
    Figures,
    Kept,
    Pace,
    Resources,
    Revised,
    RunReport,
    Spent,
    Status,
    Verdict,
)
from agent.errors import ExitCode
from agent.findings import answers, estimated, findings, results
from agent.judge import Judgement
from agent.learning import measured_later
from agent.observe import Observation
from agent.record.ledger import Burn
from agent.running import handed_over
from agent.state import Decided, Run
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.tool import Effect

MICRO = 1_000_000


UNKNOWN = Part(name="goal", task="custom")
"""Stands for the part of a goal that does not say what is wanted."""


def clause_verdicts(run: Run) -> tuple[ClauseVerdict, ...]:
    """Every clause of the contract as it stands, with budget and deadline beside them."""
    contract = run.contract
    if contract is None:
        return ()
    verdicts = [_verdict(c, p, run) for p in contract.parts for c in p.clauses if not measured_later(c, p)]
    if not verdicts:
        verdicts = [_default(run, contract)]
    return (*verdicts, *_upkeep(run, contract), *_limits(run, contract))


def _verdict(clause: Clause, part: Part, run: Run) -> ClauseVerdict:
    stage = "live" if clause.where == "live" else "holdout"
    judgement, seen = _judge(clause, part, run, stage)
    seq = 0 if seen is None else run.observed_at[run.observations.index(seen)]
    return ClauseVerdict(
        id=clause.id,
        part=part.name,
        metric=clause.metric,
        verdict=judgement.verdict,
        measured=judgement.measured,
        interval=judgement.interval,
        evidence=None if seen is None else Evidence(id=f"{run.id}#{seq}", path=seen.path),
        demanded=words(clause),
        note=judgement.note,
    )


def _judge(clause: Clause, part: Part, run: Run, stage: str) -> tuple[Judgement, Observation | None]:
    if clause.where in ("run", "state"):
        return (_estimated(clause, part, run) if part.task == "estimate" else _own(clause, run)), None
    mine = [o for o in run.observations if (o.part, o.stage) == (part.name, stage)]
    if stage == "holdout":
        return judge.on_holdout(clause, mine, look=run.looks(part.name))
    seen = judge.find(clause, mine, "live")
    if seen is None:
        return judge.unmeasured(), None
    watched = next((s for p in reversed(run.plans) for s in p.plan.steps if s.id == seen.step), None)
    stages = max(sum(1 for s in p.plan.of_part(part.name) if s.tool == "monitor_endpoint") for p in run.plans)
    judged = judge.live(clause, seen, look=(watched.round if watched else 0) + 1, stages=stages)
    if judged.verdict == "MET" and not _handed_over(part, run):
        note = tr("{note}; the version it was measured on is not kept", note=judged.note)
        judged = judged.model_copy(update={"verdict": "UNPROVEN", "note": note})
    return judged, seen


def _handed_over(part: Part, run: Run) -> bool:
    """The work went to its end: what was measured is what serves."""
    steps = run.plan.of_part(part.name)
    if not any(s.tool == "deploy_model" for s in steps):
        return not any(d.part == part.name and d.change in ("stop", "roll_back") for d in run.decisions)
    back = any(d.part == part.name and d.change == "roll_back" for d in run.decisions)
    return not back and any(s.tool == "extend_lease" and run.done(s.id) for s in run.plan.of_part(part.name))


def _own(clause: Clause, run: Run) -> Judgement:
    """What the run knows of itself: money and time, from the ledger and the journal."""
    wanted = judge.threshold(clause)
    measured = {"cost_usd": run.settled_micro / MICRO, "duration_s": run.last - run.started}.get(clause.metric)
    if wanted is None or measured is None:
        return judge.unmeasured()
    if clause.metric == "cost_usd" and not _priced(run):
        return Judgement(verdict="UNPROVEN", note=tr("the price of what ran is not known"))
    met = judge.COMPARE[clause.op](measured, wanted)
    return Judgement(verdict="MET" if met else "NOT MET", measured=measured)


def _estimated(clause: Clause, part: Part, run: Run) -> Judgement:
    """A bound on estimated work: met when even the high end keeps it, missed when not even the low end does."""
    wanted, span = judge.threshold(clause), estimated(part, run, clause.metric)
    if wanted is None or span is None:
        return Judgement(verdict="UNPROVEN", note=tr("it cannot be estimated: the price or the time is not known"))
    meets = [judge.COMPARE[clause.op](value, wanted) for value in span]
    verdict: Verdict = "MET" if all(meets) else "UNPROVEN" if any(meets) else "NOT MET"
    return Judgement(verdict=verdict, measured=max(span), interval=span, note=tr("estimated, not spent"))


def _priced(run: Run) -> bool:
    """Every hour that was used has a price."""
    return run.survey is None or run.survey.usd_micro_per_hour is not None or not run.calls


def _default(run: Run, contract: Contract) -> ClauseVerdict:
    """A goal without a checkable clause gets one: it is ready when served, else finished."""
    part = contract.parts[0] if contract.parts else UNKNOWN
    served = part.rollout.strategy != "none"
    name = "ready" if served else "finished"
    over = bool(run.plans) and bool(run.plan.steps) and all(run.done(s.id) for s in run.plan.steps)
    met = over and not any(d.change in ("stop", "roll_back") for d in run.decisions)
    began = bool(run.calls) and any(d.action == "finish" for d in run.decisions)
    began = began and not any(d.action == "cancel" for d in run.decisions)
    state = next((c for c in reversed(run.calls.values()) if c.phase == "done"), None)
    return ClauseVerdict(
        id="default",
        part=part.name,
        metric=name,
        verdict="MET" if met else "NOT MET" if began else "UNPROVEN",
        measured=1.0 if met else 0.0 if began else None,
        evidence=None if state is None else Evidence(id=f"{run.id}#{state.seq}"),
        demanded=f"{name} == 1",
    )


def _upkeep(run: Run, contract: Contract) -> Iterator[ClauseVerdict]:
    """What was to be looked after for longer is handed over to a standing goal, which measures from then on."""
    by = {part.name: name for name, part in handed_over(run)}
    for part in (p for p in contract.parts if p.upkeep is not None):
        name = by.get(part.name)
        note = (
            tr("nothing was kept that could be looked after")
            if name is None
            else tr(
                "standing goal {name} looks after {endpoint}: `goalkeeper goals {name}`",
                name=name,
                endpoint=part.endpoint,
            )
        )
        yield ClauseVerdict(
            id="upkeep",
            part=part.name,
            metric="ready",
            verdict="UNPROVEN" if name is None else "MET",
            measured=None if name is None else 1.0,
            evidence=None if name is None else Evidence(id=f"{name}#1"),
            demanded=tr("a standing goal looks after it"),
            note=note,
        )


def _limits(run: Run, contract: Contract) -> list[ClauseVerdict]:
    """Budget and deadline are not clauses of the contract; their verdicts appear of their own accord."""
    found = []
    evidence = Evidence(id=f"{run.id}#{run.seq}")
    for id_, limit, measured in (
        ("budget", contract.budget_usd, run.settled_micro / MICRO),
        ("deadline", contract.deadline_s, round(run.last - run.started, 3)),
    ):
        unknown = id_ == "budget" and not _priced(run)
        if limit is not None:
            found.append(
                ClauseVerdict(
                    id=id_,
                    part="run",
                    metric="cost_usd" if id_ == "budget" else "duration_s",
                    verdict="UNPROVEN" if unknown else "MET" if measured <= limit else "NOT MET",
                    measured=None if unknown else measured,
                    evidence=evidence,
                    note=tr("the price of what ran is not known") if unknown else "",
                    demanded=f"{'cost_usd' if id_ == 'budget' else 'duration_s'} <= {limit:g}",
                )
            )
    return found


def words(clause: Clause) -> str:
    """The clause in words: `recall of yes >= 0.9 on holdout`."""
    of = f" of {clause.class_}" if clause.class_ else ""
    if clause.relative is not None:
        unit = " %" if clause.relative.kind == "ratio" else ""
        delta = clause.relative.delta * (100 if clause.relative.kind == "ratio" else 1)
        demand = f"{clause.op} {clause.relative.to} {delta:+g}{unit}"
    else:
        demand = (
            f"{clause.op} {clause.value:g}" if isinstance(clause.value, int | float) else f"{clause.op} {clause.value}"
        )
    sure = f" with {clause.confidence:.0%} confidence" if clause.confidence is not None else ""
    place = {"holdout": " on holdout", "live": " live", "run": "", "state": ""}[clause.where]
    return f"{clause.metric}{of} {demand}{place}{sure}"


def exit_code(clauses: Sequence[ClauseVerdict], decided: Decided | None, status: Status) -> ExitCode:
    """The first that applies: 2, 5, 3, 1, 4, 0."""
    verdicts = {c.verdict for c in clauses}
    codes = {decided.code if decided is not None else 0}
    if "NOT MET" in verdicts:
        codes.add(1)
    if "UNPROVEN" in verdicts or status in ("waiting", "cancelled"):
        codes.add(4)
    order: tuple[ExitCode, ...] = (2, 5, 3, 1, 4)
    return next((code for code in order if code in codes), 0)


def compose(
    run: Run,
    *,
    status: Status,
    decided: Decided | None,
    now: float,
    by: Mapping[str, int],
    report: str | None,
    command: str,
    drawn: Figures,
    burn: Burn,
) -> RunReport:
    """The report of a run as it stands, or as it ended. `command` is how a shell starts goalkeeper here."""
    clauses = clause_verdicts(run)
    code = exit_code(clauses, decided, status)
    return RunReport(
        id=run.id,
        status="failed" if code == 5 else status,
        clauses=clauses,
        spent=Spent(usd=run.settled_micro / MICRO, by={k: v / MICRO for k, v in by.items() if v}),
        pace=pace(run, burn),
        resources=_resources(run, command),
        holdout_looks=_looks(run),
        revisions=tuple(Revised(version=p.plan.version, why=p.plan.why) for p in run.plans[1:]),
        report=report,
        page=None if report is None else report.removesuffix(".md") + ".html",
        reason=_reason(run, decided, clauses),
        started=stamp(run.started),
        ended=stamp(now) if status in ("done", "cancelled", "failed") else None,
        seconds=round(now - run.started, 3),
        isolation=_isolation(run),
        brain=run.stated.brain if run.stated is not None else "rules",
        findings=findings(run),
        figures=drawn,
        exit_code=code,
    )


def pace(run: Run, burn: Burn) -> Pace:
    """What goes on now and what it comes to."""
    return Pace(
        usd_per_hour=burn.run_micro_per_hour / MICRO,
        forecast_usd=(run.settled_micro + run.reserved_micro) / MICRO,
        home_usd_per_hour=burn.home_micro_per_hour / MICRO,
        month_usd=burn.month_micro / MICRO,
        month_forecast_usd=burn.month_forecast_micro / MICRO,
    )


def _reason(run: Run, decided: Decided | None, clauses: Sequence[ClauseVerdict]) -> str:
    if decided is not None and decided.why:
        return decided.why
    if decided is not None and all(c.verdict == "MET" for c in clauses):
        return tr("; ").join(answers(run)) or tr("every clause is met")
    if run.refusal is not None:
        return run.refusal.reason
    failed = [c for c in run.calls.values() if c.phase == "failed" and c.ended is not None]
    return failed[-1].ended.message if failed and failed[-1].ended is not None else ""


def _looks(run: Run) -> int:
    """Looks at the holdouts of this run; parts over the same rows, and earlier goals, have looked at one holdout."""
    if run.contract is None or not run.plans:
        return 0
    most: dict[str, int] = {}
    for part in run.contract.parts:
        rows = (o.digests["holdout"] for o in run.observations if o.part == part.name and "holdout" in o.digests)
        holdout = next(rows, part.name)
        most[holdout] = max(most.get(holdout, 0), run.looks(part.name))
    return sum(most.values())


def _isolation(run: Run) -> str:
    """The weakest isolation any training job had; a bundled set can be read by anybody."""
    found = [str(r.get("isolation", "none")) for tool in ("tune_model", "launch_training") for r in results(run, tool)]
    bundled = run.contract is not None and any(d.uri.startswith("sklearn:") for p in run.contract.parts for d in p.data)
    if bundled and found:
        found.append("encrypted")
    order = ("none", "encrypted", "sandboxed")
    return min(found, key=order.index) if found else "none"


def _resources(run: Run, command: str) -> Resources:
    made = [c for c in run.calls.values() if BY_NAME[c.call.tool].effect is Effect.CREATES and c.started_at is not None]
    created = tuple(f"{c.call.tool}:{c.handle or c.call.id}" for c in made)
    gone = [
        str(r["id"]) for tool in ("release_resource", "withdraw_version") for r in results(run, tool) if r["existed"]
    ]
    over = [c for c in made if c.call.tool != "deploy_model" and not c.live and not (c.ended and c.ended.left)]
    ended = [f"{c.call.tool}:{c.handle}" for c in over if c.handle]
    return Resources(created=created, released=(*ended, *gone), kept=_kept(run, gone, command))


def _kept(run: Run, gone: Sequence[str], command: str) -> tuple[Kept, ...]:
    micro = run.survey.usd_micro_per_hour if run.survey is not None else None
    price = None if micro is None else micro / MICRO
    kept = []
    back = {str(r["endpoint"]) for r in results(run, "rollback_endpoint")}
    for result in results(run, "extend_lease"):
        name = str(result["endpoint"])
        if name in gone or name in back:
            continue
        kept.append(
            Kept(
                id=name,
                url=str(result["url"]),
                model=str(result["version"]),
                usd_per_hour=None if price is None else price * int(result.get("replicas", 1)),
                expires=stamp(float(result["lease_until"])),
                extend=f"{command} extend {shlex.quote(name)} --for 8h",
                stop=f"{command} stop {shlex.quote(name)}",
            )
        )
    return tuple(kept)
