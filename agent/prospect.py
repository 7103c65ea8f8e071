"""Everything that is known before the first effect: contract, survey, plan, approvals, feasibility.

`plan` prints it and `run` begins with it; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path

from agent import formulas, guard, running, validate
from agent.asking import questions
from agent.audience import Today
from agent.brain.protocol import Brain, Context, Terms
from agent.clock import stamp
from agent.contract import Clause, Contract, Part, Refusal, Remark
from agent.documents import ApprovalAsked, Feasibility, FeasibilityVerdict, Pending, PlanDocument
from agent.errors import Fault, InvalidRequest
from agent.goal import Goal
from agent.learning import holdout_clauses, opens_holdout, task_of
from agent.plan import Plan, total
from agent.record.ledger import Purse
from agent.state import Planned, Run, Stated, Understood
from agent.stated import Stated as StatedFields
from agent.stated import merge
from agent.survey import BUNDLED, REMOTE, DataFacts, Read, Survey, existing, is_path, source_of, survey
from policies.engine import Policies
from tools.language import tr
from tools.metrics import metric
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


class Prospect(Record):
    """What a run would begin with."""

    stated: Stated
    understood: Understood
    survey: Survey | None
    planned: Planned
    questions: tuple[Pending, ...] = ()
    """What people would be asked before it starts."""

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


def prospect(request: Request, *, desk: Desk, brain: Brain, read: Read, policies: Policies) -> Prospect:
    """Understand, look, plan and judge. InvalidRequest when text and fields contradict each other."""
    goal = Goal.of(request.text, source=request.source)
    stated = _stated(request, goal, desk, brain.name)
    answer = brain.understand(goal, Context(now=desk.now, utc_offset_s=desk.utc_offset_s))
    if isinstance(answer, Refusal):
        return _without_plan(stated, Understood(contract=None, refusal=answer), "refused", (answer.reason,))
    contract = _bounded(_formulated(_with_fields(answer, request), request), desk)
    understood = Understood(contract=contract)
    if contract.questions:
        asked = tuple(f"{q.field}{tr(': ')}{q.text}" for q in contract.questions)
        return _without_plan(stated, understood, "needs_input", asked)
    if bad := (*impossible(contract), *brain.unsupported(contract)):
        return _without_plan(stated, understood, "infeasible", bad)
    seen = survey(contract, read=read, folder=Path(stated.folder), at=desk.now)
    terms = Terms(load_rps=desk.load_rps, lease_s=desk.lease_s, owner=desk.owner, folder=stated.folder)
    copies = deepcopy((contract, seen))  # a brain works on what it is given, and never on what it is judged by
    return _judged(stated, understood, seen, lambda: brain.propose(*copies, terms), policies=policies, desk=desk)


def ordered(
    text: str, contract: Contract, seen: Survey, plan: Plan, *, desk: Desk, accept: bool, policies: Policies
) -> Prospect:
    """A prospect whose contract and plan are given: an order that needs no understanding."""
    request = Request(text=text, source=f"cli:{desk.owner}", accept=accept)
    stated = _stated(request, Goal.of(text, source=request.source), desk, "none")
    return _judged(stated, Understood(contract=contract), seen, lambda: plan, policies=policies, desk=desk)


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
    propose: Callable[[], Plan],
    *,
    policies: Policies,
    desk: Desk,
) -> Prospect:
    contract = understood.contract
    assert contract is not None
    if unsaid := tuple(q for p in contract.parts for q in running.questions(p, seen, owner=stated.owner)):
        return _without_plan(stated, understood, "needs_input", unsaid).model_copy(update={"survey": seen})
    unfit = (*_unusable(seen.data), *_mismatched(contract, seen), *_unplaced(contract, seen, stated.backend))
    read, faults = validate.proposed(propose)
    bad = (*unfit, *(faults if read is None else validate.faults(read, contract)))
    if bad or read is None:
        return _without_plan(stated, understood, "infeasible", bad).model_copy(update={"survey": seen})
    plan = read.model_copy(update={"version": 1})
    if theirs := tuple(r for p in contract.parts for r in running.foreign(p, seen, owner=stated.owner)):
        return _without_plan(stated, understood, "refused", theirs).model_copy(update={"survey": seen})
    run = Run(id="", stated=stated, contract=contract, survey=seen, started=desk.now, last=desk.now)
    run.plans.append(Planned(plan=plan, approvals=(), feasibility=Feasibility(verdict="feasible")))
    approvals, refused = guard.preview(plan, run, policies, purse=desk.purse)
    unknown = unknowns(contract, seen)
    remarks = running.remarks(contract, seen, load_rps=desk.load_rps)
    verdict = _refusal(refused) if refused else "unknown" if unknown else "feasible"
    said = tuple(f"{r.step}{tr(': ')}{r.reason}" for r in refused)
    feasibility = Feasibility.model_validate({"verdict": verdict, "reasons": (*said, *unknown, *remarks)})
    planned = Planned(plan=plan, approvals=approvals, feasibility=feasibility, policies_digest=policies.digest)
    run.plans[-1] = planned
    asked = () if refused else questions(Today(run=run, policies=policies, now=desk.now))
    return Prospect(stated=stated, understood=understood, survey=seen, planned=planned, questions=asked)


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
    return (*data, *models, *absent, *prices, *running.once(contract))


def _unplaced(contract: Contract, seen: Survey, backend: str) -> Iterator[str]:
    """What the goal takes for granted of this place and is not so."""
    place = contract.placement
    if place.backend not in (None, backend):
        yield tr(
            "the goal asks for {wanted} and this is {backend}: choose it with --backend where there is one",
            wanted=place.backend,
            backend=backend,
        )
    elif place.gpu is not None and not any(o.gpu == place.gpu for o in seen.offers) and not _only_asks(contract):
        yield tr("nothing that is offered here has a {gpu}", gpu=place.gpu)
    for part in contract.parts:
        yield from running.unfit(part, seen)


def _mismatched(contract: Contract, seen: Survey) -> Iterator[str]:
    """Models and data that turn out to be of another task than the goal's metrics, or than each other."""
    for part in contract.parts:
        if not opens_holdout(part):
            continue
        task = task_of(part, seen)
        for name in existing(part, seen.endpoints):
            if seen.tasks.get(name, task) != task:
                own = tr(seen.tasks[name])
                yield tr("{name} is a model for {own}, not for {task}", name=name, own=own, task=tr(task))
        wanted = [c.metric for c in holdout_clauses(part)] + ([part.objective.metric] if part.objective else [])
        for name in dict.fromkeys(wanted):
            if (known := metric(name)) is not None and task not in known.tasks:
                yield tr(
                    "{part}: {name} is not defined for {task}, which is what there is",
                    part=part.name,
                    name=name,
                    task=tr(task),
                )


def _only_asks(contract: Contract) -> bool:
    """Nothing is to be done: the answer may be that no price is known."""
    return all(p.task == "estimate" for p in contract.parts)


def _unusable(data: Mapping[str, DataFacts]) -> tuple[str, ...]:
    """Faults of data that could be read."""
    return tuple(f"{d.uri}: {fault}" for d in data.values() if d.profile is not None for fault in d.profile.faults)


def impossible(contract: Contract) -> tuple[str, ...]:
    """Clauses that nothing can meet, because of what the metric is."""
    return tuple(r for p in contract.parts for c in p.clauses if (r := _impossible(c, p)))


def _impossible(clause: Clause, part: Part) -> str:
    known = metric(clause.metric)
    if known is None or not isinstance(clause.value, int | float):
        return ""
    value, op = clause.value, clause.op
    above = known.high is not None and (value > known.high or (op == ">" and value == known.high))
    under = known.low is not None and (value < known.low or (op == "<" and value == known.low))
    if not (above and op in (">=", ">", "==")) and not (under and op in ("<=", "<", "==")):
        return ""
    low = "-inf" if known.low is None else f"{known.low:g}"
    high = "inf" if known.high is None else f"{known.high:g}"
    return tr(
        "{part}: {metric} {op} {value:g} is impossible: it lies between {low} and {high}",
        part=part.name,
        metric=clause.metric,
        op=clause.op,
        value=value,
        low=low,
        high=high,
    )


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
