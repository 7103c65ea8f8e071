"""What of a contract the tools here can honour. Whatever else it says is named, never silently left out.

A field is honoured, harmless, or it is a reason why no plan can be made: `FIELDS` holds every field of
a part, and a test holds it against the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent import rollout, search
from agent.brain.rules.expand import DEFAULT_METRIC
from agent.contract import Clause, Contract, Part, Train
from agent.judge import allowed_share
from tools.metrics import metric
from tools.register import NAME

TASKS = ("classification", "regression", "deploy", "rollback")
LIVE = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "error_rate", "availability", "throughput_rps")
OWN = ("cost_usd", "duration_s")
_BETTER = {"max": (">=", ">"), "min": ("<=", "<")}


def unsupported(contract: Contract) -> tuple[str, ...]:
    """Why no plan can be made, each with its part; empty when everything that is said can be honoured."""
    found = [f"{part.name}: {why}" for part in contract.parts for why in _part(part)]
    if contract.budget_per in ("day", "month"):
        found.append(f"nothing here keeps a budget per {contract.budget_per}: give one for the whole goal")
    return tuple(found)


def _part(part: Part) -> Iterator[str]:
    if part.task not in TASKS:
        yield f"no tool here does {part.task}; there are {', '.join(TASKS)}"
        return
    for check in FIELDS.values():
        if check is not None:
            yield from check(part)


def _target(part: Part) -> Iterator[str]:
    serves = part.rollout.strategy != "none" or part.task in ("deploy", "rollback")
    if serves and not re.fullmatch(NAME, part.endpoint):
        yield f"{part.endpoint!r} cannot be an endpoint's name: use letters, digits, '.', '_' and '-', at most 63"


def _sources(part: Part) -> Iterator[str]:
    if part.source_models and part.task in DEFAULT_METRIC:
        yield "nothing here trains on from an existing model"
    if len(part.source_models) > 1:
        yield "one existing model at a time"


def _data(part: Part) -> Iterator[str]:
    if part.task not in DEFAULT_METRIC:
        return
    if len(part.data) > 1:
        others = ", ".join(f"{d.uri} ({d.role})" for d in part.data[1:])
        yield f"one table a part is read here, and the holdout is taken from it: {others} would be left out"
    for data in part.data[:1]:
        if data.role != "train":
            yield f"{data.uri} as {data.role} data has no use here"
        if data.format not in (None, "csv", "parquet", "jsonl", "bundled"):
            yield f"nothing here reads {data.format} data"


def _prepare(part: Part) -> Iterator[str]:
    if part.prepare is not None and part.prepare.join:
        yield "nothing here joins tables: join them first"
    if part.prepare is not None and "augment" in part.prepare.clean:
        yield "nothing here augments rows"


def _models(part: Part) -> Iterator[str]:
    if part.task not in DEFAULT_METRIC or part.train is not None:
        return
    for family in part.models:
        if part.task not in search.FAMILIES.get(family, ()):
            known = [f for f, tasks in search.FAMILIES.items() if part.task in tasks]
            yield f"no recipe here trains {family} for {part.task}: {', '.join(known)}"


def _train(part: Part) -> Iterator[str]:
    """What a user's own program must offer for what is asked of its model."""
    train: Train | None = part.train
    if train is None:
        return
    if train.kind == "image":
        yield "no backend here runs a training image"
    if train.kind == "command" and train.predict is None:
        yield "say how the program's model predicts (`train.predict: COMMAND`, run as COMMAND IN.csv OUT.csv)"
    if train.kind == "command" and part.rollout.strategy != "none":
        yield "no tool here serves the model of a user's own program: leave the deployment out"


def _clauses(part: Part) -> Iterator[str]:
    for clause in part.clauses:
        if clause.relative is not None:
            yield f"nothing here measures the {clause.relative.to} for {clause.metric}"
        elif clause.where == "holdout":
            yield from _holdout(clause, part)
        elif clause.where == "live":
            yield from _live(clause, part)
        elif clause.metric not in OWN:
            yield f"nothing here measures {clause.metric}"


def _holdout(clause: Clause, part: Part) -> Iterator[str]:
    known = metric(clause.metric)
    if known is None:
        yield f"{clause.metric} has no formula that the evaluator can compute"
    elif part.task not in known.tasks:
        yield f"{clause.metric} is not defined for {part.task}"


def _live(clause: Clause, part: Part) -> Iterator[str]:
    known = metric(clause.metric)
    if known is None or clause.metric not in LIVE:
        yield f"nothing here measures {clause.metric} on live traffic"
    elif clause.op not in _BETTER[known.better]:
        yield f"{clause.metric} {clause.op} {clause.value} asks for the worse: nothing here proves that"
    elif part.rollout.strategy == "none":
        yield f"{clause.metric} is measured on a served model and nothing is to be served: say deploy"
    elif allowed_share(clause) is None and clause.metric != "throughput_rps":
        yield f"{clause.metric} {clause.op} {clause.value} cannot be counted"


def _rollout(part: Part) -> Iterator[str]:
    wanted = part.rollout
    if wanted.strategy not in rollout.SUPPORTED:
        yield f"no tool here does a {wanted.strategy} rollout: {', '.join(rollout.SUPPORTED)}"
    if list(wanted.steps) != sorted(wanted.steps):
        yield f"the steps of a canary rise: {', '.join(f'{s:g} %' for s in wanted.steps)} do not"
    if wanted.min_replicas is not None or wanted.max_replicas is not None:
        yield "nothing here changes the number of replicas by itself: name one number"


def _upkeep(part: Part) -> Iterator[str]:
    if part.upkeep is not None:
        yield "nothing here watches or retrains after the run: leave the upkeep out"


def _metrics(part: Part) -> Iterator[str]:
    if part.metrics:
        yield "nothing here computes formulas of your own"


FIELDS: dict[str, Callable[[Part], Iterator[str]] | None] = {
    "name": None,
    "task": None,
    "target": _target,
    "source_models": _sources,
    "objective": None,
    "data": _data,
    "prepare": _prepare,
    "split": None,
    "models": _models,
    "train": _train,
    "search": None,
    "clauses": _clauses,
    "rollout": _rollout,
    "upkeep": _upkeep,
    "metrics": _metrics,
}
"""Every field of a part; None: it is honoured as it is."""
