"""How far a search for a model goes: levels of effort, and what each one tries. Pure numbers."""

from __future__ import annotations

from agent.contract import Part

LEVELS = 3
"""Rounds of search before it is exhausted."""
EXTENSIONS = 2
"""How often an inconclusive watch is extended."""
TRIALS = (8, 16, 32)
"""Trials per family and level, when the goal sets none."""

LINEAR = {"classification": "logistic_regression", "regression": "ridge"}
FAMILIES = {
    "logistic_regression": ("classification",),
    "linear_regression": ("regression",),
    "ridge": ("regression",),
    "lasso": ("regression",),
    "random_forest": ("classification", "regression"),
    "gradient_boosting": ("classification", "regression"),
}
"""Family → the tasks our recipes can train it for."""


def families(part: Part, level: int) -> tuple[str, ...]:
    """What a level tries: the named families, or from the simplest to the broadest when none is named."""
    if part.models:
        return part.models
    linear = LINEAR[part.task]
    if part.search is not None and part.search.trials is not None:
        return (linear,) if part.search.trials == 1 else (linear, "gradient_boosting")
    return ((linear, "gradient_boosting"), ("random_forest",), ("gradient_boosting", linear))[level]


def trials(part: Part, level: int) -> int:
    """Trials per family. A number in the goal is per family when several are named, else in all."""
    wanted = part.search.trials if part.search is not None else None
    if wanted is None:
        return TRIALS[level]
    return wanted if part.models else max(1, wanted // len(families(part, level)))


def can_search_on(part: Part, level: int) -> bool:
    """Another level may find something: the goal bounds neither trials nor program."""
    bounded = part.train is not None or (part.search is not None and part.search.trials is not None)
    return not bounded and level + 1 < LEVELS
