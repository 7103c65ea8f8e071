"""Standing goals as people read them: a page of service levels, and the whole story of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.clock import stamp
from agent.record.chained import Line
from agent.service_state import Chapter, Standing
from agent.service_words import event
from agent.state import Run, parse
from agent.upkeep import Burned, Checked, ClauseSeen, ServiceState, Terms
from agent.wording import clean, money, number, outside
from tools.language import tr
from tools.record import Record

LINE = {"healthy": "▁", "at_risk": "▄", "breached": "█"}
"""One sign a check."""
CHECKS_TOLD = 40
"""Uneventful checks in a row are told as one."""


class LevelClause(Record):
    """One clause of a standing goal, as it was found last."""

    id: str
    metric: str
    demanded: str
    verdict: str
    measured: float | None
    note: str
    budget_used: float | None
    """Share of the error budget that this month's traffic used: 1.0 is all of it; None where it is not counted."""


class LevelReaction(Record):
    """A reaction, and what it came to."""

    at: str
    run: str
    what: str
    why: str
    came: str
    """Empty while it is under way."""


class Level(Record):
    """One standing goal, as `goals --json` prints it."""

    id: str
    run: str
    """That handed it over."""
    goal: str
    endpoint: str
    state: ServiceState
    version: str | None
    since: str
    until: str | None
    every_s: float
    checks: int
    alarms: int
    clauses: tuple[LevelClause, ...]
    drift: str
    last_check: str | None
    next_check: str | None
    lease_until: str | None
    usd_month: float
    usd_month_limit: float | None
    usd_reactions: float
    usd_reactions_limit: float | None
    reactions: int
    reactions_month: int
    reactions_month_limit: int
    alarm_rate: float
    last_reaction: LevelReaction | None
    why: str
    """What is wrong, or why nothing is done; empty when all is well."""
    do: str
    """What a person should do; empty when nothing."""
    trail: str
    """One sign a check, the newest last: ▁ healthy, ▄ at risk, █ breached."""
    late: bool
    """The next check is overdue by more than two intervals: nobody makes it."""


class Levels(Record):
    """`goals --json`."""

    goals: tuple[Level, ...]
    idle: str = ""
    """The command that makes their checks, where goals go on and nobody here makes them."""


def level(id_: str, run: Run, *, command: str, now: float) -> Level:
    """One standing goal now. `command`: how a shell starts goalkeeper here."""
    state = run.standing
    assert state is not None
    terms, last = state.terms, state.last
    late = state.closed is None and now > state.due + 2 * terms.every_s
    return Level(
        id=id_,
        run=terms.run,
        goal=terms.goal.text,
        endpoint=terms.endpoint,
        state=state.state,
        version=state.version,
        since=stamp(terms.began),
        until=None if terms.until is None else stamp(terms.until),
        every_s=terms.every_s,
        checks=state.checks,
        alarms=state.alarms,
        clauses=tuple(_clause(c, state.burned) for c in (last.clauses if last is not None else ())),
        drift=last.drift.why if last is not None and last.drift is not None else "",
        last_check=None if state.checked is None else stamp(state.checked),
        next_check=None if state.closed is not None else stamp(state.due),
        lease_until=None if state.lease_until is None else stamp(state.lease_until),
        usd_month=last.usd_month if last is not None else 0.0,
        usd_month_limit=terms.month_usd,
        usd_reactions=state.usd,
        usd_reactions_limit=terms.total_usd,
        reactions=state.reactions,
        reactions_month=state.month_reactions,
        reactions_month_limit=terms.most_reactions,
        alarm_rate=terms.alarm_rate,
        last_reaction=_reaction(state),
        why=_why(state),
        do=_do(state, id_, command=command, late=late),
        trail="".join(LINE[p.state] for p in state.trail),
        late=late,
    )


def _clause(seen: ClauseSeen, burned: Sequence[Burned]) -> LevelClause:
    used = next((b.used for b in burned if b.clause == seen.id), None)
    return LevelClause(
        id=seen.id,
        metric=seen.metric,
        demanded=seen.demanded,
        verdict=seen.verdict,
        measured=seen.measured,
        note=seen.note,
        budget_used=used,
    )


def _reaction(state: Standing) -> LevelReaction | None:
    if (now := state.reaction) is not None:
        return LevelReaction(at=stamp(now.at), run=now.run, what=now.what, why=now.why, came="")
    if (end := state.concluded) is not None:
        return LevelReaction(at=stamp(end.at), run=end.run, what="", why=end.why, came=end.came)
    return None


def _why(state: Standing) -> str:
    if state.closed is not None:
        return state.closed.why
    if state.held is not None:
        return state.held.why
    if state.lease_failed:
        return tr("its lease could not be extended: {why}", why=state.lease_why)
    if state.last is None:
        return tr("nothing was checked yet")
    if state.last.trouble:
        return state.last.trouble
    unproven = [f"{c.metric}{tr(': ')}{c.note}" for c in state.last.clauses if c.verdict == "UNPROVEN"]
    return tr("; ").join(unproven[:2])


def _do(state: Standing, id_: str, *, command: str, late: bool) -> str:
    if state.held is not None and state.held.do:
        return state.held.do
    if state.closed is None and state.lease_failed and state.lease_until is not None:
        return tr(
            "its lease ends {until}: `{command} extend {endpoint}` keeps it, or let it end",
            until=stamp(state.lease_until),
            command=command,
            endpoint=state.terms.endpoint,
        )
    if late:
        return tr("nobody makes its checks: start `{command} worker`", command=command)
    ended = state.closed is not None and not state.closed.instead and state.lease_until is not None
    if ended and state.closed is not None and state.terms.lease_s is not None and state.lease_until is not None:
        return tr(
            "its lease ends {until}: `{command} extend {endpoint}` keeps it, `{command} stop {endpoint}` ends it now",
            until=stamp(state.lease_until),
            command=command,
            endpoint=state.terms.endpoint,
        )
    return ""


def story(shown: Level, lines: Sequence[Line], *, home: Path) -> str:
    """The whole story as Markdown: terms, clauses, then everything that happened, calm spells in one line each."""
    happened = (f"## {tr('What happened')}", "", *_told(lines, home))
    return "\n".join((*_head(shown), "", *_table(shown), "", *happened)) + "\n"


def _head(shown: Level) -> Iterator[str]:
    yield f"# {tr('Standing goal {id}', id=shown.id)}"
    yield ""
    yield f"> {outside(shown.goal)}"
    yield ""
    yield tr(
        "**{state}** · endpoint `{endpoint}` · version {version} · handed over by run {run} on {since}",
        state=tr(shown.state),
        endpoint=shown.endpoint,
        version=shown.version or "-",
        run=shown.run,
        since=shown.since,
    )
    yield ""
    if shown.why:
        yield f"- {outside(shown.why)}"
    if shown.do:
        yield f"- {tr('To do: {do}', do=clean(shown.do))}"
    yield "- " + tr(
        "{checks} checks, every {every:g} s, {alarms} of them with an alarm; a false alarm is allowed once in "
        "{one:.0f} checks",
        checks=shown.checks,
        every=shown.every_s,
        alarms=shown.alarms,
        one=1 / shown.alarm_rate,
    )
    limit = "" if shown.usd_month_limit is None else tr(" of {limit}", limit=money(shown.usd_month_limit))
    yield "- " + tr(
        "this month: {spent}{limit}, {n} of at most {most} reactions",
        spent=money(shown.usd_month),
        limit=limit,
        n=shown.reactions_month,
        most=shown.reactions_month_limit,
    )
    if shown.trail:
        yield f"- `{shown.trail}` {tr('the last checks: ▁ healthy, ▄ at risk, █ breached')}"


def _table(shown: Level) -> Iterator[str]:
    heads = (tr("clause"), tr("verdict"), tr("measured"), tr("error budget used this month"), tr("note"))
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    for clause in shown.clauses:
        used = "" if clause.budget_used is None else f"{clause.budget_used:.0%}"
        cells = (clause.demanded, clause.verdict, number(clause.measured), used, clause.note)
        yield "| " + " | ".join(outside(c).replace("|", "\\|") for c in cells) + " |"
    if shown.drift:
        yield ""
        yield tr("Drift: {why}", why=outside(shown.drift))


def _told(lines: Sequence[Line], home: Path) -> Iterator[str]:
    calm: list[Checked] = []
    for line in lines:
        record = parse(line)
        if isinstance(record, Checked) and not record.trouble:
            if calm and (calm[-1].health != record.health or len(calm) >= CHECKS_TOLD):
                yield _calm(calm)
                calm = []
            calm.append(record)
            continue
        if isinstance(record, Chapter) or (text := event(record, lambda run: _link(run, home))) is None:
            continue
        if calm:
            yield _calm(calm)
            calm = []
        yield f"- {_at(record)} {text}"
    if calm:
        yield _calm(calm)


def _at(record: Record) -> str:
    at = getattr(record, "at", None)
    return stamp(record.began if isinstance(record, Terms) else float(at or 0.0))


def _calm(checks: Sequence[Checked]) -> str:
    first, last = checks[0], checks[-1]
    said = tr(
        "{n} checks, {state}, {requests} requests",
        n=len(checks),
        state=tr(last.health),
        requests=sum(c.requests for c in checks),
    )
    span = stamp(first.at) if len(checks) == 1 else f"{stamp(first.at)} – {stamp(last.at)}"
    return f"- {span} {said}"


def _link(run: str, home: Path) -> str:
    """The run with its report, when it has one."""
    path = home / "runs" / run / "report.md"
    return f"[{run}]({path})" if path.is_file() else run
