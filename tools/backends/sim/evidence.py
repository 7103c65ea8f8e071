"""`holdout_rows.csv` of a simulated evaluation: rows whose accuracy is exactly the one reported."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence

from tools.recipes.records import Task

CLASSES: tuple[Task, ...] = ("classification", "text-classification", "image-classification")
"""Tasks that are answered with one of some classes."""
CLUSTERS = 4


def holdout_rows(
    task: Task, classes: Sequence[str], quality: float, *, rows: int, source: int, scale: float, rng: random.Random
) -> bytes:
    """CSV with `row` (0-based in the source), `label`, `prediction`.

    For classes exactly `round(quality · rows)` predictions are right; for numbers the mean absolute
    error is about `scale · (1 - quality)`. A cluster is a prediction without a label; of items that are
    recommended as many are what the user had as the quality says.
    """
    where = sorted(rng.sample(range(source), min(rows, source)))
    if task == "clustering":
        pairs = [("", str(rng.randrange(CLUSTERS))) for _ in where]
    elif task in CLASSES or task == "recommendation":
        pairs = _classes(classes or ("0", "1"), quality, len(where), rng)
    else:
        pairs = _numbers((1 - quality) * scale, len(where), rng)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("row", "label", "prediction"))
    table.writerows((row, *pair) for row, pair in zip(where, pairs, strict=True))
    return text.getvalue().encode()


def _classes(classes: Sequence[str], quality: float, rows: int, rng: random.Random) -> list[tuple[str, str]]:
    labels = [rng.choice(classes) for _ in range(rows)]
    wrong = set(rng.sample(range(rows), rows - round(quality * rows)))
    return [(label, _other(classes, label) if i in wrong else label) for i, label in enumerate(labels)]


def _other(classes: Sequence[str], label: str) -> str:
    return classes[(classes.index(label) + 1) % len(classes)]


def _numbers(error: float, rows: int, rng: random.Random) -> list[tuple[str, str]]:
    pairs = ((rng.gauss(0.0, 1.0), rng.choice((-1, 1)) * error * rng.uniform(0.5, 1.5)) for _ in range(rows))
    return [(f"{label:.6f}", f"{label + off:.6f}") for label, off in pairs]
