"""How far a search for a model goes: levels of effort, and what each one tries. Pure numbers."""

from __future__ import annotations

from collections.abc import Mapping

from agent.contract import Part
from agent.learning import by_command, labelled, main_table, named_families, task_of
from agent.survey import Survey
from agent.worked import worked
from tools.recipes.records import Task

LEVELS = 3
"""Rounds of search before it is exhausted."""
EXTENSIONS = 2
"""How often an inconclusive watch is extended."""
TRIALS = (8, 16, 32)
"""Trials per family and level, when the goal sets none."""

_CLASSES = ("classification", "text-classification", "image-classification")
_ROWS = ("classification", "regression", "recommendation", "forecasting")
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "logistic_regression": (*_CLASSES, "recommendation"),
    "linear_regression": ("regression", "forecasting"),
    "ridge": ("regression", "forecasting"),
    "lasso": ("regression", "forecasting"),
    "random_forest": (*_ROWS, "image-classification"),
    "gradient_boosting": _ROWS,
    "decision_tree": ("classification", "regression", "recommendation"),
    "svm": (*_CLASSES, "regression"),
    "knn": ("classification", "regression", "image-classification"),
    "naive_bayes": ("classification", "text-classification"),
    "mlp": (*_CLASSES, "regression"),
    "kmeans": ("clustering",),
    "exponential_smoothing": ("forecasting",),
    "item_knn": ("recommendation",),
    "matrix_factorization": ("recommendation",),
}
"""Family → the tasks our recipes can train it for."""
POINTWISE = tuple(f for f, tasks in FAMILIES.items() if {"classification", "recommendation"} <= set(tasks))
"""Classifiers that rank items by the probability of the class, one row at a time."""
Rungs = tuple[tuple[str, ...], ...]
LADDER: Mapping[Task, Rungs] = {
    "classification": (("logistic_regression", "gradient_boosting"), ("random_forest",)),
    "regression": (("ridge", "gradient_boosting"), ("random_forest",)),
    "text-classification": (("logistic_regression", "naive_bayes"), ("svm",)),
    "image-classification": (("logistic_regression", "random_forest"), ("svm",), ("mlp",)),
    "recommendation": (("item_knn", "matrix_factorization"),),
    "clustering": (("kmeans",),),
    "forecasting": (("exponential_smoothing", "ridge"), ("gradient_boosting",)),
}
"""From the simplest to the broadest; where there are fewer rungs than levels, the first is tried harder."""
RANKED = (("logistic_regression", "gradient_boosting"), ("random_forest",))
"""The rungs of a recommendation whose rows say which class they are."""


def families(part: Part, level: int, seen: Survey | None = None) -> tuple[str, ...]:
    """What a level tries: the named families, or from the simplest to the broadest when none is named."""
    if named := named_families(part):
        return named
    task = task_of(part, seen)
    rungs = _learnt(RANKED if task == "recommendation" and labelled(part) else LADDER[task], part, seen)
    if part.search is not None and part.search.trials is not None:
        return rungs[0][:1] if part.search.trials == 1 else rungs[0]
    return rungs[level] if level < len(rungs) else tuple(reversed(rungs[0]))


def _learnt(rungs: Rungs, part: Part, seen: Survey | None) -> Rungs:
    """The rung first that holds what was the best of everything in earlier searches of this kind, where that met what
    was wanted. Every rung is still there."""
    main = main_table(part)
    facts = seen.data.get(main.uri) if seen is not None and main is not None else None
    if seen is None or facts is None or facts.profile is None:
        return rungs
    size = {"rows": facts.profile.rows, "columns": len(facts.profile.columns)}
    best = next(iter(worked(seen.past, task=task_of(part, seen), **size)), None)
    if best is None or best.better < 1.0 or not best.met:
        return rungs
    return tuple(sorted(rungs, key=lambda rung: best.family not in rung))


def trials(part: Part, level: int, seen: Survey | None = None) -> int:
    """Trials per family. A number in the goal is per family when several are named, else in all."""
    wanted = part.search.trials if part.search is not None else None
    if wanted is None:
        return TRIALS[level]
    return wanted if named_families(part) else max(1, wanted // len(families(part, level, seen)))


def can_search_on(part: Part, level: int) -> bool:
    """Another level may find something: the goal bounds neither trials nor program."""
    bounded = by_command(part) or (part.search is not None and part.search.trials is not None)
    return not bounded and level + 1 < LEVELS
