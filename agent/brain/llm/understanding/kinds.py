"""What must vouch for each field of a contract: a figure, a name, a word of a closed set, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.brain.llm.understanding.topics import Topic
from agent.brain.llm.understanding.words import Amount, Name

AMOUNTS: Final[Mapping[str, Amount]] = {
    "budget_usd": "usd",
    "deadline_s": "seconds",
    "placement.gpu_count": "gpu",
    "placement.gpu_memory_gb": "memory",
    "placement.cpus": "cpu",
    "placement.memory_gb": "memory",
    "parts.split.holdout": "share",
    "parts.search.trials": "trial",
    "parts.clauses.value": "threshold",
    "parts.clauses.relative.delta": "delta",
    "parts.clauses.confidence": "share",
    "parts.clauses.window_s": "seconds",
    "parts.rollout.steps": "steps",
    "parts.rollout.hold_s": "seconds",
    "parts.rollout.replicas": "replica",
    "parts.rollout.min_replicas": "replica",
    "parts.rollout.max_replicas": "replica",
    "parts.rollout.lease_s": "seconds",
    "parts.upkeep.every_s": "seconds",
    "parts.upkeep.for_s": "seconds",
}
"""Numbers, and what they are numbers of."""
TOPICS: Final[Mapping[str, Topic]] = {
    "budget_usd": "budget",
    "deadline_s": "deadline",
    "placement.gpu_count": "gpu",
    "placement.gpu_memory_gb": "memory",
    "placement.cpus": "cpu",
    "placement.memory_gb": "memory",
    "parts.split.holdout": "holdout",
    "parts.search.trials": "trials",
    "parts.clauses.value": "metric",
    "parts.clauses.relative.delta": "metric",
    "parts.clauses.confidence": "confidence",
    "parts.clauses.window_s": "window",
    "parts.rollout.steps": "steps",
    "parts.rollout.hold_s": "hold",
    "parts.rollout.replicas": "replicas",
    "parts.rollout.min_replicas": "replicas",
    "parts.rollout.max_replicas": "replicas",
    "parts.rollout.lease_s": "lease",
    "parts.upkeep.every_s": "every",
    "parts.upkeep.for_s": "span",
}
"""What the text must speak of beside a number without a unit."""
WORDED: Final = ("parts.clauses.confidence", "parts.split.holdout")
"""Shares that are told apart by such a word alone, with a unit or without."""
NAMES: Final[Mapping[str, Name]] = {
    "namespace": "namespace",
    "placement.gpu": "gpu",
    "placement.regions": "place",
    "placement.instance_types": "machine",
    "placement.zones": "place",
    "parts.target": "name",
    "parts.source_models": "artefact",
    "parts.objective.metric": "metric",
    "parts.data.uri": "address",
    "parts.data.label": "column",
    "parts.data.time": "column",
    "parts.data.id": "column",
    "parts.prepare.join.left": "address",
    "parts.prepare.join.right": "address",
    "parts.prepare.join.on": "column",
    "parts.prepare.drop_columns": "dropped",
    "parts.split.column": "column",
    "parts.split.at": "date",
    "parts.models": "model",
    "parts.train.value": "command",
    "parts.train.predict": "command",
    "parts.clauses.metric": "metric",
    "parts.clauses.class": "class",
    "parts.metrics": "formula",
}
"""Names, addresses, programs: in the text as they are, or as the lexicon knows them."""
CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "parts.task": ("task", "act"),
    "parts.rollout.strategy": ("strategy",),
    "parts.prepare.clean": ("clean", "cleanlist"),
    "parts.split.by": ("split",),
    "parts.search.method": ("search",),
    "parts.upkeep.retrain_on": ("retrain_on",),
    "environment": ("env",),
    "budget_per": ("per",),
    "placement.backend": ("backend",),
    "placement.spot": ("spot",),
    "parts.upkeep.watch": ("act",),
    "constraints": (),
}
"""Words of closed sets, and the readings of the lexicon that say them."""
FREE: Final[Mapping[str, str]] = {
    "parts.name": "ours where the text has none: it names nothing outside the contract",
    "parts.data.role": "says what a named data set is for",
    "parts.data.format": "follows from the address",
    "parts.objective.direction": "follows from the metric",
    "parts.prepare.join.how": "says how named tables are joined",
    "parts.train.kind": "follows from the program",
    "parts.clauses.id": "ours",
    "parts.clauses.op": "held to the metric's better direction",
    "parts.clauses.where": "ours",
    "parts.clauses.abort": "held to a word for rolling back",
    "parts.clauses.relative.to": "says what a clause is relative to",
    "parts.clauses.relative.kind": "says how the figure is meant",
    "assumptions.field": "ours",
    "assumptions.text": "ours",
    "questions.field": "ours",
    "questions.text": "ours",
}
"""Fields that nothing in the text needs to vouch for, and why."""
