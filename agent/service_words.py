"""What the lines of a standing goal's journal say, in words."""

from __future__ import annotations

from collections.abc import Callable

from agent.service_state import Chapter
from agent.upkeep import Checked, Closed, Concluded, Held, Reacted, Terms
from agent.wording import clean, outside
from tools.language import tr
from tools.record import Record


def event(record: Record, link: Callable[[str], str] = str) -> str | None:
    """One line of its journal in words; None for what is only kept for the machine."""
    match record:
        case Terms():
            return tr("handed over by run {run}", run=link(record.run))
        case Checked() if not record.trouble:
            return tr(
                "check {n}: {state}, {requests} requests",
                n=record.number,
                state=tr(record.health),
                requests=record.requests,
            )
        case Checked():
            cause = "" if record.cause is None else tr(" (cause: {cause})", cause=record.cause)
            return tr("**alarm**: {trouble}{cause}", trouble=outside(record.trouble), cause=cause)
        case Reacted():
            return tr(
                "reaction: {what}, in run {run}, because {why}",
                what=tr(record.what),
                run=link(record.run),
                why=outside(record.why),
            )
        case Concluded():
            return tr("{run}: {came}. {why}", run=link(record.run), came=tr(record.came), why=outside(record.why))
        case Held():
            do = f" {tr('To do: {do}', do=clean(record.do))}" if record.do else ""
            return tr("nothing is done: {why}.{do}", why=outside(record.why), do=do)
        case Chapter():
            return tr("{n} checks so far, written down whole", n=record.state.checks)
        case Closed():
            return tr("ended by {by}: {why}", by=clean(record.by), why=clean(record.why))
    return None
