"""Stage 2, contract: the goal made checkable.

The records of `plan --json`. Ratios are 0..1, latency ms, money USD, durations seconds; None means
that the goal does not say and no default is needed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tools.metrics import METRICS, Where
from tools.record import Record

MetricName = Annotated[str, StringConstraints(pattern="^(" + "|".join(METRICS) + "|custom:[a-z0-9_]+)$")]
ModelTask = Literal[
    "classification",
    "text-classification",
    "image-classification",
    "token-classification",
    "regression",
    "forecasting",
    "clustering",
    "recommendation",
    "causal-lm",
    "custom",
]
ThingTask = Literal[
    "deploy", "rollback", "scale", "watch", "evaluate", "compare", "estimate", "cleanup", "diagnose", "prepare"
]
Op = Literal[">=", "<=", ">", "<", "=="]
Comparand = Literal["incumbent", "baseline", "other"]
Strategy = Literal["none", "direct", "rolling", "blue_green", "canary", "shadow"]
Constraint = Literal["no_deploy", "no_production", "no_spot", "no_gpu", "no_external_data", "no_retrain", "read_only"]


class Relative(Record):
    """A threshold relative to something that exists: 'two points better than the current model'."""

    to: Comparand = "incumbent"
    delta: float = 0.0
    kind: Literal["absolute", "ratio"] = "absolute"


class Clause(Record):
    """One demand: metric, comparator, threshold, and where it is measured."""

    id: str
    metric: MetricName
    op: Op
    value: float | str | None
    relative: Relative | None = None
    where: Where
    class_: str | None = Field(default=None, alias="class")
    abort: bool = False
    confidence: float | None = Field(default=None, gt=0, lt=1)
    window_s: float | None = Field(default=None, gt=0)

    model_config = Record.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class Objective(Record):
    """What is optimised when the goal names a metric without a threshold."""

    metric: MetricName
    direction: Literal["max", "min"]


class Data(Record):
    """One data set the goal names."""

    uri: str
    role: Literal["train", "holdout", "interactions", "items", "users", "unlabelled"] = "train"
    label: str | None = None
    time: str | None = None
    id: str | None = None
    format: Literal["csv", "parquet", "jsonl", "text", "images", "folder", "bundled", "hub"] | None = None


class Join(Record):
    left: str
    right: str
    on: tuple[str, ...]
    how: Literal["inner", "left"] = "inner"


class Prepare(Record):
    """What is to be done to the data before training."""

    join: tuple[Join, ...] = ()
    clean: tuple[
        Literal[
            "drop_missing", "drop_duplicates", "impute", "clip_outliers", "scale", "one_hot", "lowercase", "augment"
        ],
        ...,
    ] = ()
    drop_columns: tuple[str, ...] = ()


class Split(Record):
    """How the holdout is parted from the rest."""

    by: Literal["random", "stratified", "group", "time"] = "random"
    column: str | None = None
    at: str | None = None
    holdout: float | None = Field(default=None, gt=0, lt=1)


class Train(Record):
    """The user's own program, when the goal names one."""

    kind: Literal["recipe", "command", "image"]
    value: str
    predict: str | None = None


class Search(Record):
    method: Literal["grid", "random", "tpe"] | None = None
    trials: int | None = Field(default=None, ge=1)


class Rollout(Record):
    """How the model reaches traffic."""

    strategy: Strategy = "none"
    steps: tuple[Annotated[float, Field(gt=0, le=100)], ...] = ()
    hold_s: float | None = Field(default=None, gt=0)
    replicas: int | None = Field(default=None, ge=0)
    min_replicas: int | None = Field(default=None, ge=0)
    max_replicas: int | None = Field(default=None, ge=0)
    lease_s: float | None = Field(default=None, gt=0)


class Upkeep(Record):
    """What keeps the contract alive after deployment."""

    watch: bool = True
    every_s: float | None = Field(default=None, gt=0)
    retrain_on: tuple[Literal["drift", "breach", "schedule", "new_data"], ...] = ()
    for_s: float | None = Field(default=None, gt=0)


LONGEST_NAME = 63
UNNAMED = "model"
"""A part's name when the goal gives it none."""


class Part(Record):
    """What is wanted of one model or one thing that runs."""

    name: str
    task: ModelTask | ThingTask
    target: str | None = None
    source_models: tuple[str, ...] = ()
    objective: Objective | None = None
    data: tuple[Data, ...] = ()
    prepare: Prepare | None = None
    split: Split | None = None
    models: tuple[str, ...] = ()
    train: Train | None = None
    search: Search | None = None
    clauses: tuple[Clause, ...] = ()
    rollout: Rollout = Rollout()
    upkeep: Upkeep | None = None
    metrics: dict[str, str] | None = None

    @property
    def endpoint(self) -> str:
        """What it is served as: the target, else the part's own name, else the name of its data."""
        if self.target is not None or self.name != UNNAMED:
            return self.target or self.name
        stem = re.split(r"[/:]", self.data[0].uri.rstrip("/"))[-1].partition(".")[0] if self.data else ""
        return re.sub(r"[^\w-]+", "-", stem).strip("-")[:LONGEST_NAME] or self.name


class Placement(Record):
    """Where it may run, and on what."""

    backend: Literal["local", "kubernetes", "aws", "sim"] | None = None
    gpu: str | None = None
    gpu_count: int | None = Field(default=None, ge=0)
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    cpus: float | None = Field(default=None, gt=0)
    memory_gb: float | None = Field(default=None, gt=0)
    spot: bool | None = None
    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


class Remark(Record):
    """An assumption made or a question open, about one field (`parts.0.data`)."""

    field: str
    text: str


class Contract(Record):
    """The goal, checkable."""

    parts: tuple[Part, ...]
    budget_usd: float | None = Field(default=None, ge=0)
    budget_per: Literal["goal", "day", "month"] | None = None
    deadline_s: float | None = Field(default=None, gt=0)
    environment: Literal["dev", "staging", "production"] | None = None
    namespace: str | None = None
    placement: Placement = Placement()
    constraints: tuple[Constraint, ...] = ()
    assumptions: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()


class Refusal(Record):
    """The goal is not ours, or against the rules."""

    reason: str
    rule: str
    """A short name of the rule: `not_ml`, `ignore_rules`, `system_namespace`, `secrets`."""
