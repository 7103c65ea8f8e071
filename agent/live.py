"""What a watch of live traffic asks for: go on, watch longer, add servers, or back to what was. Pure.

A watch that measures clauses is a gate: what follows it waits for every one of them.
"""

from __future__ import annotations

from typing import Literal

from agent import judge
from agent.contract import Clause, Part
from agent.judge import Judgement
from agent.observe import HEALTHY, QUANTILES
from agent.plan import Step
from agent.search import EXTENSIONS
from agent.state import Decided, Run
from tools.language import tr

Judged = list[tuple[Clause, Judgement]]


def decide(part: Part, steps: list[Step], run: Run) -> Decided | None:
    """After a watch: breach → roll back; inconclusive where it must prove something → watch longer, then give up."""
    watched = latest(steps, "monitor_endpoint", run)
    if watched is None or _settled(watched, steps, run):
        return None
    judged = judgements(part, watched, steps, run)
    healthy = judge.find(HEALTHY, [o for o in run.observations if o.step == watched.id], "live")
    sick = judge.live(HEALTHY, healthy, look=watched.round + 1, stages=_watches(steps))
    if breached := _breached(judged, sick):
        return _after_breach(part, watched, breached, steps, run)
    if healthy is not None and not healthy.n:
        return _revise(part, undo(part, run), tr("no request reached the version that is watched"))
    return _after_doubt(part, watched, judged, steps, run)


def _settled(watched: Step, steps: list[Step], run: Run) -> bool:
    """It was handed over and the rollout is decided, or it was judged and is watched again for that."""
    if any(run.done(s.id) for s in steps if s.tool == "extend_lease"):
        return True
    return any(s.tool == "monitor_endpoint" and s.round > watched.round and not run.done(s.id) for s in steps)


def _breached(judged: Judged, healthy: Judgement) -> Judged:
    """What is proven to be worse than demanded; that most answers succeed is always demanded."""
    found = [(c, j) for c, j in judged if j.verdict == "NOT MET"]
    asked = any(c.metric == HEALTHY.metric and c.relative is None for c, _ in judged)
    if healthy.breached and not asked:
        found.append((HEALTHY, healthy))
    return found


def _after_breach(part: Part, watched: Step, breached: Judged, steps: list[Step], run: Run) -> Decided:
    bad = ", ".join(dict.fromkeys(c.metric for c, _ in breached))
    told = tr("; ").join(dict.fromkeys(j.note for _, j in breached))
    why = tr("{bad} breached under live traffic{early}: {told}", bad=bad, early=_early(watched, run), told=told)
    if (more := _more_servers(part, watched, breached, steps, run)) is not None:
        return _revise(part, "grow", f"{why}{tr('; ')}{more}")
    return _revise(part, undo(part, run), why)


def _after_doubt(part: Part, watched: Step, judged: Judged, steps: list[Step], run: Run) -> Decided | None:
    open_ = [(c, j) for c, j in judged if j.verdict == "UNPROVEN" and f"{part.name}/{c.id}" in watched.measures]
    if not open_ or not all(run.done(n) for n in watched.needs):
        return None
    notes = tr("; ").join(f"{c.metric} {j.note}" for c, j in open_)
    if watched.round < EXTENSIONS:
        return _revise(part, "extend", notes)
    if (more := _more_servers(part, watched, open_, steps, run)) is not None:
        return _revise(part, "grow", f"{notes}{tr('; ')}{more}")
    return _revise(part, undo(part, run), tr("live clauses stay unproven: {notes}", notes=notes))


def _revise(part: Part, change: str, why: str) -> Decided:
    return Decided(action="revise", part=part.name, change=change, why=why)


def undo(part: Part, run: Run) -> Literal["roll_back", "stop"]:
    """Something was deployed or scaled and must not stay as it is; or nothing was, or it was handed over already."""
    steps = run.plan.of_part(part.name)
    deployed = any(s.tool in ("deploy_model", "scale_endpoint") and run.of_step(s.id) for s in steps)
    kept = any(s.tool == "extend_lease" and run.done(s.id) for s in steps)
    return "roll_back" if deployed and not kept else "stop"


def latest(steps: list[Step], tool: str, run: Run) -> Step | None:
    """The last of these steps by that tool that is done."""
    return next((s for s in reversed(steps) if s.tool == tool and run.done(s.id)), None)


def _early(watched: Step, run: Run) -> str:
    """How soon a watch was ended, when it was."""
    result = run.result(watched.id) or {}
    if not result.get("stopped"):
        return ""
    after = float(result["traffic"]["until"]) - float(result["traffic"]["since"])
    return tr(" after {after:.3g} s of a watch of {whole:.3g} s", after=after, whole=float(watched.args["seconds"]))


def _more_servers(part: Part, watched: Step, short: Judged, steps: list[Step], run: Run) -> str | None:
    """How many servers may answer in time what fewer did not; None where that is not the way out.

    Only answers that are slow or few are a matter of servers, only up to the goal's most, and what is to be rolled
    back is rolled back.
    """
    last = not watched.args.get("shadow") and watched.args.get("whole")
    slow = all(c.metric in QUANTILES or c.metric == "throughput_rps" for c, _ in short)
    if part.rollout.max_replicas is None or not last or not slow or any(c.abort for c, _ in short):
        return None
    sizes = (s.args.get("replicas") for s in steps if s.tool in ("deploy_model", "scale_endpoint") and run.done(s.id))
    now = max((int(n) for n in sizes if isinstance(n, int)), default=part.rollout.max_replicas)
    wanted = min(2 * now, part.rollout.max_replicas)
    return tr("{wanted} servers instead of {now}", wanted=wanted, now=now) if wanted > now else None


def judgements(part: Part, watched: Step, steps: list[Step], run: Run) -> Judged:
    """The live clauses as the latest watch has them."""
    seen = [o for o in run.observations if o.step == watched.id]
    beside = watched.args.get("beside") is not None
    live = [c for c in part.clauses if c.where == "live" and (c.relative is None or beside)]
    look, stages = watched.round + 1, _watches(steps)
    return [(c, judge.live(c, judge.find(c, seen, "live"), look=look, stages=stages)) for c in live]


def _watches(steps: list[Step]) -> int:
    """Over how many watches the error of a false rollback is spent."""
    return sum(1 for s in steps if s.tool == "monitor_endpoint")
