"""The model families: which pipeline each builds from raw columns, and which of its parameters are searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tools.recipes.card import Input
from tools.recipes.encode import RawColumns
from tools.recipes.faults import BadInput, Fault
from tools.recipes.records import Cleaning, Family, Task

Value = float | int | str | None
Params = Mapping[str, Value]

_LINEAR = ("logistic_regression", "linear_regression", "ridge", "lasso")
_ONLY: dict[str, Task] = {
    "logistic_regression": "classification",
    "linear_regression": "regression",
    "ridge": "regression",
    "lasso": "regression",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One parameter: a range to draw from and the points of a grid, or a closed list."""

    low: float = 0.0
    high: float = 0.0
    scale: Literal["log", "linear", "integer", "list"]
    grid: tuple[Value, ...]
    """For `list`: all values. The first is the default, tried first."""


_BALANCE = Choice(scale="list", grid=(None, "balanced"))
_SPACES: dict[Family, dict[str, Choice]] = {
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
}


def space(family: Family, task: Task) -> dict[str, Choice]:
    """The parameters that are searched. BadInput when the family does not fit the task."""
    if _ONLY.get(family, task) != task:
        others = [f for f in get_args(Family) if _ONLY.get(f, task) == task]
        fault = Fault(place=f"family {family}", problem=f"is not for {task}", fix=f"use one of {', '.join(others)}")
        raise BadInput([fault])
    choices = dict(_SPACES[family])
    if task == "classification":
        choices["class_weight"] = _BALANCE
    return choices


def pipeline(
    family: Family,
    task: Task,
    params: Params,
    *,
    inputs: Sequence[Input],
    clean: Sequence[Cleaning],
    spread: float,
    seed: int,
) -> Pipeline:
    """An unfitted pipeline that takes `encode.matrix` of the inputs. The same seed and data give the same model.

    `spread` is the standard deviation of the training labels: lasso's `alpha` is counted in it, so that its range
    fits labels of any size.
    """
    text = [i for i, item in enumerate(inputs) if item.kind == "category"]
    steps: list[tuple[str, Any]] = [("raw", RawColumns(text=text, clip="clip_outliers" in clean))]
    if family != "gradient_boosting":
        steps.append(("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)))
    if family in _LINEAR:
        steps.append(("scale", StandardScaler()))
    chosen = dict(params)
    if family == "lasso":
        chosen["alpha"] = float(chosen["alpha"] or 0.0) * spread
    return Pipeline([*steps, ("model", _MODELS[family, task](chosen, seed))])


def _logistic(params: dict[str, Any], seed: int) -> Any:
    return LogisticRegression(max_iter=2000, random_state=seed, **params)


def _forest(kind: type[Any]) -> Callable[[dict[str, Any], int], Any]:
    return lambda params, seed: kind(n_estimators=100, n_jobs=2, random_state=seed, **params)


def _boosting(kind: type[Any]) -> Callable[[dict[str, Any], int], Any]:
    # Stopping early would part the training rows once more, and hide from the search what it costs.
    return lambda params, seed: kind(early_stopping=False, random_state=seed, **params)


_MODELS: dict[tuple[Family, Task], Callable[[dict[str, Any], int], Any]] = {
    ("logistic_regression", "classification"): _logistic,
    ("linear_regression", "regression"): lambda params, _: LinearRegression(**params),
    ("ridge", "regression"): lambda params, seed: Ridge(random_state=seed, **params),
    ("lasso", "regression"): lambda params, seed: Lasso(max_iter=20_000, random_state=seed, **params),
    ("random_forest", "classification"): _forest(RandomForestClassifier),
    ("random_forest", "regression"): _forest(RandomForestRegressor),
    ("gradient_boosting", "classification"): _boosting(HistGradientBoostingClassifier),
    ("gradient_boosting", "regression"): _boosting(HistGradientBoostingRegressor),
}
