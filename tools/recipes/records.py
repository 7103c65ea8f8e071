"""What goes into and comes out of the programs that run inside a job.

The agent writes `inputs.json` into the job's folder, starts `python -I -m tools.recipes.PROGRAM FOLDER`,
and reads `result.json` or `failure.json` from it. Neither side imports the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools.language import Language
from tools.record import Json, Record

Task = Literal[
    "classification",
    "regression",
    "text-classification",
    "image-classification",
    "recommendation",
    "clustering",
    "forecasting",
]
Family = Literal[
    "logistic_regression",
    "linear_regression",
    "ridge",
    "lasso",
    "random_forest",
    "gradient_boosting",
    "decision_tree",
    "svm",
    "knn",
    "naive_bayes",
    "mlp",
    "kmeans",
    "exponential_smoothing",
    "item_knn",
    "matrix_factorization",
]
Format = Literal["csv", "parquet", "jsonl", "bundled", "images", "folder"]
Role = Literal["train", "holdout", "interactions", "items", "users", "unlabelled"]
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
    language: Language = "en"
    """What the program says to people, it says in this language."""


class Split(Record):
    """How rows are parted before anything is fitted."""

    by: Literal["random", "stratified", "group", "time"] = "random"
    column: str | None = None
    at: str | None = None
    """ISO date: rows from this instant on are the holdout."""
    holdout: float = Field(default=0.2, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of what is left after the holdout is taken."""


class Table(Record):
    """One data set as the goal names it."""

    name: str
    """The uri as the goal writes it: what joins refer to."""
    source: str
    """Absolute path, or `sklearn:NAME`."""
    format: Format
    role: Role = "train"


class JoinOn(Record):
    """Two tables to be put together by equal values."""

    left: str
    """A table's name; what was joined to it before comes along."""
    right: str
    on: tuple[str, ...] = Field(min_length=1)
    how: Literal["inner", "left"] = "inner"


class Columns(Record):
    """Columns with a meaning of their own, by their name in the prepared table; None where there is none."""

    time: str | None = None
    group: str | None = None
    """What a row belongs to: the series of a forecast, the group that must not be split."""
    user: str | None = None
    item: str | None = None


class PrepareArgs(Record):
    tables: tuple[Table, ...] = Field(min_length=1)
    """The one the rows come from first. A table of role `holdout` is the holdout, whole."""
    joins: tuple[JoinOn, ...] = ()
    task: Task
    label: str | None
    """None for a bundled set, whose label is named `target`, and where nothing is labelled."""
    time: str | None = None
    group: str | None = None
    split: Split = Split()
    clean: tuple[Cleaning, ...] = ()
    drop_columns: tuple[str, ...] = ()
    seed: int = 0


class Column(Record):
    """A feature as the source has it."""

    name: str
    kind: Literal["number", "integer", "category", "boolean", "time", "text", "image"]
    missing: int
    distinct: int


class Joined(Record):
    """What a join did to the rows."""

    left: str
    right: str
    on: tuple[str, ...]
    rows_before: int
    rows_after: int
    unmatched: int
    """Rows of the left table without a partner."""
    repeated: int
    """Rows that stand more than once because the key is not unique on the right."""


class PrepareResult(Record):
    label: str | None
    """None where nothing is labelled."""
    roles: Columns = Columns()
    joins: tuple[Joined, ...] = ()
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


LOOKS = 3
"""How often a holdout may be opened: from the second time on, the error that is allowed is shared among so many."""


class Measure(Record):
    """One number to compute from labels and predictions."""

    metric: str
    """A canonical name, or `custom:NAME` with a formula of that name."""
    of: str | None = None
    """The class, for a per-class metric."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Level of the one-sided bounds."""

    @property
    def strict(self) -> float:
        """Their level where the same holdout has been opened before."""
        return 1.0 - (1.0 - self.confidence) / LOOKS


class TrainArgs(Record):
    task: Task
    label: str | None
    roles: Columns = Columns()
    horizon: int | None = Field(default=None, ge=1)
    """Forecasting: how many steps ahead; None: a season, at most a third of what the validation part has."""
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


class Limits(Record):
    """How sure a number is; None where nothing can be said."""

    low: float | None = None
    high: float | None = None
    """Two-sided 95 % interval."""
    bound_low: float | None = None
    bound_high: float | None = None
    """One-sided bounds at the measure's confidence."""
    strict_low: float | None = None
    strict_high: float | None = None
    """The same at the level for a holdout that has been opened before."""


class Measured(Limits):
    """One number with its uncertainty, by bootstrap over rows."""

    metric: str
    of: str | None = None
    value: float | None
    """None when it is not defined on these rows."""


class TrainResult(Record):
    family: str
    params: Json
    trials: int
    pruned: int = 0
    """Trials that ended early, on a share of the training rows."""
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


class Against(Record):
    """What the model under test is compared with, on the same rows."""

    to: Literal["baseline", "incumbent", "other"]
    """`baseline`: the constant predictor, the most popular items, the seasonal naive forecast."""
    name: str
    """What it is called; the model lies under the mount of that name, a baseline has none."""


class Compared(Limits):
    """The difference between two models on the same rows, by a paired bootstrap; the limits are the difference's."""

    metric: str
    of: str | None = None
    to: Literal["baseline", "incumbent", "other"]
    name: str
    value: float | None
    """Of the model under test."""
    other: float | None
    difference: float | None
    """value - other, in the metric's own unit."""
    share: Limits = Limits()
    """Of the difference as a share of the other's size, both resampled."""
    p_value: float | None = None
    """Two-sided: how often a difference this large comes from resampling alone."""


SEEN_ROWS = "seen.txt"
"""Beside the parts of prepared data: salted hashes of the rows that a model may be trained on."""
SEEN = ".seen"
"""The mount `NAME.seen` holds them for the model under `NAME`."""
UNDER_TEST = "model"
"""What the model under test is called among those that existed before."""


class EvaluateArgs(Record):
    task: Task
    label: str | None
    roles: Columns = Columns()
    horizon: int | None = Field(default=None, ge=1)
    against: tuple[Against, ...] = ()
    formulas: Mapping[str, str] = {}
    """Formulas of `custom:` metrics, by name without the prefix."""
    classes: tuple[str, ...] = ()
    positive: str | None = None
    measures: tuple[Measure, ...]
    predict: str | None = None
    """The user's own `predict` command, run as `predict IN.csv OUT.csv` without the labels."""
    folder: str | None = None
    hide: tuple[str, ...] = ()
    """Absolute paths that `predict` must not find: the source of the data."""
    existing: tuple[str, ...] = ()
    """Models, by their mount, that were there before these data were parted: what they were trained on may be kept
    under the mount `NAME.seen`."""
    seed: int = 0
    resamples: int = Field(default=1000, ge=100)


class EvaluateResult(Record):
    measured: tuple[Measured, ...]
    seen_rows: Mapping[str, int] = {}
    """Rows of this holdout that a model which existed before was trained on, by mount; none where that is not known."""
    confined: bool = True
    """Whatever predicted could find neither the labels nor the key."""
    compared: tuple[Compared, ...] = ()
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
    label: str | None
    rate_rps: float = Field(gt=0)
    seconds: float = Field(gt=0)
    seed: int = 0


class LoadResult(Record):
    sent: int
    answered: int
    failed: int
    seconds: float
