"""Why a contract cannot be carried out here, whatever the plan: values that no metric has, data of no use, another
place, models of another task. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent import running
from agent.contract import Clause, Contract, Part
from agent.learning import holdout_clauses, opens_holdout, task_of
from agent.survey import DataFacts, Survey, existing
from tools.language import tr
from tools.metrics import metric


def unfit(contract: Contract, seen: Survey, backend: str) -> tuple[str, ...]:
    """Why what was seen does not do for it."""
    return (*_unusable(seen.data), *_mismatched(contract, seen), *_unplaced(contract, seen, backend))


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
