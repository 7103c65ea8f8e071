"""Which recipe learns and judges each task. One line a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.language import tr
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners import clustering, forecasting, images, pointwise, recommendation, table, text
from tools.recipes.learners.learner import Recipe
from tools.recipes.records import Family, Task

RECIPES: Mapping[Task, Recipe] = {
    "classification": table.CLASSES,
    "regression": table.NUMBERS,
    "text-classification": text.CLASSES,
    "image-classification": images.CLASSES,
    "clustering": clustering.RECIPE,
    "forecasting": forecasting.RECIPE,
    "recommendation": recommendation.LISTS,
}


def recipe(task: Task, family: Family | None = None, metrics: Sequence[str] = ()) -> Recipe:
    """The recipe of a task. A recommendation is learnt row by row where a classifier does it, or, of a program that
    has no family, where a metric of classes is asked for. BadInput with the tasks there are."""
    if task == "recommendation" and pointwise.asked_for(family, metrics):
        return pointwise.ROWS
    if task not in RECIPES:
        fix = tr("ask for one of {tasks}", tasks=", ".join(RECIPES))
        raise BadInput([Fault(place=tr("task {task}", task=task), problem=tr("cannot be learnt here"), fix=fix)])
    return RECIPES[task]
