"""A trained model as evaluator and server use it: raw columns in, predictions and probabilities out.

`load` is the one way to it; the file behind it is checked before anything in it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from threadpoolctl import ThreadpoolController

from tools.digest import digest
from tools.errors import NotFound, Refused
from tools.recipes import artefact
from tools.recipes.card import CARD_FILE, MODEL_FILE, Card
from tools.recipes.encode import matrix

Columns = Mapping[str, Sequence[object]]


class Model:
    """A frozen model. One row takes about a millisecond for linear models and gradient boosting."""

    def __init__(self, pipeline: Any, metadata: Card, digest: str) -> None:
        self._pipeline = pipeline
        self.metadata = metadata
        self.digest = digest
        """sha256 of the folder's content: what the server reports and the evaluator bound its number to."""
        # A second thread gains nothing on a few rows, and costs up to a second where another process has its core.
        self._threads = ThreadpoolController()
        self._known = pipeline[-1].classes_.astype(np.int64) if metadata.classes else None

    def predict(self, columns: Columns) -> list[str] | list[float]:
        """Class names, or numbers; one per row. Raises Invalid with every fault of the columns."""
        return self.predict_rows(columns)[0]

    def probability(self, columns: Columns) -> NDArray[np.float64] | None:
        """Probabilities, shape [rows, classes], in the order of `metadata.classes`; None for regression."""
        return self._probability(self._matrix(columns)) if self.metadata.classes else None

    def predict_rows(self, columns: Columns) -> tuple[list[str] | list[float], list[list[float]] | None]:
        """Predictions and, for a classifier, probabilities in the order of `metadata.classes`.

        The predicted class is the most probable one. Raises Invalid with every fault of the columns.
        """
        rows = self._matrix(columns)
        if not self.metadata.classes:
            with self._threads.limit(limits=1):
                return [float(v) for v in self._pipeline.predict(rows)], None
        probability = self._probability(rows)
        names = self.metadata.classes
        return [names[i] for i in probability.argmax(axis=1)], probability.tolist()

    def _matrix(self, columns: Columns) -> NDArray[Any]:
        return matrix(columns, self.metadata.inputs, lowercase=self.metadata.lowercase)

    def _probability(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        with self._threads.limit(limits=1):
            found: NDArray[np.float64] = self._pipeline.predict_proba(rows)
        if self._known is None or len(self._known) == len(self.metadata.classes):
            return found
        whole = np.zeros((len(rows), len(self.metadata.classes)))
        whole[:, self._known] = found
        return whole


def locate(folder: Path | str) -> Path:
    """The model folder itself, given it or the folder of the job that made it. NotFound when neither is one."""
    for place in (Path(folder), Path(folder) / "model"):
        if (place / CARD_FILE).is_file() and (place / MODEL_FILE).is_file():
            return place
    raise NotFound(f"{folder} holds no model: {MODEL_FILE} and {CARD_FILE} are expected in it")


def load(folder: Path | str) -> Model:
    """The model in a folder. NotFound when there is none, Refused when its file holds foreign types or is damaged."""
    place = locate(folder)
    try:
        card = Card.model_validate_json((place / CARD_FILE).read_bytes())
    except ValidationError as error:
        raise Refused(f"{place / CARD_FILE} does not describe a model: {error}") from error
    return Model(artefact.load(place / MODEL_FILE, card.family), card, digest(place))


def save(pipeline: Any, metadata: Card, folder: Path) -> Model:
    """Write a model folder and open it again: what is returned is what will be evaluated and served."""
    folder.mkdir(parents=True, exist_ok=True)
    artefact.save(pipeline, folder / MODEL_FILE)
    (folder / CARD_FILE).write_text(metadata.model_dump_json(indent=2), encoding="utf-8")
    return load(folder)
