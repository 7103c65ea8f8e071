"""Random goals made of the examples' own words: the beginning of one with conditions of others, English and Chinese.

They name data that are there, so that much of what is asked can be done, whatever a model makes of it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from random import Random

import yaml

from evals.fields import language

_HERE = Path(__file__).parent
CORPORA = ("goals.jsonl", "plain.jsonl", "wide.jsonl", "outside.jsonl")
"""Those that may be looked at: what is held back stays so."""
HEADS = {
    "en": (
        "Classify sklearn:breast_cancer with at least 90% accuracy",
        "Classify sklearn:breast_cancer, accuracy at least 0.945",
        "Train a classifier on sklearn:wine, accuracy at least 0.8, deploy it as wines with a canary, p95 under 80 ms",
        "Classify sklearn:breast_cancer, accuracy above 0.9, deploy it blue/green as tumours, p95 under 80 ms",
        "Train a classifier on sklearn:breast_cancer, accuracy of at least 0.9",
        "Classify sklearn:breast_cancer, accuracy at least 92%, deploy it as tumours with a canary, p95 under 80 ms",
        "Train a logistic regression on own.csv, label target, accuracy above 0.7, do not deploy",
        "Roll back the endpoint tumours",
        "Why is the endpoint tumours slow? Fix it",
        "Scale the endpoint tumours to half the replicas if p95 under 80 ms allows it",
        "Train a classifier on sklearn:breast_cancer, accuracy at least 0.9, in the cheapest region there is",
    ),
    "zh": (
        "用 sklearn:breast_cancer 训练一个分类器，准确率不低于 90%",
        "用 sklearn:breast_cancer 训练分类模型，准确率至少 0.92，金丝雀发布为 tumours，p95 低于 80 毫秒",
        "用 own.csv 训练一个分类模型，标签列 target，准确率不低于 70%，不要部署",
        "tumours 为什么变慢了？请修复",
    ),
}
"""Beginnings that can be carried out on the simulated world."""
RIDERS = {
    "en": ("spend at most $20", "keep it up for two minutes", "10 trials", "error rate under 1 %", "within 2 hours"),
    "zh": ("预算不超过 20 美元", "保留两分钟", "最多 10 次试验", "错误率低于 1%", "两小时内完成"),
}
"""Conditions that go with most of them."""
THERE = ("sklearn:breast_cancer", "own.csv", "sub/own.csv", "sklearn:wine")
_FILE = re.compile(r"(?:[\w./-]+\.(?:csv|parquet|tsv|jsonl)|(?:s3|gs|https?)://[^\s,，。;；]+)")
_STOPS = re.compile(r"(?<=[,;.])\s+|(?<=[，。；])")
_SHARE_WHOLE, _SHARE_MIXED, _SHARE_FITTING = 0.2, 0.15, 0.6
_LONGEST = 600


def goals(seed: int, number: int) -> tuple[str, ...]:
    """So many texts, the same for the same seed."""
    return tuple(_goal(Random(f"{seed}:{n}")) for n in range(number))


def _goal(draw: Random) -> str:
    tongue = draw.choice(("en", "en", "zh"))
    said = _said()
    if draw.random() < _SHARE_WHOLE:
        return _there(draw.choice(said[tongue]), draw)[:_LONGEST]
    head = draw.choice(HEADS[tongue])
    riders = []
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        if draw.random() < _SHARE_FITTING:
            riders.append(draw.choice(RIDERS[tongue]))
            continue
        other = draw.choice(("en", "zh")) if draw.random() < _SHARE_MIXED else tongue
        parts = _STOPS.split(draw.choice(said[other]))
        riders.append(_there(draw.choice(parts), draw).strip(" ,;.，。；"))
    joint = "，" if tongue == "zh" else ", "
    return joint.join([head, *filter(None, riders)])[:_LONGEST]


def _there(text: str, draw: Random) -> str:
    """Most data that a text names replaced by data that are there."""
    return _FILE.sub(lambda found: draw.choice(THERE) if draw.random() < 0.8 else found[0], text)


@cache
def _said() -> dict[str, tuple[str, ...]]:
    """The texts of corpora and example goals, by language."""
    lines = [line for name in CORPORA for line in (_HERE / "corpus" / name).read_text(encoding="utf-8").splitlines()]
    texts = [str(json.loads(line)["text"]) for line in lines]
    texts += [
        str(yaml.safe_load(p.read_text(encoding="utf-8"))["goal"]) for p in sorted((_HERE / "goals").glob("*.yaml"))
    ]
    return {tongue: tuple(t for t in texts if language(t) == tongue) for tongue in ("en", "zh")}
