"""The estimator of each family, and how features are prepared for it.

An estimator is fitted on features of [rows, columns], dense or sparse, and on class positions or numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tools.language import tr
from tools.recipes.faults import BadInput, Fault
from tools.recipes.records import Family

Value = float | int | str | None
Params = Mapping[str, Value]
Settings = dict[str, Any]

_SCALED = ("logistic_regression", "linear_regression", "ridge", "lasso", "svm", "knn", "naive_bayes", "mlp")
"""Families that take features for what they measure: one counted in thousands would drown the others."""
_KERNEL_ROWS = 5_000
"""Training rows above which a kernel machine takes too long: its time grows with their square."""
_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a family must know of the rows it is fitted on."""

    rows: int = _FOLDS
    fewest: int = _FOLDS
    """Rows of the rarest class."""
    spread: float = 1.0
    """Standard deviation of the labels: lasso's `alpha` is counted in it, so that its range fits labels of any size."""
    sparse: bool = False
    """The features are frequencies, most of them zero."""
    even: bool = False
    """The features are complete and of one scale, as pixels and frequencies are."""

    @property
    def linear(self) -> bool:
        """A support vector machine must do without kernels."""
        return self.sparse or self.rows > _KERNEL_ROWS


def preparation(family: Family, *, size: Size) -> list[tuple[str, Any]]:
    """What the family needs between raw numbers and its estimator."""
    if size.even or size.sparse:
        return []
    steps: list[tuple[str, Any]] = []
    if family != "gradient_boosting":
        steps.append(("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)))
    if family in _SCALED:
        steps.append(("scale", StandardScaler()))
    return steps


def estimator(family: Family, regression: bool, params: Params, *, size: Size, seed: int) -> Any:
    """The unfitted estimator. BadInput when there are too few rows for it."""
    builders = _NUMBERS if regression else _CLASSES
    return builders[family](dict(params), size, seed)


def settled(fitted: Any) -> Any:
    """The fitted estimator as it is kept: without what only fitting needed, and on one thread.

    Threads add a forest's trees up in the order they finish, which costs single rows time and everybody the last
    digit.
    """
    if "n_jobs" in fitted.get_params():
        fitted.set_params(n_jobs=None)
    for one in (fitted, getattr(fitted, "regressor_", None)):
        for name in ("_optimizer", "_random_state"):
            if one is not None and name in vars(one):
                delattr(one, name)
    return fitted


def _logistic(params: Settings, size: Size, seed: int) -> Any:
    return LogisticRegression(max_iter=2000, random_state=seed, **params)


def _svm(params: Settings, size: Size, seed: int) -> Any:
    """Its scores become probabilities by a sigmoid fitted on rows that each fold left out."""
    if size.fewest < 2:
        problem = tr("has a class with a single training row, so its scores cannot be made probabilities")
        raise BadInput(
            [Fault(place=tr("family svm"), problem=problem, fix=tr("add rows of that class, or use another family"))]
        )
    machine = LinearSVC(random_state=seed, **params) if size.linear else SVC(random_state=seed, **params)
    return CalibratedClassifierCV(machine, cv=min(_FOLDS, size.fewest), ensemble=False)


def _svm_of_numbers(params: Settings, size: Size, seed: int) -> Any:
    machine = LinearSVR(random_state=seed, **params) if size.linear else SVR(**params)
    return _of_unit_spread(machine)


def _knn(kind: type[Any]) -> Callable[[Settings, Size, int], Any]:
    # A tree of neighbours is slower than looking at all rows where there are many columns, and cannot be saved.
    return lambda p, size, _: kind(**p | {"n_neighbors": min(p.get("n_neighbors", 5), size.rows)}, algorithm="brute")


def _bayes(params: Settings, size: Size, seed: int) -> Any:
    smoothing = params.get("smoothing", 1e-9)
    return MultinomialNB(alpha=smoothing) if size.sparse else GaussianNB(var_smoothing=smoothing)


def _forest(kind: type[Any]) -> Callable[[Settings, Size, int], Any]:
    return lambda params, _, seed: kind(n_estimators=100, n_jobs=2, random_state=seed, **params)


def _boosting(kind: type[Any]) -> Callable[[Settings, Size, int], Any]:
    # Stopping early would part the training rows once more, and hide from the search what it costs.
    return lambda params, _, seed: kind(early_stopping=False, random_state=seed, **params)


def _network(kind: type[Any], params: Settings, seed: int) -> Any:
    hidden = params.pop("hidden", 100)
    return kind(hidden_layer_sizes=(hidden,), max_iter=300, random_state=seed, **params)


def _of_unit_spread(regressor: Any) -> Any:
    """Fitted to labels of mean 0 and spread 1, so that its ranges fit labels of any size."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


_CLASSES: dict[Family, Callable[[Settings, Size, int], Any]] = {
    "logistic_regression": _logistic,
    "random_forest": _forest(RandomForestClassifier),
    "gradient_boosting": _boosting(HistGradientBoostingClassifier),
    "decision_tree": lambda params, _, seed: DecisionTreeClassifier(random_state=seed, **params),
    "svm": _svm,
    "knn": _knn(KNeighborsClassifier),
    "naive_bayes": _bayes,
    "mlp": lambda params, _, seed: _network(MLPClassifier, params, seed),
}
_NUMBERS: dict[Family, Callable[[Settings, Size, int], Any]] = {
    "linear_regression": lambda params, *_: LinearRegression(**params),
    "ridge": lambda params, _, seed: Ridge(random_state=seed, **params),
    "lasso": lambda params, size, seed: Lasso(
        max_iter=20_000, random_state=seed, **params | {"alpha": params.get("alpha", 0.01) * size.spread}
    ),
    "random_forest": _forest(RandomForestRegressor),
    "gradient_boosting": _boosting(HistGradientBoostingRegressor),
    "decision_tree": lambda params, _, seed: DecisionTreeRegressor(random_state=seed, **params),
    "svm": _svm_of_numbers,
    "knn": _knn(KNeighborsRegressor),
    "mlp": lambda params, _, seed: _of_unit_spread(_network(MLPRegressor, params, seed)),
}
