"""What a conversation leaves in its journal, and what can be taken up from it again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.clock import SteadyClock
from agent.contract import Contract
from agent.documents import PlanDocument
from agent.errors import NoSuchRun
from tools.language import tr
from tools.record import Record

if TYPE_CHECKING:
    from agent.doors.service import Service
    from agent.record.chained import Line

LATEST = 6
"""Messages that are shown again when a conversation is taken up."""


class Draft(Record):
    """A goal that was stated and not started."""

    text: str
    said: tuple[str, ...] = ()
    """What it corrects, oldest first."""
    before: Contract | None = None
    """The contract that the last message corrects."""


class Thread(Record):
    """A conversation as its journal has it."""

    draft: Draft | None = None
    run: str | None = None
    """What it was about last."""
    runs: tuple[str, ...] = ()
    turns: int = 0
    latest: tuple[tuple[str, str], ...] = ()
    """(who, what was said) of the last messages."""


def new_name() -> str:
    """A name for a conversation: the day and six hexadecimal digits."""
    return f"chat-{datetime.fromtimestamp(SteadyClock().now()):%Y%m%d}-{secrets.token_hex(3)}"


def find(session: Service, name: str) -> str:
    """The conversation of that name, or of a beginning or ending that only it has; the newest for an empty one."""
    known = [one for one, _, _ in session.conversations()]
    if not name and known:
        return known[0]
    found = [one for one in known if name and (one == name or one.startswith(name) or one.endswith(name))]
    if len(found) == 1 or name in found:
        return name if name in found else found[0]
    if found:
        raise NoSuchRun(tr("{name} is not unique: {names}", name=repr(name), names=", ".join(found[:5])))
    newest = ", ".join(known[:3]) or tr("there are none")
    raise NoSuchRun(tr("there is no conversation {name}; the newest: {newest}", name=repr(name), newest=newest))


def taken_up(lines: Sequence[Line]) -> Thread:
    """The fold of a conversation's journal. What a later version wrote and this one does not know is passed over."""
    draft: Draft | None = None
    runs: list[str] = []
    latest: list[tuple[str, str]] = []
    for line in lines:
        match line.kind:
            case "person" | "agent":
                latest.append((line.kind, str(line.body.get("text", ""))))
            case "draft":
                draft = _draft(line)
            case "started" | "dropped":
                draft = None
        if line.kind in ("started", "about") and isinstance(run := line.body.get("run"), str):
            runs = [*(r for r in runs if r != run), run]
    last = [said for said in latest if said[1]]
    return Thread(
        draft=draft,
        run=runs[-1] if runs else None,
        runs=tuple(runs),
        turns=sum(line.kind == "person" for line in lines),
        latest=tuple(last[-LATEST:]),
    )


def _draft(line: Line) -> Draft | None:
    try:
        return Draft.model_validate(line.body)
    except ValidationError:
        return None


def summary(document: PlanDocument) -> str:
    """A shown plan in one line, for the journal."""
    return tr("plan of {n} steps: {verdict}", n=len(document.plan.steps), verdict=tr(document.feasibility.verdict))
