"""What of a contract the tools here can honour. Whatever else it says is named, never silently left out.

A field is honoured, harmless, or it is a reason why no plan can be made: `FIELDS` holds every field of
a part, and a test holds it against the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent import learning, rollout, search
from agent.brain.rules.planning import readable
from agent.contract import Clause, Contract, Part, Train
from agent.judge import allowed_share
from agent.learning import measured_later, opens_holdout, task_of
from tools.language import tr
from tools.metrics import metric
from tools.register import NAME

RUNNING = ("rollback", "scale", "watch", "diagnose", "cleanup")
"""Goals about what runs."""
TASKS = (*learning.TASKS, "custom", "deploy", *RUNNING, "evaluate", "compare", "estimate", "prepare")
LIVE = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "error_rate", "availability", "throughput_rps")
OWN = ("cost_usd", "duration_s")
_BETTER = {"max": (">=", ">"), "min": ("<=", "<")}


def unsupported(contract: Contract) -> tuple[str, ...]:
    """Why no plan can be made, each with its part; empty when everything that is said can be honoured."""
    found = [f"{part.name}{tr(': ')}{why}" for part in contract.parts for why in _part(part)]
    monthly = contract.budget_per == "month" and any(part.upkeep is not None for part in contract.parts)
    if contract.budget_per in ("day", "month") and not monthly:
        found.append(tr("nothing here keeps a budget per {per}: give one for the whole goal", per=contract.budget_per))
    return tuple(found)


def _part(part: Part) -> Iterator[str]:
    if part.task not in TASKS:
        near = _NEAREST.get(part.task)
        if near:
            yield tr("no tool here does {task}: {near}", task=tr(part.task), near=tr(near))
        else:
            yield tr("no tool here does {task}; there are {tasks}", task=tr(part.task), tasks=", ".join(TASKS))
        return
    for check in FIELDS.values():
        if check is not None:
            yield from check(part)


_NEAREST = {
    "token-classification": "nothing here labels single words; text-classification of whole texts is the nearest",
    "causal-lm": "nothing here trains or tunes a language model; text-classification is the nearest use of text",
}
"""Why there is no tool for a task, and the nearest thing that can be done."""


def _target(part: Part) -> Iterator[str]:
    serves = part.rollout.strategy != "none" or part.task in ("deploy", "rollback", "scale", "watch", "diagnose")
    if serves and not re.fullmatch(NAME, part.endpoint):
        yield tr(
            "{endpoint!r} cannot be an endpoint's name: use letters, digits, '.', '_' and '-', at most 63",
            endpoint=part.endpoint,
        )


def _sources(part: Part) -> Iterator[str]:
    compared = any(c.relative is not None and c.relative.to == "other" for c in part.clauses)
    wanted = {"compare": 2, "evaluate": 1, "deploy": 1}.get(part.task)
    if part.source_models and learning.learns(part) and not compared:
        yield tr("nothing here trains on from an existing model")
    elif part.task == "compare" and len(part.source_models) < 2:
        yield tr("a comparison needs two existing models: name each, as `name:version` or the path of its folder")
    elif wanted == 1 and len(part.source_models) > 1 and not compared:
        yield tr("one existing model at a time")
    for model in part.source_models:
        if "://" in model:
            yield tr(
                "{model} is not on this machine: name a model of the registry or the path of its folder", model=model
            )


def _objective(part: Part) -> Iterator[str]:
    wanted = part.objective
    if wanted is None or not opens_holdout(part):
        return
    if wanted.metric.startswith(learning.CUSTOM):
        if learning.learns(part):
            yield tr(
                "nothing here optimises a formula of your own: name a metric beside {metric}", metric=wanted.metric
            )
        elif wanted.metric.removeprefix(learning.CUSTOM) not in learning.formulas(part):
            yield tr("{metric} has no formula that the evaluator can compute", metric=wanted.metric)
        return
    known = metric(wanted.metric)
    if known is None or task_of(part) not in known.tasks:
        yield tr("{metric} is not defined for {task}", metric=wanted.metric, task=tr(task_of(part)))


def _prepare(part: Part) -> Iterator[str]:
    if part.prepare is None:
        return
    tables = [d.uri for d in part.data]
    for join in part.prepare.join:
        for name in (join.left, join.right):
            if name not in tables:
                yield tr(
                    "{name} is to be joined and is not among the data: {tables}",
                    name=name,
                    tables=", ".join(tables) or tr("there is none"),
                )
    if "augment" in part.prepare.clean:
        yield tr("nothing here augments rows: leave it out, the others that you name are done")


def _models(part: Part) -> Iterator[str]:
    if not learning.learns(part) or learning.by_command(part):
        return
    if part.task == "custom":
        yield tr("a custom task needs the program that trains it: `train: {kind: command, value: ..., predict: ...}`")
        return
    task = task_of(part)
    known = [f for f, tasks in search.FAMILIES.items() if task in tasks]
    for family in learning.named_families(part):
        if task not in search.FAMILIES.get(family, ()):
            hub = "" if family in search.FAMILIES else tr("no model of a hub is fetched or tuned; the nearest are ")
            yield tr(
                "no recipe here trains {family} for {task}: {known}",
                family=family,
                task=tr(task),
                known=hub + ", ".join(known),
            )
    named = learning.named_families(part)
    if task == "recommendation" and learning.labelled(part) is None:
        needs = [f for f in named if f in search.POINTWISE]
        if needs:
            said = ", ".join(needs)
            yield tr("{families} ranks by the class of a row: name the column that says it (`label`)", families=said)


def _train(part: Part) -> Iterator[str]:
    """What a user's own program must offer for what is asked of its model."""
    train: Train | None = part.train
    if train is None:
        return
    if not learning.learns(part):
        yield tr("{task} trains nothing: leave the program out", task=tr(part.task))
    if train.kind == "image":
        yield tr("no backend here runs a training image: name the command that it would start")
    if train.kind == "command" and train.predict is not None:
        for name in dict.fromkeys(c.metric for c in part.clauses if c.where == "holdout" and c.metric in _SCORED):
            yield tr(
                "{metric} needs probabilities, and `predict` gives one prediction a row: have the program leave a "
                "model.skops and leave `predict` out, or name another metric",
                metric=name,
            )
    if train.kind == "command" and part.rollout.strategy != "none":
        yield tr("no tool here serves the model of a user's own program: leave the deployment out")
    if train.kind == "command" and task_of(part) not in _PREDICTED:
        yield tr(
            "one prediction a row is what a program can be asked for, and {task} needs more", task=tr(task_of(part))
        )


_SCORED = ("roc_auc", "pr_auc", "log_loss")
"""Metrics of the probabilities of classes."""
_PREDICTED = ("classification", "regression", "text-classification", "image-classification")
"""Tasks whose holdout is judged on one prediction a row."""


def _search(part: Part) -> Iterator[str]:
    if part.search is not None and learning.by_command(part):
        yield tr("trials are up to the program that trains: leave the search out")


def _clauses(part: Part) -> Iterator[str]:
    for clause in part.clauses:
        if clause.where == "holdout":
            yield from _holdout(clause, part)
        elif clause.relative is not None:
            yield from _relative_live(clause, part)
        elif clause.where == "live":
            yield from _live(clause, part)
        elif clause.metric not in OWN:
            yield tr("nothing here measures {metric}", metric=clause.metric)


def _holdout(clause: Clause, part: Part) -> Iterator[str]:
    if not opens_holdout(part):
        yield tr(
            "{metric} is measured by a goal that trains or evaluates: state that as a part of its own",
            metric=clause.metric,
        )
        return
    yield from _defined(clause, part)
    to = clause.relative.to if clause.relative is not None else None
    rivals = max(len(learning.named_families(part)) if learning.learns(part) else 0, len(part.source_models))
    beside = len(part.source_models) if learning.learns(part) else 0
    if to == "baseline" and not learning.learns(part):
        yield tr(
            "{metric} of the baseline needs training rows, and {task} has none: name the number",
            metric=clause.metric,
            task=tr(part.task),
        )
    if to == "baseline" and clause.metric.startswith(learning.CUSTOM):
        yield tr("{metric} is not computed of the baseline: name the number to keep to", metric=clause.metric)
    if to == "other" and rivals < 2 and not beside:
        yield tr("{metric} is to be compared with another model: name both", metric=clause.metric)


def _defined(clause: Clause, part: Part) -> Iterator[str]:
    known, task = metric(clause.metric), task_of(part)
    if clause.metric.startswith(learning.CUSTOM):
        if clause.metric.removeprefix(learning.CUSTOM) not in learning.formulas(part):
            yield tr("{metric} has no formula that the evaluator can compute", metric=clause.metric)
    elif known is None or not known.tasks:
        yield tr("{metric} cannot be measured on held-out rows", metric=clause.metric)
    elif part.task in learning.TASKS and task not in known.tasks:
        yield tr("{metric} is not defined for {task}", metric=clause.metric, task=tr(task))
    elif task not in known.tasks:
        yield tr(
            "{metric} is not defined for {task}, which the other metrics speak of", metric=clause.metric, task=tr(task)
        )


def _relative_live(clause: Clause, part: Part) -> Iterator[str]:
    assert clause.relative is not None
    shares = len(rollout.stages(part, load_rps=1.0, alone=False))
    beside = part.rollout.strategy == "shadow" or (part.rollout.strategy == "canary" and shares > 1)
    known = metric(clause.metric)
    if clause.relative.to != "incumbent" or clause.metric not in LIVE or clause.metric == "throughput_rps":
        yield tr(
            "nothing here measures the {model} for {metric}: name the number to keep to",
            model=tr(clause.relative.to),
            metric=clause.metric,
        )
    elif known is not None and clause.op not in _BETTER[known.better]:
        yield tr(
            "{metric} {op} {model} asks for the worse: nothing here proves that",
            metric=clause.metric,
            op=clause.op,
            model=tr(clause.relative.to),
        )
    elif not beside:
        yield tr(
            "{metric} is compared with the incumbent by a shadow, or a canary in steps: both must have traffic at the "
            "same time",
            metric=clause.metric,
        )


def _live(clause: Clause, part: Part) -> Iterator[str]:
    known = metric(clause.metric)
    if known is not None and measured_later(clause, part) and clause.op in _BETTER[known.better]:
        return
    if known is None or clause.metric not in LIVE:
        yield tr("nothing here measures {metric} on live traffic", metric=clause.metric)
    elif clause.op not in _BETTER[known.better]:
        yield tr(
            "{metric} {op} {value} asks for the worse: nothing here proves that",
            metric=clause.metric,
            op=clause.op,
            value=clause.value,
        )
    elif part.task in ("diagnose", "cleanup"):
        yield tr(
            "{metric} is not proven by a goal that only looks or ends things: ask to watch {endpoint}",
            metric=clause.metric,
            endpoint=part.endpoint,
        )
    elif part.rollout.strategy == "none" and part.task not in RUNNING:
        yield tr("{metric} is measured on a served model and nothing is to be served: say deploy", metric=clause.metric)
    elif allowed_share(clause) is None and clause.metric != "throughput_rps":
        yield tr("{metric} {op} {value} cannot be counted", metric=clause.metric, op=clause.op, value=clause.value)


def _rollout(part: Part) -> Iterator[str]:
    wanted = part.rollout
    if list(wanted.steps) != sorted(wanted.steps):
        steps = ", ".join(f"{s:g} %" for s in wanted.steps)
        yield tr("the steps of a canary rise: {steps} do not", steps=steps)
    yield from _replicas(part)


def _replicas(part: Part) -> Iterator[str]:
    wanted = part.rollout
    least, most = wanted.min_replicas or 0, wanted.max_replicas
    if most is not None and least > most:
        yield tr("at least {least} and at most {most} replicas leave no number between", least=least, most=most)
    elif wanted.replicas is not None and (wanted.replicas < least or (most is not None and wanted.replicas > most)):
        yield tr("{replicas} replicas are outside of what the goal allows", replicas=wanted.replicas)
    if most == 0 or wanted.replicas == 0:
        yield tr(
            "{endpoint} would have no server left to answer with: end it with `goalkeeper stop {endpoint}`, or name a "
            "number",
            endpoint=part.endpoint,
        )
    if part.task == "scale" and wanted.replicas is None and wanted.min_replicas is None:
        yield tr("how many replicas is to be said: nothing here finds the number by itself")


def _upkeep(part: Part) -> Iterator[str]:
    wanted = part.upkeep
    if wanted is None or not wanted.retrain_on:
        return
    if not (learning.learns(part) and part.data):
        yield tr(
            "training {endpoint} again needs a goal that trains it: name the data, or only watch it",
            endpoint=part.endpoint,
        )
    elif part.rollout.strategy == "none":
        yield tr("nothing is served that could be looked after and trained again: say deploy")


def _metrics(part: Part) -> Iterator[str]:
    used = {c.metric.removeprefix(learning.CUSTOM) for c in part.clauses}
    used |= {part.objective.metric.removeprefix(learning.CUSTOM)} if part.objective is not None else set()
    for name in learning.formulas(part):
        if name not in used:
            yield tr("the formula of {name} is asked for by no clause", name=name)


FIELDS: dict[str, Callable[[Part], Iterator[str]] | None] = {
    "name": None,
    "task": None,
    "target": _target,
    "source_models": _sources,
    "objective": _objective,
    "data": readable.data,
    "prepare": _prepare,
    "split": readable.split,
    "models": _models,
    "train": _train,
    "search": _search,
    "clauses": _clauses,
    "rollout": _rollout,
    "upkeep": _upkeep,
    "metrics": _metrics,
}
"""Every field of a part; None: it is honoured as it is."""
