"""What a part asks to be learnt or measured: its task, its objective, what the holdout is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from agent.contract import Clause, Data, Part
from agent.survey import Survey
from tools.metrics import metric
from tools.recipes.records import Task

TASKS: tuple[Task, ...] = get_args(Task)
"""What our recipes learn."""
DEFAULT_METRIC: Mapping[Task, str] = {
    "classification": "accuracy",
    "regression": "rmse",
    "text-classification": "accuracy",
    "image-classification": "accuracy",
    "recommendation": "ndcg_at_10",
    "clustering": "silhouette",
    "forecasting": "smape",
}
EXISTING = ("evaluate", "compare")
"""Goals about models that exist already: nothing is trained."""
AGAINST_BASELINE = ("recommendation", "forecasting")
"""Tasks whose simple predictor is often hard to beat: it is always compared with."""
CUSTOM = "custom:"
_TABLES = ("csv", "parquet", "jsonl", "bundled", None)


def learns(part: Part) -> bool:
    """Whether a model is to be trained for the part."""
    return part.task in TASKS or part.task == "custom"


DRIFT = "drift_psi"


def measured_later(clause: Clause, part: Part) -> bool:
    """Whether only the standing goal that looks after the part can measure the clause: drift needs callers."""
    return clause.where == "live" and clause.metric == DRIFT and part.upkeep is not None


def opens_holdout(part: Part) -> bool:
    return learns(part) or part.task in EXISTING


def task_of(part: Part, seen: Survey | None = None) -> Task:
    """What kind of learning it is about.

    Where the goal names none: the task of the model that exists, else what the metrics are defined on, else what the
    label looks like; without a label there is nothing to learn but groups.
    """
    if part.task in TASKS:
        return part.task
    if (known := _of_models(part, seen)) is not None:
        return known
    suggested = _suggested(part, seen)
    for name in _metrics(part):
        found = metric(name)
        tasks = [t for t in TASKS if found is not None and t in found.tasks]
        if tasks:
            return suggested if suggested in tasks else tasks[0]
    if suggested is not None:
        return suggested
    return "classification" if any(d.label for d in part.data) else "clustering"


def _of_models(part: Part, seen: Survey | None) -> Task | None:
    tasks = [seen.tasks[m] for m in part.source_models if m in seen.tasks] if seen is not None else []
    return tasks[0] if tasks else None


def _suggested(part: Part, seen: Survey | None) -> Task | None:
    """What the data looks like."""
    if any(d.format not in _TABLES for d in part.data):
        return "image-classification"
    profiles = [f.profile for d in part.data if seen is not None and (f := seen.data.get(d.uri)) is not None]
    labels = [p.label for p in profiles if p is not None and p.label is not None]
    return labels[0].suggested_task if labels else None


def _metrics(part: Part) -> list[str]:
    own = [part.objective.metric] if part.objective is not None else []
    return own + [c.metric for c in part.clauses if c.where == "holdout"]


def objective(part: Part, task: Task) -> tuple[str, Literal["max", "min"], str | None]:
    """(metric, direction, class) that validation optimises: never a formula of the goal's own."""
    if part.objective is not None and not part.objective.metric.startswith(CUSTOM):
        return part.objective.metric, part.objective.direction, None
    clause = next((c for c in holdout_clauses(part) if not c.metric.startswith(CUSTOM)), None)
    if clause is not None and _both(part, clause.class_):
        return "f1", "max", clause.class_
    name = clause.metric if clause is not None else DEFAULT_METRIC[task]
    known = metric(name)
    return name, known.better if known is not None else "max", clause.class_ if clause is not None else None


def _both(part: Part, class_: str | None) -> bool:
    """Precision and recall of one class are both demanded: either alone is had for nothing, at the other's cost."""
    wanted = {c.metric for c in holdout_clauses(part) if c.class_ == class_ and c.relative is None}
    return {"precision", "recall"} <= wanted


def holdout_clauses(part: Part) -> list[Clause]:
    return [c for c in part.clauses if c.where == "holdout"]


def formulas(part: Part) -> dict[str, str]:
    """The goal file's formulas by name, without the prefix."""
    return {name.removeprefix(CUSTOM): text for name, text in (part.metrics or {}).items()}


def named_families(part: Part) -> tuple[str, ...]:
    """The families that the goal names, as models or as the recipe to train with."""
    if part.train is not None and part.train.kind == "recipe":
        return tuple(dict.fromkeys((*part.models, part.train.value)))
    return part.models


def by_command(part: Part) -> bool:
    """The user's own program trains it."""
    return part.train is not None and part.train.kind == "command"


def labelled(part: Part) -> str | None:
    return next((d.label for d in part.data if d.label is not None), None)


def main_table(part: Part) -> Data | None:
    """The table that the rows come from: by role, and of several one that nothing is joined to, with the label."""
    first = ("holdout", "train") if part.task in EXISTING else ("train",)
    order = dict.fromkeys((*first, "interactions", "unlabelled", "holdout", "users", "items"))
    joined = {join.right for join in part.prepare.join} if part.prepare is not None else set()
    return min(part.data, key=lambda d: (list(order).index(d.role), d.uri in joined, d.label is None), default=None)
