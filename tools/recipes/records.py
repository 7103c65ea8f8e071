"""What goes into and comes out of the programs that run inside a job.

The agent writes `inputs.json` into the job's folder, starts `python -I -m tools.recipes.PROGRAM FOLDER`,
and reads `result.json` or `failure.json` from it. Neither side imports the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools.record import Json, Record

Task = Literal["classification", "regression"]
Family = Literal["logistic_regression", "linear_regression", "ridge", "lasso", "random_forest", "gradient_boosting"]
Cleaning = Literal["drop_missing", "drop_duplicates", "impute", "clip_outliers", "scale", "one_hot", "lowercase"]


class Inputs(Record):
    """`inputs.json`: what every program is started with."""

    args: Json
    mounts: Mapping[str, str] = {}
    """Input name → absolute path."""
    secrets: Mapping[str, str] = {}
    """Secret name → absolute path of a file holding it."""
    hide: tuple[str, ...] = ()
    """Absolute paths that nothing this program starts may find: where the backend keeps every run's secrets."""
    out: str
    """Absolute path of the folder for results."""


class Split(Record):
    """How rows are parted before anything is fitted."""

    by: Literal["random", "stratified", "group", "time"] = "random"
    column: str | None = None
    at: str | None = None
    """ISO date: rows from this instant on are the holdout."""
    holdout: float = Field(default=0.2, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of what is left after the holdout is taken."""


class PrepareArgs(Record):
    source: str
    """Absolute path, or `sklearn:NAME`."""
    format: Literal["csv", "parquet", "jsonl", "bundled"]
    task: Task
    label: str | None
    """None only for a bundled set, whose label is named `target`."""
    split: Split = Split()
    clean: tuple[Cleaning, ...] = ()
    drop_columns: tuple[str, ...] = ()
    seed: int = 0


class Column(Record):
    """A feature as the source has it."""

    name: str
    kind: Literal["number", "integer", "category", "boolean", "time"]
    missing: int
    distinct: int


class PrepareResult(Record):
    label: str
    columns: tuple[Column, ...]
    """The features, in the order of the source."""
    rows: int
    """Rows read from the source."""
    train_rows: int
    validation_rows: int
    holdout_rows: int
    duplicates_removed: int
    unlabelled_removed: int
    missing_removed: int
    """Training rows dropped by `drop_missing`; holdout rows are never dropped for it."""
    classes: tuple[str, ...] = ()
    """Class names in the order of the model's probabilities, as the source spells them."""
    positive: str | None = None
    """The class that binary metrics count as positive."""
    findings: tuple[str, ...] = ()
    """What a person should know of the data: imbalance, suspected leakage, constant columns."""
    digests: Mapping[str, str]
    """sha256 of `source`, `train`, `validation`, `holdout`, `split`."""


class Measure(Record):
    """One number to compute from labels and predictions."""

    metric: str
    of: str | None = None
    """The class, for a per-class metric."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Level of the one-sided bounds."""


class TrainArgs(Record):
    task: Task
    label: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    family: Family
    metric: str
    """Canonical name of the metric that validation optimises."""
    metric_class: str | None = None
    method: Literal["grid", "random", "tpe"] = "tpe"
    trials: int = Field(ge=1)
    seconds: float = Field(gt=0)
    """Soft limit on the search; the job's hard limit is above it."""
    measures: tuple[Measure, ...] = ()
    """What else to measure on validation."""
    clean: tuple[Cleaning, ...] = ()
    seed: int = 0


class Measured(Record):
    """One number with its uncertainty, by bootstrap over rows."""

    metric: str
    of: str | None = None
    value: float | None
    """None when it is not defined on these rows."""
    low: float | None = None
    high: float | None = None
    """Two-sided 95 % interval."""
    bound_low: float | None = None
    bound_high: float | None = None
    """One-sided bounds at the measure's confidence."""


class TrainResult(Record):
    family: str
    params: Json
    trials: int
    value: float | None
    """The objective metric on validation, of the best trial."""
    baseline: float | None
    """The same metric for the constant predictor."""
    validation: tuple[Measured, ...]
    history: tuple[float, ...] = ()
    """Best validation value after each trial."""
    curve: tuple[tuple[int, float], ...] = ()
    """Learning curve on validation: (training rows, value)."""
    digest: str
    """sha256 of the model folder's content."""
    data_digest: str
    seconds: float


class EvaluateArgs(Record):
    task: Task
    label: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    measures: tuple[Measure, ...]
    predict: str | None = None
    """The user's own `predict` command, run as `predict IN.csv OUT.csv` without the labels."""
    folder: str | None = None
    hide: tuple[str, ...] = ()
    """Absolute paths that `predict` must not find: the source of the data."""
    seed: int = 0
    resamples: int = Field(default=1000, ge=100)


class EvaluateResult(Record):
    measured: tuple[Measured, ...]
    rows: int
    dropped: int = 0
    digests: Mapping[str, str]
    """sha256 of `model`, `holdout`, `evaluator`, `train`."""
    findings: tuple[str, ...] = ()
    """Tripwires that fired: duplicates across the split, a label that a single feature gives away."""


class LoadArgs(Record):
    """Real requests drawn from the validation part's features."""

    url: str
    """The endpoint's base URL: loopback."""
    model: str
    """The name in the Open Inference Protocol path."""
    label: str
    rate_rps: float = Field(gt=0)
    seconds: float = Field(gt=0)
    seed: int = 0


class LoadResult(Record):
    sent: int
    answered: int
    failed: int
    seconds: float
