"""What a run keeps, with the commands that extend or end it, and how its time stands."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import Row, Told
from agent.plan import total
from agent.state import Finished, Planned, Stated, Understood
from agent.wording import duration, moment, money, span
from tools.language import plural, tr


def kept(told: Told) -> Iterator[Row]:
    """Topic `kept`: what goes on after the run, by name."""
    resources = told.report.resources
    seq = told.last(Finished) or told.end
    for one in resources.kept:
        price = tr("price unknown") if one.usd_per_hour is None else tr("{usd} an hour", usd=money(one.usd_per_hour))
        value = tr(
            "{model} at {url}, {price}, until {expires}",
            model=one.model,
            url=one.url,
            price=price,
            expires=moment(one.expires),
        )
        yield Row("kept", tr("{name} is kept", name=one.id), value, seq)
        yield Row("kept", tr("the command that extends {name}", name=one.id), one.extend, seq)
        yield Row("kept", tr("the command that stops {name}", name=one.id), one.stop, seq)
    if not resources.kept:
        yield Row("kept", tr("kept after the run"), tr("nothing"), seq)
    if resources.created:
        yield Row("kept", tr("created in the run"), plural(len(resources.created), "resource"), seq)
    if resources.released:
        yield Row("kept", tr("released again"), plural(len(resources.released), "resource"), seq)


def time(told: Told) -> Iterator[Row]:
    """Topic `time`: begun, passed, expected, and what the deadline leaves."""
    run, report = told.run, told.report
    passed = report.seconds if report.ended is not None else max(0.0, told.now - run.started)
    yield Row("time", tr("begun"), moment(report.started) if report.started else tr("not yet"), told.first(Stated))
    if report.ended is not None:
        yield Row("time", tr("ended"), moment(report.ended), told.last(Finished))
    yield Row("time", tr("time it has taken"), duration(passed), told.end)
    if run.plans and run.plan.steps:
        expected = span(total(run.plan.steps).seconds, "seconds")
        yield Row("time", tr("how long the whole plan is estimated to take"), expected, told.last(Planned))
    deadline = run.contract.deadline_s if run.contract is not None else None
    if deadline is None:
        yield Row("time", tr("the deadline"), tr("the goal names none"), told.last(Understood))
        return
    yield Row("time", tr("the deadline"), tr("{time} after the start", time=duration(deadline)), told.last(Understood))
    if report.ended is None:
        rest = deadline - passed
        value = duration(rest) if rest > 0 else tr("it has passed")
        yield Row("time", tr("time left"), value, told.end)
