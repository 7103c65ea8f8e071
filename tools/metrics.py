"""The metrics a clause may name: where each is measured, its bounds, and which way is better.

One table for everybody: the grammar, the validator, the recipes and the report. Definitions are
scikit-learn's, except sMAPE = mean(2|y - p| / (|y| + |p|)) with 0/0 = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal["holdout", "live", "run", "state"]
Direction = Literal["max", "min"]
Unit = Literal["ratio", "ms", "rps", "usd", "s", "count", "label", "number", "version"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known of a metric before anything is measured."""

    name: str
    where: Where
    better: Direction
    unit: Unit
    low: float | None = None
    """Smallest possible value; None is unbounded."""
    high: float | None = None
    tasks: tuple[str, ...] = ()
    """Tasks whose holdout it is defined on; empty for the others."""


_CLASSES = (
    "classification",
    "text-classification",
    "image-classification",
    "token-classification",
    "recommendation",  # of rows that say whether a user took to an item
)
_NUMBERS = ("regression", "forecasting")


def _score(name: str, *, low: float = 0.0, tasks: tuple[str, ...] = _CLASSES) -> Metric:
    return Metric(name=name, where="holdout", better="max", unit="ratio", low=low, high=1.0, tasks=tasks)


def _error(name: str, *, unit: Unit = "label", high: float | None = None) -> Metric:
    return Metric(name=name, where="holdout", better="min", unit=unit, low=0.0, high=high, tasks=_NUMBERS)


def _live(name: str, unit: Unit, *, better: Direction = "min", high: float | None = None) -> Metric:
    return Metric(name=name, where="live", better=better, unit=unit, low=0.0, high=high)


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        _score("accuracy"),
        _score("balanced_accuracy"),
        _score("precision"),
        _score("recall"),
        _score("f1"),
        _score("f1_macro"),
        _score("f1_micro"),
        _score("f1_weighted"),
        _score("roc_auc"),
        _score("pr_auc"),
        Metric(name="log_loss", where="holdout", better="min", unit="number", low=0.0, tasks=_CLASSES),
        _score("mcc", low=-1.0),
        _error("rmse"),
        _error("mse"),
        _error("mae"),
        _error("mape", unit="ratio"),
        _error("smape", unit="ratio", high=2.0),
        Metric(name="r2", where="holdout", better="max", unit="number", high=1.0, tasks=_NUMBERS),
        _score("silhouette", low=-1.0, tasks=("clustering",)),
        _score("ndcg_at_10", tasks=("recommendation",)),
        _score("recall_at_10", tasks=("recommendation",)),
        Metric(name="perplexity", where="holdout", better="min", unit="number", low=1.0, tasks=("causal-lm",)),
        _score("iou", tasks=("semantic-segmentation",)),
        _score("map_at_50", tasks=("object-detection",)),
        _live("latency_p50_ms", "ms"),
        _live("latency_p95_ms", "ms"),
        _live("latency_p99_ms", "ms"),
        _live("error_rate", "ratio", high=1.0),
        _live("throughput_rps", "rps", better="max"),
        _live("availability", "ratio", better="max", high=1.0),
        _live("drift_psi", "number"),
        Metric(name="cost_usd", where="run", better="min", unit="usd", low=0.0),
        Metric(name="duration_s", where="run", better="min", unit="s", low=0.0),
        Metric(name="replicas", where="state", better="max", unit="count", low=0.0),
        Metric(name="serving_version", where="state", better="max", unit="version"),
        Metric(name="orphaned_resources", where="state", better="min", unit="count", low=0.0),
        Metric(name="ready", where="state", better="max", unit="count", low=0.0, high=1.0),
        Metric(name="finished", where="run", better="max", unit="count", low=0.0, high=1.0),
    )
}


def metric(name: str) -> Metric | None:
    """The metric of that canonical name; None for `custom:` metrics and unknown names."""
    return METRICS.get(name)
