"""What each turn of a conversation does: messages, answers to what the prompt asked, and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agent.amend import diff
from agent.brain.cited import render
from agent.brain.rules.questions import topics
from agent.doors.chat.changing import accepted, amend, anew, carry_out, focus
from agent.doors.chat.commands import help_lines, unknown
from agent.doors.chat.conversation import OVER, Conversation, startable
from agent.doors.chat.drafted import answered
from agent.doors.chat.proposals import Order
from agent.doors.chat.told import Gathered
from agent.doors.chat.turns import At, Turn
from agent.doors.paper import Grid
from agent.spelt import duration as seconds_of
from agent.wording import clean, duration, moment, money, outside, paces, span, spent
from tools.language import tr

if TYPE_CHECKING:
    pass

EVENTS = 20
"""Lines of the journal that are shown."""
_LINE = 2000
Perform = Callable[[Conversation, str, Gathered], None]


def perform(talk: Conversation, turn: Turn, at: At, told: Gathered) -> None:
    """Do what a turn means."""
    match turn.kind:
        case "yes" | "no":
            _ANSWERS[at.posed](talk, at, told, turn.kind == "yes")
        case "command":
            order = _COMMANDS.get(turn.name)
            if order is None:
                told.fault(unknown(turn.name))
            else:
                order(talk, turn.text, told)
        case "question":
            _question(talk, turn.text, told)
        case "goal":
            talk.goal(turn.text, told)
        case "correction":
            talk.correct(turn.text, told)
        case "amendment":
            amend(talk, turn.text, told)
        case "unreadable" | "aside":
            told.fault(turn.text)
        case "empty":
            told.line(tr("Nothing was said. /help lists what can be."))


def _question(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.draft is not None and talk.shown is not None and _about_draft(talk, text):
        for line in answered(talk.shown, text):
            told.line(outside(line, limit=_LINE))
        return
    if talk.run is None:
        told.fault(tr("There is no run to ask about yet: state a goal, or choose a run with /use."))
        return
    answer = talk.session.ask_about(talk.run, text)
    if answer is None:
        told.fault(tr("The record of {run} does not tell that. /status and /report show what it has.", run=talk.run))
        return
    for line in render(answer).splitlines():
        told.line(outside(line, limit=_LINE))


def _about_draft(talk: Conversation, text: str) -> bool:
    """Whether a question is about the goal that is shown, and not about a run that goes on beside it."""
    if talk.run is None or talk.session.view(talk.run).status in OVER:
        return True
    return not startable(talk.shown) and "refused" in topics(text)


def _start(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    if not yes:
        _clear(talk, "", told)
        return
    run = talk.begun
    if run is None:
        if talk.driver.busy:
            talk.say_busy(told)
            return
        assert talk.draft is not None
        run = talk.planner.start(talk.request(talk.draft))
        talk.about(run, told)
        if _otherwise(talk, run, told):
            return
    shown = talk.shown
    talk.draft = talk.shown = talk.begun = None
    talk.note("started", run=run, goal=shown.goal.text if shown is not None else "")
    if talk.drive(run, told):
        told.line(tr("Run {run} has begun. Ask, correct it or /cancel it at any time.", run=run))


def _otherwise(talk: Conversation, run: str, told: Gathered) -> bool:
    """Whether the goal was understood otherwise than it was shown; then it is shown again and asked again."""
    assert talk.shown is not None
    document = talk.session.show(run)
    if document.contract is None or talk.shown.contract is None:
        return False
    changes = diff(talk.shown.contract, document.contract)
    if not changes:
        return False
    told.fault(tr("It was understood otherwise than it was shown; nothing is done before you say yes to this:"))
    told.changes(changes)
    talk.shown, talk.begun = document, run
    return True


def _approve(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    _answer(talk, (at.question,), told, approve=yes)


def _answer(talk: Conversation, names: tuple[str, ...], told: Gathered, *, approve: bool) -> None:
    run = focus(talk)
    answered = talk.session.answer(run, approve=approve, pending=names, who=talk.user)
    talk.answered(run, answered.questions)
    talk.note("answered", run=run, questions=list(answered.questions), approve=approve)
    for line in answered.left:
        told.line(outside(line, limit=_LINE))
    carry_out(talk, run, answered.message, told)


def _resume(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    talk.offered = False
    if yes:
        _go_on(talk, "", told)
    else:
        told.line(tr("Run {run} stays as it is; /resume goes on with it.", run=focus(talk)))


def _help(talk: Conversation, text: str, told: Gathered) -> None:
    for line in help_lines():
        told.line(line)


def _status(talk: Conversation, text: str, told: Gathered) -> None:
    told.view(talk.session.view(focus(talk)))


def _plan(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.draft is not None and talk.shown is not None:
        told.plan(talk.shown)
    else:
        told.plan(talk.session.show(focus(talk)))


def _cost(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.draft is not None and talk.shown is not None:
        estimate = talk.shown.estimate
        time, usd = span(estimate.seconds, "seconds"), span(estimate.usd, "usd")
        told.line(tr("Not started. It would take {time} and cost {usd}.", time=time, usd=usd))
        return
    run = focus(talk)
    view, document = talk.session.view(run), talk.session.show(run)
    told.line(tr("{usd} spent", usd=spent(view.spent_usd, view.budget_usd)))
    told.line(tr("{usd} reserved", usd=money(view.reserved_usd)))
    told.line(tr("the whole plan: {usd}", usd=span(document.estimate.usd, "usd")))
    for name, figure in paces(view.pace):
        told.line(f"{name}{tr(': ')}{figure}")


def _report(talk: Conversation, text: str, told: Gathered) -> None:
    told.report(talk.session.show(focus(talk)))


def _events(talk: Conversation, text: str, told: Gathered) -> None:
    if text and not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= 10_000):
        told.fault(tr("/events takes a number of lines from 1 to 10000."))
        return
    most = int(text) if text else EVENTS
    for event in list(talk.session.events(focus(talk)))[-most:]:
        told.line(f"{event.seq:>5}  {event.kind:<12} {outside(event.text, limit=_LINE)}")


def _approve_named(talk: Conversation, text: str, told: Gathered) -> None:
    _answer(talk, tuple(text.split()), told, approve=True)


def _deny_named(talk: Conversation, text: str, told: Gathered) -> None:
    _answer(talk, tuple(text.split()), told, approve=False)


def _amend_with(talk: Conversation, text: str, told: Gathered) -> None:
    if not text:
        told.fault(tr("/amend takes what is to change: /amend accuracy 0.92"))
    elif talk.draft is not None:
        talk.correct(text, told)
    else:
        amend(talk, text, told)


def _cancel(talk: Conversation, text: str, told: Gathered) -> None:
    run = focus(talk)
    message = talk.session.cancel(run, talk.user)
    talk.lapse(told)
    carry_out(talk, run, message, told)


def _go_on(talk: Conversation, text: str, told: Gathered) -> None:
    run = focus(talk)
    if talk.session.view(run).status in OVER:
        told.fault(tr("Run {run} is over: /report shows how.", run=run))
    elif talk.drive(run, told):
        told.line(tr("Run {run} goes on.", run=run))


def _wait(talk: Conversation, text: str, told: Gathered) -> None:
    while not talk.driver.wait(0.2):  # in pieces, so that an interruption is heard
        pass
    run = focus(talk)
    document = talk.session.show(run)
    if talk.late.shows_ends:
        return
    if document.run.status in OVER:
        told.report(document)
    else:
        told.view(talk.session.view(run))


def _runs(talk: Conversation, text: str, told: Gathered) -> None:
    found = talk.session.runs().runs
    if not found:
        told.line(tr("No runs yet."))
        return
    rows = [(r.id, tr(r.status), moment(r.started), money(r.spent_usd), clean(r.goal)) for r in found[:EVENTS]]
    heads = (tr("run"), tr("status"), tr("started"), tr("spent"), tr("goal"))
    told.grid(Grid(heads=heads, rows=rows, right=(3,), fold=4))


def _use(talk: Conversation, text: str, told: Gathered) -> None:
    if not text:
        told.fault(tr("/use takes the id of a run: /runs lists them."))
        return
    view = talk.session.view(text)
    talk.about(view.id, told)
    talk.offered = view.status not in OVER and talk.driver.run != view.id
    told.view(view)


def _new(talk: Conversation, text: str, told: Gathered) -> None:
    if text:
        talk.goal(text, told)
    else:
        told.fault(tr("/new takes a goal: /new Predict species from penguins.csv."))


def _clear(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.begun is not None:
        carry_out(talk, talk.begun, talk.session.cancel(talk.begun, talk.user), told)
    waits = any(each is not None for each in (talk.draft, talk.proposal, talk.order))
    talk.draft = talk.shown = talk.begun = talk.proposal = talk.order = None
    talk.note("dropped")
    told.line(tr("Forgotten: nothing was started or changed.") if waits else tr("There is nothing to forget."))


def _extend(talk: Conversation, text: str, told: Gathered) -> None:
    endpoint, _, time = text.partition(" ")
    try:
        wanted = seconds_of(time.strip() or "8h")
    except ValueError as error:
        told.fault(f"/extend{tr(': ')}{outside(str(error))}")
        return
    _propose(talk, Order(command="/extend", endpoint=endpoint, for_s=wanted), told)


def _stop(talk: Conversation, text: str, told: Gathered) -> None:
    _propose(talk, Order(command="/stop", endpoint=text), told)


def _propose(talk: Conversation, order: Order, told: Gathered) -> None:
    """What a run of its own about an endpoint would do; it is begun with a yes."""
    if not order.endpoint:
        told.fault(tr("{command} takes the name of an endpoint.", command=order.command))
        return
    if talk.driver.busy:
        talk.say_busy(told)
        return
    talk.lapse(told)
    talk.order = order
    name = outside(order.endpoint)
    if order.for_s is None:
        told.line(tr("A run of its own would end the endpoint {name}.", name=name))
    else:
        longer = duration(order.for_s)
        told.line(tr("A run of its own would let the endpoint {name} live {time} longer.", name=name, time=longer))


def _ordered(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    order, talk.order = talk.order, None
    if order is None or not yes:
        told.line(tr("Nothing was changed."))
    elif talk.driver.busy:
        talk.say_busy(told)
    else:
        planner, endpoint = talk.planner, order.endpoint
        run = (
            planner.stop(endpoint, accept=False)
            if order.for_s is None
            else planner.extend(endpoint, for_s=order.for_s, accept=False)
        )
        talk.about(run, told)
        talk.note("started", run=run, goal=f"{order.command} {endpoint}")
        if talk.drive(run, told):
            told.line(tr("Run {run} goes on.", run=run))


def _quit(talk: Conversation, text: str, told: Gathered) -> None:
    talk.over = True


_ANSWERS: Mapping[str, Callable[[Conversation, At, Gathered, bool], None]] = {
    "start": _start,
    "amend": accepted,
    "anew": anew,
    "order": _ordered,
    "approve": _approve,
    "resume": _resume,
}

_COMMANDS: Mapping[str, Perform] = {
    "help": _help,
    "status": _status,
    "plan": _plan,
    "cost": _cost,
    "report": _report,
    "events": _events,
    "approve": _approve_named,
    "deny": _deny_named,
    "amend": _amend_with,
    "cancel": _cancel,
    "resume": _go_on,
    "wait": _wait,
    "runs": _runs,
    "use": _use,
    "new": _new,
    "clear": _clear,
    "extend": _extend,
    "stop": _stop,
    "quit": _quit,
}
