"""Learners and questions about a recommendation from frames of users and items, for tests."""

from __future__ import annotations

from typing import Any

import polars as pl

from tools.recipes.learners.recipes import recipe
from tools.recipes.parts import Holdout, Part
from tools.recipes.records import Columns, EvaluateArgs, Family, Measure, TrainArgs

ROLES = Columns(user="user_id", item="item_id")
NDCG = Measure(metric="ndcg_at_10")


def part(frame: pl.DataFrame, label: str | None = None) -> Part:
    return Part(frame, label, "digest")


def holdout(frame: pl.DataFrame, label: str | None = None) -> Holdout:
    return Holdout(frame.with_columns(pl.int_range(pl.len()).alias("row")), label, "digest")


def learner(
    family: Family,
    train: pl.DataFrame,
    validation: pl.DataFrame,
    *,
    label: str | None = None,
    metric: str = "ndcg_at_10",
) -> Any:
    args = TrainArgs(
        task="recommendation", label=label, roles=ROLES, family=family, metric=metric, trials=1, seconds=1, seed=3
    )
    return recipe("recommendation", family).learner(args, part(train, label), part(validation, label))


def asked(label: str | None = None, **more: Any) -> EvaluateArgs:
    return EvaluateArgs(task="recommendation", label=label, roles=ROLES, measures=(NDCG,), **more)
