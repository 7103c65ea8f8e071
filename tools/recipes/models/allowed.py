"""Which types a model of each family may hold, and how they may be rebuilt. Constant: no file can widen the lists."""

from __future__ import annotations

from collections.abc import Mapping

from tools.recipes.records import Family

LOADERS = frozenset(
    {
        "CachedNode",
        "DTypeNode",
        "DictNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "NdArrayNode",
        "ObjectNode",
        "RandomGeneratorNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)
"""How an entry of the file may be rebuilt: none of these calls a function the file names."""
_FILLED = frozenset({"sklearn.impute._base.MissingIndicator", "sklearn.impute._base.SimpleImputer"})
_PLAIN = _FILLED | frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.dtype",
        "numpy.float64",
        "numpy.int64",
        "numpy.ndarray",
        "numpy.float32",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.MinMaxScaler",
        "tools.recipes.models.encode.RawColumns",
        "tools.recipes.models.pixels.Pixels",
        "tools.recipes.models.texts.Texts",
        "tools.recipes.models.without_ids.WithoutIds",
    }
)
_SCALED = {"sklearn.preprocessing._data.StandardScaler"}
_SPARSE = frozenset({"scipy.sparse._csr.csr_matrix", "scipy.sparse._csr.csr_array"})
_FORECAST = frozenset({"tools.recipes.forecasts.forecaster.Forecaster"})
_LAGGED = _FORECAST | {"tools.recipes.forecasts.lagged.Lagged"}
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"

ALLOWED: Mapping[Family, frozenset[str]] = {
    "logistic_regression": _PLAIN | _SCALED | {"sklearn.linear_model._logistic.LogisticRegression"},
    "linear_regression": _PLAIN | _SCALED | _LAGGED | {"sklearn.linear_model._base.LinearRegression"},
    "ridge": _PLAIN | _SCALED | _LAGGED | {"sklearn.linear_model._ridge.Ridge"},
    "lasso": _PLAIN | _SCALED | _LAGGED | {"sklearn.linear_model._coordinate_descent.Lasso"},
    "random_forest": _PLAIN
    | _LAGGED
    | {
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._tree.Tree",
    },
    "gradient_boosting": _PLAIN
    | _LAGGED
    | {
        "numpy.random._generator.Generator",
        "numpy.uint64",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        f"{_BOOSTING}.binning._BinMapper",
        f"{_BOOSTING}.gradient_boosting.HistGradientBoostingClassifier",
        f"{_BOOSTING}.gradient_boosting.HistGradientBoostingRegressor",
        f"{_BOOSTING}.predictor.TreePredictor",
        "sklearn.preprocessing._label.LabelEncoder",
    },
    "decision_tree": _PLAIN
    | {
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._tree.Tree",
    },
    "svm": _PLAIN
    | _SCALED
    | _SPARSE
    | {
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._target.TransformedTargetRegressor",
        "sklearn.svm._classes.LinearSVC",
        "sklearn.svm._classes.LinearSVR",
        "sklearn.svm._classes.SVC",
        "sklearn.svm._classes.SVR",
    },
    "knn": _PLAIN
    | _SCALED
    | _SPARSE
    | {
        "sklearn.neighbors._classification.KNeighborsClassifier",
        "sklearn.neighbors._regression.KNeighborsRegressor",
    },
    "naive_bayes": _PLAIN | _SCALED | {"sklearn.naive_bayes.GaussianNB", "sklearn.naive_bayes.MultinomialNB"},
    "mlp": _PLAIN
    | _SCALED
    | {
        "sklearn.compose._target.TransformedTargetRegressor",
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        "sklearn.neural_network._multilayer_perceptron.MLPRegressor",
        "sklearn.preprocessing._label.LabelBinarizer",
    },
    "exponential_smoothing": _PLAIN | _FORECAST | {"tools.recipes.forecasts.smoothing.Smoothing"},
    "kmeans": _PLAIN | _SCALED | {"sklearn.cluster._kmeans.KMeans", "tools.recipes.models.named.NamedKMeans"},
    "item_knn": _PLAIN | {"tools.recipes.models.recommenders.ItemNeighbours"},
    "matrix_factorization": _PLAIN | {"tools.recipes.models.recommenders.MatrixFactors"},
}
"""Every type a model of the family may hold, scikit-learn's own included."""
