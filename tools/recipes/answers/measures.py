"""Which numbers can be asked of a task at all, with a way out for those that cannot."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tools.language import tr
from tools.metrics import METRICS
from tools.recipes.faults import Fault, near
from tools.recipes.records import Measure, Task

CUSTOM = "custom:"
"""What the name of a metric begins with that a formula of the goal computes."""
PER_CLASS = ("precision", "recall", "f1", "roc_auc", "pr_auc")
"""Metrics that may be asked of one class."""


def faults_of(
    measures: Sequence[Measure], task: Task, classes: Sequence[str], formulas: Collection[str] = ()
) -> list[Fault]:
    """Measures that can never have a value: unknown metrics, another task's, classes that are not there."""
    known = [m.name for m in METRICS.values() if task in m.tasks]
    found = []
    for measure in measures:
        place = tr("metric {metric}", metric=measure.metric)
        if measure.metric.startswith(CUSTOM):
            found += _custom(measure, place, formulas)
        elif measure.metric not in known:
            found.append(
                Fault(place=place, problem=tr("is not measured for {task}", task=task), fix=near(measure.metric, known))
            )
        elif measure.of is not None and measure.metric not in PER_CLASS:
            fix = tr("leave the class out, or use one of {metrics}", metrics=", ".join(PER_CLASS))
            found.append(Fault(place=place, problem=tr("is not measured for one class"), fix=fix))
        elif measure.of is not None and measure.of not in classes:
            found.append(
                Fault(
                    place=place,
                    problem=tr("{of!r} is no class of the data", of=measure.of),
                    fix=near(measure.of, classes),
                )
            )
    return found


def _custom(measure: Measure, place: str, formulas: Collection[str]) -> list[Fault]:
    if measure.of is not None:
        fix = tr("leave the class out and name it in the formula")
        return [Fault(place=place, problem=tr("is not measured for one class"), fix=fix)]
    name = measure.metric.removeprefix(CUSTOM)
    if name in formulas:
        return []
    fix = (
        near(name, formulas)
        if formulas
        else tr("give it under `metrics:`, as in {name}: mean(prediction == 1)", name=name)
    )
    return [Fault(place=place, problem=tr("has no formula"), fix=fix)]
