"""A model file of the user's own: opened only inside a job, if every type in it is one of a constant list.

It is asked with the source's columns as they are, by name where it was fitted on named columns.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.card import CARD_FILE, MODEL_FILE
from tools.recipes.faults import BadInput, Fault
from tools.recipes.models import artefact
from tools.recipes.models.allowed import ALLOWED, LOADERS

TYPES: frozenset[str] = frozenset[str]().union(*ALLOWED.values()) | {
    "builtins.slice",
    "numpy.ma.MaskedArray",
    "numpy.random.mtrand.RandomState",
    "sklearn._loss._loss.CyHalfPoissonLoss",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.loss.HalfPoissonLoss",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.decomposition._pca.PCA",
    "sklearn.decomposition._truncated_svd.TruncatedSVD",
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._bagging.BaggingClassifier",
    "sklearn.ensemble._bagging.BaggingRegressor",
    "sklearn.ensemble._forest.ExtraTreesClassifier",
    "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._stacking.StackingClassifier",
    "sklearn.ensemble._stacking.StackingRegressor",
    "sklearn.ensemble._voting.VotingClassifier",
    "sklearn.ensemble._voting.VotingRegressor",
    "sklearn.ensemble._weight_boosting.AdaBoostClassifier",
    "sklearn.ensemble._weight_boosting.AdaBoostRegressor",
    "sklearn.feature_extraction.text.CountVectorizer",
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.feature_selection._variance_threshold.VarianceThreshold",
    "sklearn.linear_model._bayes.BayesianRidge",
    "sklearn.linear_model._coordinate_descent.ElasticNet",
    "sklearn.linear_model._coordinate_descent.ElasticNetCV",
    "sklearn.linear_model._coordinate_descent.LassoCV",
    "sklearn.linear_model._glm.glm.PoissonRegressor",
    "sklearn.linear_model._huber.HuberRegressor",
    "sklearn.linear_model._logistic.LogisticRegressionCV",
    "sklearn.linear_model._ridge.RidgeCV",
    "sklearn.linear_model._ridge.RidgeClassifier",
    "sklearn.linear_model._sgd_fast.Hinge",
    "sklearn.linear_model._stochastic_gradient.SGDClassifier",
    "sklearn.linear_model._stochastic_gradient.SGDRegressor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.naive_bayes.BernoulliNB",
    "sklearn.naive_bayes.ComplementNB",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.preprocessing._data.MaxAbsScaler",
    "sklearn.preprocessing._data.Normalizer",
    "sklearn.preprocessing._data.PowerTransformer",
    "sklearn.preprocessing._data.QuantileTransformer",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.preprocessing._discretization.KBinsDiscretizer",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._polynomial.PolynomialFeatures",
    "sklearn.svm._classes.NuSVC",
    "sklearn.tree._classes.ExtraTreeClassifier",
    "sklearn.tree._classes.ExtraTreeRegressor",
    "sklearn.utils._bunch.Bunch",
}
"""What a user's model may hold: estimators and preparations of scikit-learn that call nothing the file names."""
REBUILT = LOADERS | {"MaskedArrayNode", "RandomStateNode", "SliceNode"}
ONNX_FILE = "model.onnx"


class Foreign:
    """The user's fitted estimator."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, features: pl.DataFrame) -> tuple[pl.Series, NDArray[np.float64] | None, list[str]]:
        """Predictions as text, probabilities [rows, classes] where it has them, and the names of those classes.

        BadInput(user_code_error) when the rows do not suit it; BadInput when they lack a column it was fitted on.
        """
        rows = self._rows(features)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = np.asarray(self._estimator.predict(rows)).reshape(features.height)
                probability = self._probability(rows)
        except Exception as error:  # a user's model on a user's rows: whatever it raises is its failure
            problem = tr("fails on the holdout: {kind}: {error}", kind=type(error).__name__, error=str(error)[:200])
            fault = Fault(place=MODEL_FILE, problem=problem, fix=tr("make it take the columns of the data as they are"))
            raise BadInput([fault], cause="user_code_error") from error
        classes = [] if probability is None else [str(c) for c in self._estimator.classes_]
        return pl.Series("prediction", [str(v) for v in found.tolist()]), probability, classes

    def _rows(self, features: pl.DataFrame) -> Any:
        names = [str(n) for n in getattr(self._estimator, "feature_names_in_", ())]
        if missing := [n for n in names if n not in features.columns]:
            problem = tr("wants columns that the holdout does not have: {missing}", missing=", ".join(missing[:8]))
            raise BadInput(
                [Fault(place=MODEL_FILE, problem=problem, fix=tr("fit it on the data as they were handed over"))]
            )
        if names:
            return features.select(names)
        if all(dtype.is_numeric() for dtype in features.dtypes):
            return features.to_numpy()
        rows = np.empty(features.shape, dtype=object)
        for place, column in enumerate(features):
            rows[:, place] = column.to_list()
        return rows

    def _probability(self, rows: Any) -> NDArray[np.float64] | None:
        if not hasattr(self._estimator, "predict_proba"):
            return None
        found: NDArray[np.float64] = np.asarray(self._estimator.predict_proba(rows), dtype=np.float64)
        return found if found.ndim == 2 and np.isfinite(found).all() else None


def is_foreign(folder: Path) -> bool:
    """Whether a folder holds no model of ours: what is in it comes from the user's own program."""
    return not any((place / CARD_FILE).is_file() for place in (folder, folder / "model"))


def open_foreign(folder: Path) -> Foreign:
    """BadInput(user_code_error) when there is no model file; Refused when it holds what no such model holds."""
    for place in (folder, folder / "model"):
        if (place / MODEL_FILE).is_file():
            return Foreign(
                artefact.opened(
                    place / MODEL_FILE, TYPES, REBUILT, whose=tr("no model of scikit-learn that may be opened")
                )
            )
    left = sorted(p.name for p in folder.rglob("*") if p.is_file())
    what = tr("left no {file} but {left}", file=MODEL_FILE, left=", ".join(left[:5])) if left else tr("left nothing")
    if ONNX_FILE in left:
        what = tr("left a {file}, which nothing here can ask", file=ONNX_FILE)
    fix = tr("leave a {file} written by skops, or name a `predict` command", file=MODEL_FILE)
    fault = Fault(place=tr("the training program"), problem=what, fix=fix)
    raise BadInput([fault], cause="user_code_error")
