"""The model families: which suit which task, which of their parameters are searched, and the pipeline each builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sklearn.pipeline import Pipeline

from tools.language import tr
from tools.recipes.faults import BadInput, Fault
from tools.recipes.models import estimators
from tools.recipes.models.estimators import Params, Size, Value
from tools.recipes.records import Family, Task

__all__ = ["SUITED", "Choice", "Params", "Size", "Value", "pipeline", "require_suited", "space"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One parameter: a range to draw from and the points of a grid, or a closed list."""

    low: float = 0.0
    high: float = 0.0
    scale: Literal["log", "linear", "integer", "list"]
    grid: tuple[Value, ...]
    """For `list`: all values. The first is the default, tried first."""


_CLASSES: tuple[Family, ...] = (
    "logistic_regression",
    "random_forest",
    "gradient_boosting",
    "decision_tree",
    "svm",
    "knn",
    "naive_bayes",
    "mlp",
)
SUITED: Mapping[Task, tuple[Family, ...]] = {
    "classification": _CLASSES,
    "regression": (
        "linear_regression",
        "ridge",
        "lasso",
        "random_forest",
        "gradient_boosting",
        "decision_tree",
        "svm",
        "knn",
        "mlp",
    ),
    "text-classification": tuple(f for f in _CLASSES if f != "gradient_boosting"),
    "image-classification": _CLASSES,
}
"""For tasks that are learnt from features and a label. Boosting takes no sparse features, as words give them."""

_SPACES: Mapping[Family, Mapping[str, Choice]] = {
    "logistic_regression": {"C": Choice(low=1e-3, high=1e2, scale="log", grid=(1.0, 0.01, 0.1, 10.0, 100.0))},
    "linear_regression": {},
    "ridge": {"alpha": Choice(low=1e-3, high=1e3, scale="log", grid=(1.0, 0.01, 0.1, 10.0, 100.0))},
    "lasso": {"alpha": Choice(low=1e-4, high=1.0, scale="log", grid=(0.01, 0.0001, 0.001, 0.1, 1.0))},
    "random_forest": {
        "max_features": Choice(scale="list", grid=("sqrt", "log2", 0.5, 1.0)),
        "min_samples_leaf": Choice(low=1, high=20, scale="integer", grid=(1, 3, 10)),
        "max_depth": Choice(scale="list", grid=(None, 4, 8, 16)),
    },
    "gradient_boosting": {
        "learning_rate": Choice(low=0.02, high=0.3, scale="log", grid=(0.1, 0.03, 0.2)),
        "max_iter": Choice(low=50, high=300, scale="integer", grid=(100, 200)),
        "max_leaf_nodes": Choice(low=7, high=63, scale="integer", grid=(31, 15)),
        "min_samples_leaf": Choice(low=5, high=50, scale="integer", grid=(20, 10)),
    },
    "decision_tree": {
        "max_depth": Choice(scale="list", grid=(None, 4, 8, 16)),
        "min_samples_leaf": Choice(low=1, high=50, scale="integer", grid=(5, 1, 20)),
    },
    "svm": {
        "C": Choice(low=1e-2, high=1e2, scale="log", grid=(1.0, 0.1, 10.0)),
        "kernel": Choice(scale="list", grid=("rbf", "linear")),
    },
    "knn": {
        "n_neighbors": Choice(low=1, high=50, scale="integer", grid=(5, 1, 15, 30)),
        "weights": Choice(scale="list", grid=("uniform", "distance")),
    },
    "naive_bayes": {"smoothing": Choice(low=1e-9, high=1.0, scale="log", grid=(1e-9, 1e-6, 1e-3, 0.1))},
    "mlp": {
        "hidden": Choice(low=16, high=256, scale="integer", grid=(100, 32)),
        "alpha": Choice(low=1e-5, high=1e-1, scale="log", grid=(1e-4, 1e-2)),
        "learning_rate_init": Choice(low=1e-4, high=1e-2, scale="log", grid=(1e-3, 3e-3)),
    },
}
_BALANCE = Choice(scale="list", grid=(None, "balanced"))
_BALANCED = ("logistic_regression", "random_forest", "gradient_boosting", "decision_tree", "svm")
_WORDS: Mapping[Family, Mapping[str, Choice]] = {
    "naive_bayes": {"smoothing": Choice(low=1e-3, high=10.0, scale="log", grid=(0.1, 0.01, 1.0))},
    "knn": {
        "n_neighbors": Choice(low=1, high=50, scale="integer", grid=(15, 5, 1, 30)),
        "weights": Choice(scale="list", grid=("distance", "uniform")),
    },
}
"""Where a family's range is another one for frequencies of words."""


def require_suited(family: Family, task: Task, suited: Sequence[Family]) -> None:
    """BadInput with the families there are, when the family is not for the task."""
    if family not in suited:
        fault = Fault(
            place=tr("family {family}", family=family),
            problem=tr("is not for {task}", task=task),
            fix=tr("use one of {suited}", suited=", ".join(suited)),
        )
        raise BadInput([fault])


def space(family: Family, task: Task, *, size: Size) -> dict[str, Choice]:
    """The parameters that are searched. BadInput when the family does not fit the task."""
    require_suited(family, task, SUITED[task])
    words = task == "text-classification"
    choices = dict(_WORDS[family] if words and family in _WORDS else _SPACES[family])
    if family == "svm" and size.linear:
        del choices["kernel"]
    if task != "regression" and family in _BALANCED:
        choices["class_weight"] = _BALANCE
    return choices


def pipeline(family: Family, task: Task, params: Params, *, front: Any, size: Size = Size(), seed: int) -> Pipeline:  # noqa: B008 - frozen
    """An unfitted pipeline: `front` makes numbers of raw columns. The same seed and data give the same model."""
    require_suited(family, task, SUITED[task])
    model = estimators.estimator(family, task == "regression", params, size=size, seed=seed)
    return Pipeline([("raw", front), *estimators.preparation(family, size=size), ("model", model)])
