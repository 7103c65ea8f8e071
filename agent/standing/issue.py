"""What the run of a reaction came to, from its own journal and verdicts. Pure."""

from __future__ import annotations

from agent.documents import RunReport
from agent.record.claims import ENDED
from agent.record.rows import RunRow
from agent.service_state import Standing
from agent.standing.reaction import NO_WORSE
from agent.standing.waking import MICRO, Issue
from agent.state import Run
from agent.upkeep import Came, Concluded, Reacted
from tools.language import tr


def issue(asked: Reacted, run: Run, row: RunRow, state: Standing, *, command: str) -> Issue:
    """How it stands. A run without a journal was never begun."""
    if run.stated is None:
        return Issue(begun=False)
    if run.report is None or row.status not in ENDED:
        return Issue(begun=True, asks=f"{command} approve {run.id}" if run.pending else "")
    came = _came(asked, run, run.report, state)
    end = Concluded(
        at=run.last,
        run=asked.run,
        came=came,
        why=_why(came, run.report),
        usd=(row.settled + row.overrun) / MICRO,
        data=asked.data if came in ("promoted", "kept") else "",
    )
    return Issue(begun=True, ended=end)


def _came(asked: Reacted, run: Run, report: RunReport, state: Standing) -> Came:
    if report.status == "cancelled":
        return "cancelled"
    if report.exit_code == 3:
        return "refused"
    if asked.what == "rollback":
        return "rolled_back" if report.exit_code == 0 else "failed"
    if asked.what == "extend":
        return "extended" if report.exit_code == 0 else "failed"
    kept = next((k for k in report.resources.kept if k.id == state.terms.endpoint), None)
    if kept is not None:
        return "promoted" if kept.model != state.version else "kept"
    judged = any(o.stage == "holdout" for o in run.observations) or any(c.verdict == "NOT MET" for c in report.clauses)
    return "kept" if report.exit_code in (1, 4) and judged else "failed"


def _why(came: Came, report: RunReport) -> str:
    beside = next((c for c in report.clauses if c.id == NO_WORSE), None)
    told = beside is not None and (came == "promoted" or (came == "kept" and beside.verdict != "MET"))
    if told and beside is not None and beside.note:
        return f"{beside.metric}{tr(': ')}{beside.note}"
    return report.reason
