"""Everything that is known before the first effect: contract, survey, plan, approvals, feasibility.

`plan` prints it and `run` begins with it; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agent import formulas, guard, reads, remedy, running, validate
from agent.approving.asking import questions
from agent.approving.audience import Today
from agent.brain.protocol import Brain, Context, Open, Terms
from agent.brain.rules.mending_asked import asks_to_mend
from agent.brain.rules.planning.propose import propose as embedded
from agent.clock import stamp
from agent.consulting import notes, taken_over
from agent.contract import Contract, Refusal, Remark
from agent.documents import ApprovalAsked, Feasibility, FeasibilityVerdict, Pending, PlanDocument
from agent.errors import Fault, InvalidRequest
from agent.goal import Goal
from agent.lines import Consulted, Known
from agent.memory import concerning
from agent.past import Past
from agent.plan import Plan, total
from agent.proposing import Proposal, proposal
from agent.record.ledger import Purse
from agent.state import Planned, Run, Stated, Understood
from agent.stated import Stated as StatedFields
from agent.stated import merge
from agent.survey import BUNDLED, REMOTE, Read, Survey, is_path, source_of, survey
from agent.unfit import impossible, unfit
from policies.engine import Policies
from tools.language import tr
from tools.record import Record


class Request(Record):
    """A goal as a door hands it in."""

    text: str
    source: str
    """Door and person: `cli:USER`, `file:PATH`."""
    stated: StatedFields | None = None
    """What a goal file says in fields."""
    accept: bool = False
    """The requester accepts the plan's envelope beforehand."""
    folder: str = "."
    """Relative paths are resolved against it."""
    said: tuple[str, ...] = ()
    """What the requester said before in the same conversation, oldest first."""
    before: Contract | None = None
    """The contract that the text corrects."""
    answer: Contract | Refusal | Open | None = None
    """What it was understood as when it was shown; None: it is understood anew."""

    def same_words(self, other: Request) -> bool:
        """Whether it asks for the same, as far as understanding goes."""
        own, theirs = (r.model_copy(update={"answer": None, "accept": False}) for r in (self, other))
        return own == theirs


class Prospect(Record):
    """What a run would begin with."""

    stated: Stated
    understood: Understood
    survey: Survey | None
    planned: Planned
    questions: tuple[Pending, ...] = ()
    """What people would be asked before it starts."""
    consulted: tuple[Consulted, ...] = ()
    """What a model was asked on the way."""
    looked: tuple[Known, ...] = ()
    """What was read on the way."""
    answer: Contract | Refusal | Open | None = None
    """What the brain said to the goal's text alone."""
    instead: str = ""
    """Why the plan is the embedded brain's, where another's could not be run."""

    def with_consulted(self, consulted: tuple[Consulted, ...]) -> Prospect:
        """With what a model was asked, and what the rules did instead said beside the verdict."""
        consulted = taken_over(consulted, self.instead)
        said, feasibility = notes(consulted), self.planned.feasibility
        if self.instead and not any(self.instead in note for note in said):
            said = (*said, self.instead)
        told = feasibility.model_copy(update={"reasons": (*feasibility.reasons, *said)})
        planned = self.planned.model_copy(update={"feasibility": told})
        return self.model_copy(update={"planned": planned, "consulted": consulted})

    def document(self) -> PlanDocument:
        return PlanDocument(
            now=self.stated.plan_now,
            goal=self.stated.goal,
            contract=self.understood.contract,
            plan=self.planned.plan,
            approvals=self.planned.approvals,
            feasibility=self.planned.feasibility,
            estimate=total(self.planned.plan.steps),
            questions=tuple(q.model_copy(update={"answer": ""}) for q in self.questions),
        )


class Desk(Record):
    """Who plans, with what: the fixed surroundings of a prospect."""

    owner: str
    backend: str
    runtime: str
    now: float
    utc_offset_s: int
    load_rps: float
    lease_s: float
    purse: Purse
    """What the accounts outside a run still allow."""
    budget_usd: float | None
    """The operator's own limit: a goal's budget is never above it."""
    past: tuple[Past, ...] = ()
    """What finished work of earlier runs took and came to, newest first."""


def prospect(request: Request, *, desk: Desk, brain: Brain, read: Read, policies: Policies) -> Prospect:
    """Understand, look, plan and judge. InvalidRequest when text and fields contradict each other."""
    answer = request.answer or _understood(request, desk, brain)
    found = _planned(request, answer, desk=desk, brain=brain, read=read, policies=policies)
    return found.model_copy(update={"answer": answer})


def _understood(request: Request, desk: Desk, brain: Brain) -> Contract | Refusal | Open:
    context = Context(now=desk.now, utc_offset_s=desk.utc_offset_s, said=request.said, before=request.before)
    return brain.understand(Goal.of(request.text, source=request.source), context)


def _planned(
    request: Request, answer: Contract | Refusal | Open, *, desk: Desk, brain: Brain, read: Read, policies: Policies
) -> Prospect:
    goal = Goal.of(request.text, source=request.source)
    whole = Goal.of("\n".join((*request.said, request.text)), source=request.source)
    stated = _stated(request, whole, desk, brain.name)
    if isinstance(answer, Refusal):
        return _without_plan(stated, Understood(contract=None, refusal=answer), "refused", (answer.reason,))
    told = answer.contract if isinstance(answer, Open) else answer
    contract = _bounded(_formulated(_with_fields(told, request), request), desk)
    understood = Understood(contract=contract, open=isinstance(answer, Open) and _left_open(contract, whole.text))
    if contract.questions:
        asked = tuple(f"{q.field}{tr(': ')}{q.text}" for q in contract.questions)
        return _without_plan(stated, understood, "needs_input", asked)
    said = remedy.as_if_said(contract) if understood.open else contract
    if bad := (*impossible(contract), *brain.unsupported(said)):
        return _without_plan(stated, understood, "infeasible", bad)
    seen = survey(contract, read=read, folder=Path(stated.folder), at=desk.now)
    seen = seen.model_copy(update={"past": concerning(desk.past, contract, seen)})
    terms = Terms(load_rps=desk.load_rps, lease_s=desk.lease_s, owner=desk.owner, folder=stated.folder)

    def propose(run: Run) -> Proposal:
        def ours() -> Plan:
            return embedded(contract, seen, terms)

        made = proposal(
            brain,
            contract=contract,
            survey=seen,
            terms=terms,
            goal=goal.text,
            open_=understood.open,
            read=read,
            allowed=lambda call: reads.objection(call, run, policies, desk.purse),
            validate=lambda plan: validate.faults(plan, contract),
            fallback=ours,
        )
        # The rules find no size by themselves: their plan for one that is left open would change nothing.
        found = made.plan is not None and not made.why and made.plan.steps != ours().steps
        return made if found or not remedy.left_open(contract) else made.model_copy(update={"plan": None})

    return _judged(stated, understood, seen, propose, policies=policies, desk=desk)


def _left_open(contract: Contract, text: str) -> bool:
    """Who asks why something is slow has not asked for a repair, whatever a brain takes it for."""
    return asks_to_mend(text) or all(p.task != "diagnose" for p in contract.parts)


def ordered(
    text: str, contract: Contract, seen: Survey, plan: Plan, *, desk: Desk, accept: bool, policies: Policies
) -> Prospect:
    """A prospect whose contract and plan are given: an order that needs no understanding."""
    request = Request(text=text, source=f"cli:{desk.owner}", accept=accept)
    stated = _stated(request, Goal.of(text, source=request.source), desk, "none")

    def propose(run: Run) -> Proposal:
        del run
        faults = validate.faults(plan, contract)
        return Proposal(plan=None if faults else plan, faults=faults)

    return _judged(stated, Understood(contract=contract), seen, propose, policies=policies, desk=desk)


def _stated(request: Request, goal: Goal, desk: Desk, brain: str) -> Stated:
    return Stated(
        goal=goal,
        accept=request.accept,
        owner=desk.owner,
        backend=desk.backend,
        runtime=desk.runtime,
        load_rps=desk.load_rps,
        lease_s=desk.lease_s,
        brain=brain,
        plan_now=stamp(desk.now),
        folder=str(Path(request.folder).resolve()),
    )


def _with_fields(contract: Contract, request: Request) -> Contract:
    if request.stated is None:
        return contract
    merged, faults = merge(contract, request.stated)
    if found := (*faults, *_outside(merged, Path(request.folder).resolve())):
        raise InvalidRequest(*found)
    return merged


def _formulated(contract: Contract, request: Request) -> Contract:
    """Metrics of the goal's own with their formulas checked, and questions about those without one."""
    places = request.stated.places if request.stated is not None else {}
    if found := formulas.faults(contract, places):
        raise InvalidRequest(*found)
    return formulas.settled(contract)


def _outside(contract: Contract, folder: Path) -> Iterator[Fault]:
    """Data and models that a goal file names in its text, too, must lie in its own project."""
    here = Path.cwd()
    roots = (folder, here) if folder.is_relative_to(here) else (folder,)
    named = [d.uri for p in contract.parts for d in p.data if not d.uri.startswith((BUNDLED, *REMOTE))]
    named += [name for p in contract.parts for name in p.source_models if is_path(name)]
    for place in named:
        path = Path(source_of(place, folder))
        if not any(path.is_relative_to(root) for root in roots):
            fix = tr("name data and models of the project")
            yield Fault(place=place, what=tr("lies outside the goal file's project"), fix=fix)


def _bounded(contract: Contract, desk: Desk) -> Contract:
    """The operator's budget bounds the goal's."""
    limit = desk.budget_usd
    if limit is None or (contract.budget_usd is not None and contract.budget_usd <= limit):
        return contract
    note = Remark(field="budget_usd", text=tr("the operator allows ${limit:g}", limit=limit))
    return contract.model_copy(update={"budget_usd": limit, "assumptions": (*contract.assumptions, note)})


def _without_plan(stated: Stated, understood: Understood, verdict: str, reasons: tuple[str, ...]) -> Prospect:
    feasibility = Feasibility.model_validate({"verdict": verdict, "reasons": reasons})
    planned = Planned(plan=Plan(version=1, steps=()), approvals=(), feasibility=feasibility)
    return Prospect(stated=stated, understood=understood, survey=None, planned=planned)


def _judged(
    stated: Stated,
    understood: Understood,
    seen: Survey,
    propose: Callable[[Run], Proposal],
    *,
    policies: Policies,
    desk: Desk,
) -> Prospect:
    contract = understood.contract
    assert contract is not None
    if unsaid := tuple(q for p in contract.parts for q in running.questions(p, seen, owner=stated.owner)):
        return _without_plan(stated, understood, "needs_input", unsaid).model_copy(update={"survey": seen})
    bad = unfit(contract, seen, stated.backend)
    run = Run(
        id="", stated=stated, contract=contract, survey=seen, started=desk.now, last=desk.now, opened=understood.open
    )
    made = Proposal(plan=None) if bad else propose(run)
    if made.plan is None:
        unsaid = remedy.left_open(contract) if understood.open and not bad else ()
        verdict, why = ("needs_input", (*unsaid, made.why)) if unsaid else ("infeasible", (*bad, *made.faults))
        none = _without_plan(stated, understood, verdict, tuple(filter(None, why)))
        return none.model_copy(update={"survey": seen, "looked": made.known})
    plan = made.plan.model_copy(update={"version": 1})
    if theirs := tuple(r for p in contract.parts for r in running.foreign(p, seen, owner=stated.owner)):
        return _without_plan(stated, understood, "refused", theirs).model_copy(update={"survey": seen})
    run.plans.append(Planned(plan=plan, approvals=(), feasibility=Feasibility(verdict="feasible")))
    approvals, refused = guard.preview(plan, run, policies, purse=desk.purse)
    unknown = unknowns(contract, seen)
    remarks = running.remarks(contract, seen, load_rps=desk.load_rps)
    verdict = _refusal(refused) if refused else "unknown" if unknown else "feasible"
    said = tuple(f"{r.step}{tr(': ')}{r.reason}" for r in refused)
    reasons = (*said, *unknown, *remarks)
    feasibility = Feasibility.model_validate({"verdict": verdict, "reasons": reasons})
    planned = Planned(plan=plan, approvals=approvals, feasibility=feasibility, policies_digest=policies.digest)
    run.plans[-1] = planned
    asked = () if refused else questions(Today(run=run, policies=policies, now=desk.now))
    return Prospect(
        stated=stated,
        understood=understood,
        survey=seen,
        planned=planned,
        questions=asked,
        looked=made.known,
        instead=made.why,
    )


def _refusal(refused: tuple[ApprovalAsked, ...]) -> FeasibilityVerdict:
    """Money that is not there makes a plan infeasible; any other rule refuses it."""
    return "infeasible" if all(r.policies == ("budget",) for r in refused) else "refused"


def unknowns(contract: Contract, seen: Survey) -> tuple[str, ...]:
    data = tuple(d.unreadable for d in seen.data.values() if d.unreadable is not None)
    models = tuple(
        tr("there is no model {name} in the registry", name=name) for name, key in seen.models.items() if key is None
    )
    absent = tuple(
        tr("there is no endpoint {endpoint} here", endpoint=p.endpoint)
        for p in contract.parts
        if running.misses(p, seen)
    )
    prices = () if seen.usd_micro_per_hour is not None else (tr("the price of where it would run is not known"),)
    return (*data, *models, *absent, *prices)


def unreadable(found: Prospect) -> tuple[Fault, ...]:
    """Why a run cannot begin: data that is not there, or cannot be used. `plan` only says so."""
    if found.survey is None:
        return ()
    missing = [Fault(place=d.uri, what=d.unreadable) for d in found.survey.data.values() if d.unreadable is not None]
    unusable = [
        Fault(place=_place(d.uri, fault.place), what=fault.problem, fix=fault.fix)
        for d in found.survey.data.values()
        if d.profile is not None
        for fault in d.profile.faults
    ]
    models = [
        Fault(place=n, what=tr("there is no such model in the registry"))
        for n, k in found.survey.models.items()
        if not k
    ]
    parts = found.understood.contract.parts if found.understood.contract is not None else ()
    gone = [
        Fault(place=p.endpoint, what=tr("there is no endpoint of that name"), fix=tr("`goalkeeper sweep` lists them"))
        for p in parts
        if running.misses(p, found.survey)
    ]
    return (*missing, *unusable, *models, *gone)


def _place(uri: str, place: str) -> str:
    """Where a fault of a data set is; the probe names the file itself in some."""
    return place if place.startswith(Path(uri).name) else f"{uri}{tr(', ')}{tr(place)}"
