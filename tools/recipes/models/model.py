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
from tools.language import tr
from tools.recipes.card import CARD_FILE, MODEL_FILE, Card
from tools.recipes.models import artefact
from tools.recipes.models.encode import matrix

Columns = Mapping[str, Sequence[object]]
Predictions = list[str] | list[float]


class Model:
    """A frozen model. One row takes about a millisecond for linear models and gradient boosting."""

    def __init__(self, pipeline: Any, metadata: Card, digest: str) -> None:
        self._pipeline = pipeline
        self.metadata = metadata
        self.digest = digest
        """sha256 of the folder's content: what the server reports and the evaluator bound its number to."""
        # A second thread gains nothing on a few rows, and costs up to a second where another process has its core.
        self._threads = ThreadpoolController()
        self._known = pipeline[-1].classes_.astype(np.int64) if metadata.answers == "class" else None

    @property
    def estimator(self) -> Any:
        """The fitted pipeline, for a task that asks it in a way of its own."""
        return self._pipeline

    def predict(self, columns: Columns) -> Predictions:
        """Class names, numbers or texts; one per row. Raises Invalid with every fault of the columns."""
        return self.predict_rows(columns)[0]

    def probability(self, columns: Columns) -> NDArray[np.float64] | None:
        """Probabilities, shape [rows, classes], in the order of `metadata.classes`; None without classes."""
        return None if self._known is None else self._probability(self._matrix(columns), self._known)

    def predict_rows(self, columns: Columns) -> tuple[Predictions, list[list[float]] | None]:
        """Predictions and, for a classifier, probabilities in the order of `metadata.classes`.

        The predicted class is the most probable one. Raises Invalid with every fault of the columns.
        """
        rows = self._matrix(columns)
        if self._known is not None:
            probability = self._probability(rows, self._known)
            names = self.metadata.classes
            return [names[i] for i in probability.argmax(axis=1)], probability.tolist()
        with self._threads.limit(limits=1):
            found = self._pipeline.predict(rows)
        return [str(v) for v in found] if self.metadata.answers == "text" else [float(v) for v in found], None

    def _matrix(self, columns: Columns) -> NDArray[Any]:
        return matrix(columns, self.metadata.inputs, lowercase=self.metadata.lowercase)

    def _probability(self, rows: NDArray[Any], known: NDArray[np.int64]) -> NDArray[np.float64]:
        with self._threads.limit(limits=1):
            found: NDArray[np.float64] = self._pipeline.predict_proba(rows)
        if len(known) == len(self.metadata.classes):
            return found
        whole = np.zeros((len(rows), len(self.metadata.classes)))
        whole[:, known] = found
        return whole


def locate(folder: Path | str) -> Path:
    """The model folder itself, given it or the folder of the job that made it. NotFound when neither is one."""
    for place in (Path(folder), Path(folder) / "model"):
        if (place / CARD_FILE).is_file() and (place / MODEL_FILE).is_file():
            return place
    raise NotFound(
        tr(
            "{folder} holds no model: {model} and {card} are expected in it",
            folder=folder,
            model=MODEL_FILE,
            card=CARD_FILE,
        )
    )


def load(folder: Path | str) -> Model:
    """The model in a folder. NotFound when there is none, Refused when its file holds foreign types or is damaged."""
    place = locate(folder)
    try:
        card = Card.model_validate_json((place / CARD_FILE).read_bytes())
    except ValidationError as error:
        raise Refused(tr("{file} does not describe a model: {error}", file=place / CARD_FILE, error=error)) from error
    return Model(artefact.load(place / MODEL_FILE, card.family), card, digest(place))


def save(pipeline: Any, metadata: Card, folder: Path) -> Model:
    """Write a model folder and open it again: what is returned is what will be evaluated and served."""
    folder.mkdir(parents=True, exist_ok=True)
    artefact.save(pipeline, folder / MODEL_FILE)
    (folder / CARD_FILE).write_text(metadata.model_dump_json(indent=2), encoding="utf-8")
    return load(folder)
