"""The model file: written so that equal models have equal bytes, opened only if every type in it is expected.

The lists below are constant; a file cannot widen them. Nothing in a file is called before all of it was checked.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from tools.errors import Refused
from tools.recipes.records import Family

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)

_LOADERS = frozenset(
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
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)
"""How an entry of the file may be rebuilt: none of these calls a function the file names."""
_PLAIN = frozenset(
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
        "sklearn.pipeline.Pipeline",
        "tools.recipes.encode.RawColumns",
    }
)
_FILLED = frozenset({"sklearn.impute._base.MissingIndicator", "sklearn.impute._base.SimpleImputer"})
_SCALED = _FILLED | {"sklearn.preprocessing._data.StandardScaler"}
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"

ALLOWED: dict[Family, frozenset[str]] = {
    "logistic_regression": _PLAIN | _SCALED | {"sklearn.linear_model._logistic.LogisticRegression"},
    "linear_regression": _PLAIN | _SCALED | {"sklearn.linear_model._base.LinearRegression"},
    "ridge": _PLAIN | _SCALED | {"sklearn.linear_model._ridge.Ridge"},
    "lasso": _PLAIN | _SCALED | {"sklearn.linear_model._coordinate_descent.Lasso"},
    "random_forest": _PLAIN
    | _FILLED
    | {
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._tree.Tree",
    },
    "gradient_boosting": _PLAIN
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
}
"""Every type a model of the family may hold, scikit-learn's own included."""

_EXTRA = (
    "numpy.dtype",
    "tools.recipes.encode.RawColumns",
    "sklearn.tree._tree.Tree",
    f"{_BOOSTING}.predictor.TreePredictor",
)
"""Types that skops does not know by itself."""


def save(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline; models with equal state give equal bytes."""
    path.write_bytes(_canonical(skops.io.dumps(pipeline)))


def load(path: Path, family: Family) -> Any:
    """The pipeline. Refused, naming them, when the file holds types that a model of this family does not."""
    content = path.read_bytes()
    strangers = sorted(set(_strangers(content, family)))
    if strangers:
        raise Refused(f"{path.name} is not opened: it holds {', '.join(strangers)}, which no {family} model holds")
    allowed = ALLOWED[family]
    try:
        return skops.io.loads(content, trusted=[name for name in _EXTRA if name in allowed])
    except UntrustedTypesFoundException as error:
        raise Refused(f"{path.name} is not opened: {error}") from error


def _strangers(content: bytes, family: Family) -> Iterator[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Refused(f"the model file is damaged: {error}") from error
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if ("__class__" in node or "__module__" in node) and name not in ALLOWED[family]:
            yield name
        if "__loader__" in node and node["__loader__"] not in _LOADERS:
            yield str(node["__loader__"])


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the schema, at any depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _canonical(content: bytes) -> bytes:
    """The same archive without what differs from process to process: memory addresses, times, padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str) and node["file"] in files:
            node["file"] = names.setdefault(node["file"], f"{len(names)}{Path(node['file']).suffix}")
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for old, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, _EPOCH), _unpadded(files[old]), zipfile.ZIP_DEFLATED, 1)
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _EPOCH), json.dumps(schema), zipfile.ZIP_DEFLATED, 1)
    return whole.getvalue()


def _unpadded(content: bytes) -> bytes:
    """An array file with the unused bytes between a record's fields set to zero."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if not array.dtype.names:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean)
    return buffer.getvalue()
