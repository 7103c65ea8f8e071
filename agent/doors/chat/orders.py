"""What each turn of a conversation does: messages, answers to what the prompt asked, and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agent.amend import diff
from agent.brain.cited import render
from agent.doors.chat.commands import help_lines, unknown
from agent.doors.chat.conversation import OVER, Conversation, Proposal
from agent.doors.chat.journal import Draft
from agent.doors.chat.told import Gathered
from agent.doors.chat.turns import At, Turn
from agent.doors.paper import Grid
from agent.errors import Fault, InvalidRequest
from agent.settings import duration as seconds_of
from agent.wording import clean, moment, money, outside, paces, span, spent
from tools.language import tr

if TYPE_CHECKING:
    from agent.contract import Contract
    from agent.documents import RunDocument

EVENTS = 20
"""Lines of the journal that are shown."""
_LINE = 2000
Order = Callable[[Conversation, str, Gathered], None]


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
    if talk.run is None and talk.draft is not None:
        _cost(talk, "", told)
        told.line(tr("/plan shows the contract, the plan and what will be asked."))
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


def amend(talk: Conversation, text: str, told: Gathered) -> None:
    """What a change of the running goal comes to; it takes effect with a yes."""
    run = _focus(talk)
    document = talk.session.show(run)
    contract = talk.session.corrected(run, text)
    before = document.contract
    if contract.questions or before is None:
        for question in contract.questions:
            told.fault(outside(question.text))
        return
    changes = diff(before, contract)
    if not changes:
        told.fault(tr("Nothing of the goal would change by that."))
        return
    told.changes(changes)
    if document.run.holdout_looks and any(".clauses." in c.field for c in changes):
        told.line(tr("The holdout was looked at before this change: what it showed was known."))
    why = talk.session.objections(run, contract)
    for reason in why:
        told.fault(outside(reason))
    talk.proposal = Proposal(run=run, contract=contract, text=text, anew=bool(why))


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
        talk.about(run)
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


def _amend(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    proposal, talk.proposal = talk.proposal, None
    assert proposal is not None
    if not yes:
        told.line(tr("Nothing was changed."))
        return
    message = talk.session.amend(proposal.run, proposal.contract, text=proposal.text, who=talk.user)
    talk.note("amended", run=proposal.run, text=proposal.text)
    _carry_out(talk, proposal.run, message, told)


def _anew(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    """Cancel the run and state its goal as it is now."""
    proposal, talk.proposal = talk.proposal, None
    assert proposal is not None
    if not yes:
        told.line(tr("Nothing was changed: run {run} goes on as it was.", run=proposal.run))
        return
    document = talk.session.show(proposal.run)
    _carry_out(talk, proposal.run, talk.session.cancel(proposal.run, talk.user), told)
    _restate(talk, document, document.contract, proposal.text, told)


def _restate(talk: Conversation, document: RunDocument, contract: Contract | None, text: str, told: Gathered) -> None:
    talk.draft, talk.shown = Draft(text=document.goal.text), document
    if contract is not None:
        talk.correct(text, told)


def _approve(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    _answer(talk, (at.question,), told, approve=yes)


def _answer(talk: Conversation, names: tuple[str, ...], told: Gathered, *, approve: bool) -> None:
    run = _focus(talk)
    answered = talk.session.answer(run, approve=approve, pending=names, who=talk.user)
    talk.answered(run, answered.questions)
    talk.note("answered", run=run, questions=list(answered.questions), approve=approve)
    for line in answered.left:
        told.line(outside(line, limit=_LINE))
    _carry_out(talk, run, answered.message, told)


def _carry_out(talk: Conversation, run: str, message: str, told: Gathered) -> None:
    """The run goes on here; where it cannot, the message says who carries it out."""
    if talk.driver.run == run or (not talk.driver.busy and talk.drive(run, told)):
        told.line(tr("Taken down: run {run} goes on with it.", run=run))
    else:
        told.line(clean(message))


def _resume(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    talk.offered = False
    if yes:
        _go_on(talk, "", told)
    else:
        told.line(tr("Run {run} stays as it is; /resume goes on with it.", run=_focus(talk)))


_ANSWERS: Mapping[str, Callable[[Conversation, At, Gathered, bool], None]] = {
    "start": _start,
    "amend": _amend,
    "anew": _anew,
    "approve": _approve,
    "resume": _resume,
}


def _focus(talk: Conversation) -> str:
    if talk.run is None:
        what = tr("is about no run yet: state a goal, or /use")
        raise InvalidRequest(Fault(place=tr("this conversation"), what=what))
    return talk.run


def _help(talk: Conversation, text: str, told: Gathered) -> None:
    for line in help_lines():
        told.line(line)


def _status(talk: Conversation, text: str, told: Gathered) -> None:
    told.view(talk.session.view(_focus(talk)))


def _plan(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.draft is not None and talk.shown is not None:
        told.plan(talk.shown)
    else:
        told.plan(talk.session.show(_focus(talk)))


def _cost(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.draft is not None and talk.shown is not None:
        estimate = talk.shown.estimate
        time, usd = span(estimate.seconds, "seconds"), span(estimate.usd, "usd")
        told.line(tr("Not started. It would take {time} and cost {usd}.", time=time, usd=usd))
        return
    run = _focus(talk)
    view, document = talk.session.view(run), talk.session.show(run)
    told.line(tr("{usd} spent", usd=spent(view.spent_usd, view.budget_usd)))
    told.line(tr("{usd} reserved", usd=money(view.reserved_usd)))
    told.line(tr("the whole plan: {usd}", usd=span(document.estimate.usd, "usd")))
    for name, figure in paces(view.pace):
        told.line(f"{name}{tr(': ')}{figure}")


def _report(talk: Conversation, text: str, told: Gathered) -> None:
    told.report(talk.session.show(_focus(talk)))


def _events(talk: Conversation, text: str, told: Gathered) -> None:
    if text and not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= 10_000):
        told.fault(tr("/events takes a number of lines from 1 to 10000."))
        return
    most = int(text) if text else EVENTS
    for event in list(talk.session.events(_focus(talk)))[-most:]:
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
    run = _focus(talk)
    message = talk.session.cancel(run, talk.user)
    talk.proposal = None
    _carry_out(talk, run, message, told)


def _go_on(talk: Conversation, text: str, told: Gathered) -> None:
    run = _focus(talk)
    if talk.session.view(run).status in OVER:
        told.fault(tr("Run {run} is over: /report shows how.", run=run))
    elif talk.drive(run, told):
        told.line(tr("Run {run} goes on.", run=run))


def _wait(talk: Conversation, text: str, told: Gathered) -> None:
    while not talk.driver.wait(0.2):  # in pieces, so that an interruption is heard
        pass
    run = _focus(talk)
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
    talk.about(view.id)
    talk.offered = view.status not in OVER and talk.driver.run != view.id
    told.view(view)


def _new(talk: Conversation, text: str, told: Gathered) -> None:
    if text:
        talk.goal(text, told)
    else:
        told.fault(tr("/new takes a goal: /new Predict species from penguins.csv."))


def _clear(talk: Conversation, text: str, told: Gathered) -> None:
    if talk.begun is not None:
        _carry_out(talk, talk.begun, talk.session.cancel(talk.begun, talk.user), told)
    waits = talk.draft is not None or talk.proposal is not None
    talk.draft = talk.shown = talk.begun = talk.proposal = None
    talk.note("dropped")
    told.line(tr("Forgotten: nothing was started or changed.") if waits else tr("There is nothing to forget."))


def _extend(talk: Conversation, text: str, told: Gathered) -> None:
    endpoint, _, time = text.partition(" ")
    try:
        wanted = seconds_of(time.strip() or "8h")
    except ValueError as error:
        told.fault(f"/extend{tr(': ')}{outside(str(error))}")
        return
    _ordered(talk, endpoint, told, lambda: talk.planner.extend(endpoint, for_s=wanted, accept=False), "/extend")


def _stop(talk: Conversation, text: str, told: Gathered) -> None:
    _ordered(talk, text, told, lambda: talk.planner.stop(text, accept=False), "/stop")


def _ordered(talk: Conversation, endpoint: str, told: Gathered, begin: Callable[[], str], name: str) -> None:
    """A run of its own about an endpoint."""
    if not endpoint:
        told.fault(tr("{command} takes the name of an endpoint.", command=name))
    elif talk.driver.busy:
        talk.say_busy(told)
    else:
        run = begin()
        talk.about(run)
        talk.note("started", run=run, goal=f"{name} {endpoint}")
        if talk.drive(run, told):
            told.line(tr("Run {run} goes on.", run=run))


def _quit(talk: Conversation, text: str, told: Gathered) -> None:
    talk.over = True


_COMMANDS: Mapping[str, Order] = {
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
