"""Whether a plan can be run: every fault at once, for a person or a brain to mend.

Tools exist, arguments are typed, references resolve, there is no cycle, every clause has a step that
measures it, whatever is served is handed over or released, and the money is within the budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from agent.contract import Contract
from agent.plan import REF, WHOLE, Plan, Step, refs, total
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.tool import Tool

MEASURES = {"holdout": "evaluate_model", "live": "monitor_endpoint"}
"""Which tool measures a clause; a step of another tool that claims to measures nothing."""


def faults(plan: Plan, contract: Contract) -> tuple[str, ...]:
    """Everything that is wrong with the plan; empty when it can be run."""
    return tuple(_faults(plan, contract))


def _faults(plan: Plan, contract: Contract) -> Iterator[str]:
    if not plan.steps:
        yield tr("the plan has no steps")
    ids = [s.id for s in plan.steps]
    yield from (tr("step id {i} is used twice", i=i) for i in sorted({i for i in ids if ids.count(i) > 1}))
    for step in plan.steps:
        yield from _step(step, plan)
    yield from _cycle(plan)
    yield from _unmeasured(plan, contract)
    yield from _uncompared(plan, contract)
    yield from _unreleased(plan)
    yield from _shared(plan)
    cost = total(plan.steps).usd.high
    if contract.budget_usd is not None and cost is not None and cost > contract.budget_usd:
        yield tr(
            "the plan may cost up to ${cost:.2f} and the budget is ${budget:.2f}", cost=cost, budget=contract.budget_usd
        )


def _step(step: Step, plan: Plan) -> Iterator[str]:
    tool = BY_NAME.get(step.tool)
    if tool is None:
        yield tr("{step}: there is no tool {tool!r}", step=step.id, tool=step.tool)
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
        if plan.step(need) is None:
            yield tr("{step}: needs {need!r}, which is not a step", step=step.id, need=need)
    yield from _references(step, plan)
    yield from _arguments(step, tool)


def _references(step: Step, plan: Plan) -> Iterator[str]:
    before = _before(step, plan)
    for source, field in refs(step.args):
        other = plan.step(source)
        tool = BY_NAME.get(other.tool) if other is not None else None
        if other is None or tool is None:
            yield tr(
                "{step}: refers to {source}.{field}, and {source!r} is not a step",
                step=step.id,
                source=source,
                field=field,
            )
        elif source not in before:
            yield tr("{step}: refers to {source}, which does not come before it", step=step.id, source=source)
        elif field not in tool.result.model_fields and field != WHOLE:
            yield tr("{step}: {tool} has no result {field!r}", step=step.id, tool=other.tool, field=field)


def _before(step: Step, plan: Plan) -> set[str]:
    seen, todo = set[str](), list(step.needs)
    while todo:
        id_ = todo.pop()
        if id_ not in seen:
            seen.add(id_)
            needed = plan.step(id_)
            todo.extend(needed.needs if needed is not None else ())
    return seen


def _arguments(step: Step, tool: Tool) -> Iterator[str]:
    """Literal arguments are checked as they are; a reference stands for a value that will fit."""
    unknown = set(step.args) - set(tool.args.model_fields)
    yield from (
        tr("{step}: {tool} has no argument {name!r}", step=step.id, tool=step.tool, name=name)
        for name in sorted(unknown)
    )
    try:
        tool.args.model_validate({k: v for k, v in step.args.items() if k not in unknown})
    except ValidationError as error:
        for fault in error.errors():
            if not _stands_for_reference(step.args, fault["loc"]):
                yield f"{step.id}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"


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


def _cycle(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        if step.id in _before(step, plan):
            yield tr("{step}: needs itself, directly or through others", step=step.id)


def _unmeasured(plan: Plan, contract: Contract) -> Iterator[str]:
    measured = {(m, s.tool) for s in plan.steps for m in s.measures}
    for part in contract.parts:
        for clause in part.clauses:
            tool = MEASURES.get(clause.where)
            if tool is not None and (f"{part.name}/{clause.id}", tool) not in measured:
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
