"""Whether a plan can be run: every fault at once, for a person or a brain to mend. Whoever proposed it is not trusted.

Records are what they should be, tools exist, arguments are typed and plain, references resolve, there is no cycle,
every clause has a step that measures it, whatever is served is handed over or released, and the money is within the
budget.
What a plan says of cost and effect is compared or shown; what is reserved and allowed is computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from agent.contract import Contract
from agent.learning import measured_later
from agent.plan import REF, WHOLE, Estimate, Plan, Step, refs, total
from agent.written import unwritable
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.tool import Tool

MEASURES = {"holdout": "evaluate_model", "live": "monitor_endpoint"}
"""Which tool measures a clause; a step of another tool that claims to measures nothing."""
MOST_STEPS = 400
MOST_SAID = 50
"""Faults that are told of one plan: nobody mends more at once."""


def proposed(make: Callable[[], Plan]) -> tuple[Plan | None, tuple[str, ...]]:
    """What a brain proposes, as the plan's own records allow it, or why it is none: nothing it does ends the agent."""
    try:
        return _reread(make())
    except Exception as error:  # noqa: BLE001 - whatever a brain does wrong is its plan's fault, and told as one
        return None, (tr("the plan is no plan: {error}", error=type(error).__name__),)


def _reread(plan: Plan) -> tuple[Plan | None, tuple[str, ...]]:
    """Read anew: what was made without the checks of its records is not believed."""
    if len(plan.steps) > MOST_STEPS:
        return None, (_too_many(plan),)
    try:
        return Plan.model_validate(plan.model_dump(warnings=False)), ()
    except ValidationError as error:
        found = (f"{'.'.join(map(str, e['loc']))[:80]}{tr(': ')}{e['msg']}" for e in error.errors(include_url=False))
        return None, tuple(found)[:MOST_SAID]


def faults(plan: Plan, contract: Contract) -> tuple[str, ...]:
    """Everything that is wrong with the plan; empty when it can be run."""
    if len(plan.steps) > MOST_STEPS:
        return (_too_many(plan),)
    return (*unsound(plan, contract), *_unmet(plan, contract))[:MOST_SAID]


def unsound(plan: Plan, contract: Contract) -> tuple[str, ...]:
    """What is wrong with the plan as a plan, whatever it is for; empty when each of its steps can be judged."""
    if len(plan.steps) > MOST_STEPS:
        return (_too_many(plan),)
    return tuple(_unsound(plan, contract))[:MOST_SAID]


def _too_many(plan: Plan) -> str:
    return tr("the plan has {n} steps, and at most {most} are carried out", n=len(plan.steps), most=MOST_STEPS)


def _unsound(plan: Plan, contract: Contract) -> Iterator[str]:
    ids = [s.id for s in plan.steps]
    yield from (tr("step id {i} is used twice", i=i) for i in sorted({i for i in ids if ids.count(i) > 1}))
    steps = {s.id: s for s in plan.steps}
    before = {id_: _before(step, steps) for id_, step in steps.items()}
    clauses = {f"{p.name}/{c.id}" for p in contract.parts for c in p.clauses}
    for step in plan.steps:
        yield from _step(step, steps, before[step.id])
        yield from _purpose(step, contract, clauses)
    yield from (
        tr("{step}: needs itself, directly or through others", step=id_) for id_, seen in before.items() if id_ in seen
    )


def _purpose(step: Step, contract: Contract, clauses: set[str]) -> Iterator[str]:
    if step.part not in {p.name for p in contract.parts}:
        yield tr("{step}: works for {part!r}, which is no part of the goal", step=step.id, part=step.part)
    for claimed in sorted(set(step.measures) - clauses):
        yield tr("{step}: measures {clause!r}, which is no clause of the goal", step=step.id, clause=claimed[:80])
    if any(low is not None and high is not None and low > high for low, high in _ranges(step.estimate)):
        yield tr("{step}: its estimate ends before it begins", step=step.id)


def _ranges(estimate: Estimate) -> Iterator[tuple[float | None, float | None]]:
    yield from ((span.low, span.high) for span in (estimate.usd, estimate.seconds))


def _unmet(plan: Plan, contract: Contract) -> Iterator[str]:
    """What the goal asks for and the plan does not do."""
    if not plan.steps:
        yield tr("the plan has no steps")
    yield from _unmeasured(plan, contract)
    yield from _uncompared(plan, contract)
    yield from _unreleased(plan)
    yield from _shared(plan)
    cost = total(plan.steps).usd.high
    if contract.budget_usd is not None and cost is not None and cost > contract.budget_usd:
        yield tr(
            "the plan may cost up to ${cost:.2f} and the budget is ${budget:.2f}", cost=cost, budget=contract.budget_usd
        )


def _step(step: Step, steps: Mapping[str, Step], before: set[str]) -> Iterator[str]:
    tool = BY_NAME.get(step.tool)
    if tool is None:
        yield tr("{step}: there is no tool {tool!r}", step=step.id, tool=step.tool[:80])
        return
    if step.effect is not tool.effect:
        yield tr(
            "{step}: {tool} {effect}, the step says {said}",
            step=step.id,
            tool=step.tool,
            effect=tool.effect.value,
            said=step.effect.value,
        )
    for need in step.needs:
        if need not in steps:
            yield tr("{step}: needs {need!r}, which is not a step", step=step.id, need=need[:80])
    if odd := [f"{step.id}{tr(': ')}{why}" for why in unwritable(step.args)]:
        yield from odd
        return
    yield from _references(step, steps, before)
    yield from _arguments(step, tool)


def _references(step: Step, steps: Mapping[str, Step], before: set[str]) -> Iterator[str]:
    for source, field in refs(step.args):
        other = steps.get(source)
        tool = BY_NAME.get(other.tool) if other is not None else None
        if other is None or tool is None:
            yield tr(
                "{step}: refers to {source}.{field}, and {source!r} is not a step",
                step=step.id,
                source=source[:80],
                field=field[:80],
            )
        elif source not in before:
            yield tr("{step}: refers to {source}, which does not come before it", step=step.id, source=source)
        elif field not in tool.result.model_fields and field != WHOLE:
            yield tr("{step}: {tool} has no result {field!r}", step=step.id, tool=other.tool, field=field[:80])


def _before(step: Step, steps: Mapping[str, Step]) -> set[str]:
    seen, todo = set[str](), list(step.needs)
    while todo:
        id_ = todo.pop()
        if id_ not in seen:
            seen.add(id_)
            todo.extend(steps[id_].needs if id_ in steps else ())
    return seen


def _arguments(step: Step, tool: Tool) -> Iterator[str]:
    """Literal arguments are checked as they are; a reference stands for a value that will fit."""
    unknown = set(step.args) - set(tool.args.model_fields)
    yield from (
        tr("{step}: {tool} has no argument {name!r}", step=step.id, tool=step.tool, name=name[:80])
        for name in sorted(unknown)
    )
    try:
        tool.args.model_validate({k: v for k, v in step.args.items() if k not in unknown})
    except ValidationError as error:
        for fault in error.errors():
            if not _stands_for_reference(step.args, fault["loc"]):
                yield f"{step.id}: {'.'.join(map(str, fault['loc']))[:80]}: {fault['msg']}"


def _stands_for_reference(args: Any, loc: tuple[int | str, ...]) -> bool:
    value = args
    for key in loc:
        if isinstance(value, dict) and REF in value:
            return True
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(value, dict) and REF in value


def _unmeasured(plan: Plan, contract: Contract) -> Iterator[str]:
    measured = {(m, s.tool) for s in plan.steps for m in s.measures}
    for part in contract.parts:
        for clause in part.clauses:
            tool = MEASURES.get(clause.where)
            named = (f"{part.name}/{clause.id}", tool)
            if tool is not None and named not in measured and not measured_later(clause, part):
                yield tr(
                    "no step measures {metric} of {part}: {tool} does", metric=clause.metric, part=part.name, tool=tool
                )


def _uncompared(plan: Plan, contract: Contract) -> Iterator[str]:
    """A relative clause on the holdout needs an evaluation that is given what it is relative to."""
    for part in contract.parts:
        for clause in part.clauses:
            if clause.relative is None or clause.where != "holdout":
                continue
            name = f"{part.name}/{clause.id}"
            measuring = [s for s in plan.steps if s.tool == MEASURES["holdout"] and name in s.measures]
            if measuring and not all(clause.relative.to in _against(s) for s in measuring):
                yield tr(
                    "no step compares {metric} of {part} with the {model}",
                    metric=clause.metric,
                    part=part.name,
                    model=tr(clause.relative.to),
                )


def _against(step: Step) -> set[str]:
    named = {str(a.get("to")) for a in step.args.get("against", ()) if isinstance(a, dict)}
    return named | ({"other"} if step.args.get("rivals") else set())


def _shared(plan: Plan) -> Iterator[str]:
    """Two parts that deploy to one endpoint would take the traffic from each other."""
    parts: dict[str, str | None] = {}
    for step in plan.steps:
        if step.tool == "deploy_model":
            name = str(step.args.get("endpoint"))
            if parts.setdefault(name, step.part) != step.part:
                yield tr(
                    "{step}: {other} deploys to endpoint {name} as well: name another target",
                    step=step.id,
                    other=parts[name],
                    name=name,
                )


def _unreleased(plan: Plan) -> Iterator[str]:
    """An endpoint ends by its lease at the latest; a standing one must be handed over by name."""
    kept = {str(s.args.get("endpoint")) for s in plan.steps if s.tool == "extend_lease"}
    kept |= {str(s.args.get("id")) for s in plan.steps if s.tool == "release_resource"}
    for step in plan.steps:
        if step.tool == "deploy_model" and str(step.args.get("endpoint")) not in kept:
            yield tr(
                "{step}: nothing hands over or releases endpoint {endpoint}",
                step=step.id,
                endpoint=step.args.get("endpoint"),
            )
