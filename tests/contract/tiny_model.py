"""Writes the smallest model that can be served: `python tiny_model.py FOLDER`.

A program of its own, since the learning libraries have no place in the process of the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tools.recipes.card import Card, Input
from tools.recipes.models.encode import RawColumns
from tools.recipes.models.families import pipeline
from tools.recipes.models.model import save

INPUT = Input(name="x", datatype="FP64", kind="number")


def main(folder: Path) -> None:
    made = pipeline("linear_regression", "regression", {}, front=RawColumns(), seed=0)
    x = np.arange(20, dtype=np.float64)
    made.fit(x.reshape(-1, 1), 2 * x)
    card = Card(
        task="regression",
        label="y",
        answers="number",
        inputs=(INPUT,),
        family="linear_regression",
        params={},
        data_digest="0" * 64,
    )
    save(made, card, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
