"""Stage 10, report: what was asked, what was measured, and what is left running. Nothing that was not measured.

Each clause ends MET, NOT MET or UNPROVEN with the id of its evidence; the exit code follows from the
clauses, not from the agent's opinion of itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from agent import judge
from agent.clock import stamp
from agent.contract import Clause, Contract, Part
from agent.documents import ClauseVerdict, Evidence, Kept, Resources, Revised, RunReport, Spent, Status
from agent.errors import ExitCode
from agent.judge import Judgement
from agent.observe import Observation
from agent.state import Decided, Run
from tools.catalogue import BY_NAME
from tools.record import Json
from tools.tool import Effect

MICRO = 1_000_000


UNKNOWN = Part(name="goal", task="custom")
"""Stands for the part of a goal that does not say what is wanted."""


def clause_verdicts(run: Run) -> tuple[ClauseVerdict, ...]:
    """Every clause of the contract as it stands, with budget and deadline beside them."""
    contract = run.contract
    if contract is None:
        return ()
    verdicts = [_verdict(c, p, run) for p in contract.parts for c in p.clauses]
    if not verdicts:
        verdicts = [_default(run, contract)]
    return (*verdicts, *_limits(run, contract))


def _verdict(clause: Clause, part: Part, run: Run) -> ClauseVerdict:
    stage = "live" if clause.where == "live" else "holdout"
    seen, seq = _last(run, clause, part, stage)
    judgement = _judge(clause, part, run, seen, stage)
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


def _judge(clause: Clause, part: Part, run: Run, seen: Observation | None, stage: str) -> Judgement:
    if clause.where in ("run", "state"):
        return _own(clause, run)
    if seen is None:
        return judge.UNMEASURED
    if stage == "holdout":
        return judge.holdout(clause, seen, look=run.looks(part.name))
    watched = next((s for p in reversed(run.plans) for s in p.plan.steps if s.id == seen.step), None)
    stages = max(sum(1 for s in p.plan.of_part(part.name) if s.tool == "monitor_endpoint") for p in run.plans)
    judged = judge.live(clause, seen, look=(watched.round if watched else 0) + 1, stages=stages)
    if judged.verdict == "MET" and not _handed_over(part, run):
        note = f"{judged.note}; the version it was measured on is not kept"
        return judged.model_copy(update={"verdict": "UNPROVEN", "note": note})
    return judged


def _handed_over(part: Part, run: Run) -> bool:
    """The rollout went to its end: what was measured is what serves."""
    back = any(d.part == part.name and d.change == "roll_back" for d in run.decisions)
    return not back and any(s.tool == "extend_lease" and run.done(s.id) for s in run.plan.of_part(part.name))


def _own(clause: Clause, run: Run) -> Judgement:
    """What the run knows of itself: money and time, from the ledger and the journal."""
    wanted = judge.threshold(clause)
    measured = {"cost_usd": run.settled_micro / MICRO, "duration_s": run.last - run.started}.get(clause.metric)
    if wanted is None or measured is None:
        return judge.UNMEASURED
    if clause.metric == "cost_usd" and not _priced(run):
        return Judgement(verdict="UNPROVEN", note="the price of what ran is not known")
    met = judge.COMPARE[clause.op](measured, wanted)
    return Judgement(verdict="MET" if met else "NOT MET", measured=measured)


def _priced(run: Run) -> bool:
    """Every hour that was used has a price."""
    return run.survey is None or run.survey.usd_micro_per_hour is not None or not run.calls


def _last(run: Run, clause: Clause, part: Part, stage: str) -> tuple[Observation | None, int]:
    """The latest observation, and its journal sequence."""
    for seen, seq in zip(reversed(run.observations), reversed(run.observed_at), strict=True):
        if (seen.part, seen.stage) == (part.name, stage) and judge.answers(clause, seen):
            return seen, seq
    return None, 0


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
                    note="the price of what ran is not known" if unknown else "",
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
) -> RunReport:
    """The report of a run as it stands, or as it ended. `command` is how a shell starts goalkeeper here."""
    clauses = clause_verdicts(run)
    code = exit_code(clauses, decided, status)
    return RunReport(
        id=run.id,
        status="failed" if code == 5 else status,
        clauses=clauses,
        spent=Spent(usd=run.settled_micro / MICRO, by={k: v / MICRO for k, v in by.items() if v}),
        resources=_resources(run, command),
        holdout_looks=_looks(run),
        revisions=tuple(Revised(version=p.plan.version, why=p.plan.why) for p in run.plans[1:]),
        report=report,
        reason=_reason(run, decided, clauses),
        started=stamp(run.started),
        ended=stamp(now) if status in ("done", "cancelled", "failed") else None,
        seconds=round(now - run.started, 3),
        isolation=_isolation(run),
        brain=run.stated.brain if run.stated is not None else "rules",
        findings=_findings(run),
        exit_code=code,
    )


def _reason(run: Run, decided: Decided | None, clauses: Sequence[ClauseVerdict]) -> str:
    if decided is not None and decided.why:
        return decided.why
    if decided is not None and all(c.verdict == "MET" for c in clauses):
        return "every clause is met"
    if run.refusal is not None:
        return run.refusal.reason
    failed = [c for c in run.calls.values() if c.phase == "failed" and c.ended is not None]
    return failed[-1].ended.message if failed and failed[-1].ended is not None else ""


def _looks(run: Run) -> int:
    return sum(run.looks(p.name) for p in run.contract.parts) if run.contract is not None and run.plans else 0


def _results(run: Run, tool: str) -> list[Json]:
    return [
        c.ended.result
        for c in run.calls.values()
        if c.call.tool == tool and c.phase == "done" and c.ended is not None and c.ended.result is not None
    ]


def _isolation(run: Run) -> str:
    """The weakest isolation any training job had; a bundled set can be read by anybody."""
    found = [str(r.get("isolation", "none")) for tool in ("tune_model", "launch_training") for r in _results(run, tool)]
    bundled = run.contract is not None and any(d.uri.startswith("sklearn:") for p in run.contract.parts for d in p.data)
    if bundled and found:
        found.append("encrypted")
    order = ("none", "encrypted", "sandboxed")
    return min(found, key=order.index) if found else "none"


def _findings(run: Run) -> tuple[str, ...]:
    found = [
        f for tool in ("prepare_data", "evaluate_model") for r in _results(run, tool) for f in r.get("findings", ())
    ]
    prepared = _results(run, "prepare_data")
    for result in prepared:
        if removed := result.get("duplicates_removed"):
            found.append(f"{removed} exact duplicate rows were removed before the split")
        if removed := result.get("unlabelled_removed"):
            found.append(f"{removed} rows without a label were removed")
    found += [f"the program claims {k} {v}: a claim, not evidence" for k, v in _claims(run)]
    found += [_unasked(o) for o in run.observations if o.stage == "holdout" and not _asked(o, run)]
    return tuple(dict.fromkeys(found))


def _claims(run: Run) -> list[tuple[str, int | float | str]]:
    """What a user's own program says of itself, as far as it is short."""
    pairs = [(str(k)[:40], v) for r in _results(run, "launch_training") for k, v in r.get("claimed", {}).items()]
    return [(k, v) for k, v in pairs if isinstance(v, int | float | str) and len(str(v)) < 40][:20]


def _asked(seen: Observation, run: Run) -> bool:
    parts = run.contract.parts if run.contract is not None else ()
    return any(judge.answers(c, seen) for p in parts if p.name == seen.part for c in p.clauses)


def _unasked(seen: Observation) -> str:
    value = "undefined" if seen.value is None else f"{seen.value:.6g}"
    span = "" if seen.low is None or seen.high is None else f" [{seen.low:.6g}, {seen.high:.6g}]"
    return f"{seen.metric} of {seen.part} on the holdout is {value}{span}; no clause asks for it"


def _resources(run: Run, command: str) -> Resources:
    made = [c for c in run.calls.values() if BY_NAME[c.call.tool].effect is Effect.CREATES and c.started_at is not None]
    created = tuple(f"{c.call.tool}:{c.handle or c.call.id}" for c in made)
    gone = [
        str(r["id"]) for tool in ("release_resource", "withdraw_version") for r in _results(run, tool) if r["existed"]
    ]
    ended = [f"{c.call.tool}:{c.handle}" for c in made if c.call.tool != "deploy_model" and not c.live and c.handle]
    return Resources(created=created, released=(*ended, *gone), kept=_kept(run, gone, command))


def _kept(run: Run, gone: Sequence[str], command: str) -> tuple[Kept, ...]:
    micro = run.survey.usd_micro_per_hour if run.survey is not None else None
    price = None if micro is None else micro / MICRO
    kept = []
    back = {str(r["endpoint"]) for r in _results(run, "rollback_endpoint")}
    for result in _results(run, "extend_lease"):
        name = str(result["endpoint"])
        if name in gone or name in back:
            continue
        kept.append(
            Kept(
                id=name,
                url=str(result["url"]),
                model=str(result["version"]),
                usd_per_hour=price,
                expires=stamp(float(result["lease_until"])),
                extend=f"{command} extend {shlex.quote(name)} --for 8h",
                stop=f"{command} stop {shlex.quote(name)}",
            )
        )
    return tuple(kept)
