"""Writes a model's reference: the bins of its features on the training part, and of its predictions on validation.

Never sees the holdout. Bins that are chosen by what is frequent are counted on other rows than they were chosen on:
on the same rows, what was frequent by chance would look as if it always were, and every later window as if drifted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tools.recipes.binning import binned, length_of, level, number_of, text_of, tokens, unseen_of
from tools.recipes.card import Card, Input
from tools.recipes.models.model import Model
from tools.recipes.parts import Part, endpoint_columns
from tools.recipes.reference import PREDICTION, REFERENCE_FILE, SKETCHES_MOST, Bins, Reference, Sketch, Unwatched

ROWS_LEAST = 50
"""With fewer rows nothing is watched."""
ROWS_MOST, CELLS_MOST = 20_000, 4_000_000
"""Rows that are counted, drawn by chance: more would tell a window of some hundred rows nothing."""
QUANTILES = 10
LEVELS_MOST, LEVEL_SHARE = 20, 0.01
TOKENS_MOST = 2000
PROSE = 20
"""Mean length from which on a column whose values do not repeat is a text."""
_COVERED = 0.2
"""Share of the rows that levels with a bin of their own must have."""
_ATOM = 0.05
_SPREAD = 3
"""A whole number that never repeats, on a range at most so many times as long as its rows, counts something up."""


def write(card: Card, pipeline: object, train: Part, validation: Part, folder: Path) -> None:
    """Write `reference.json` into the model folder, where there are rows enough for one."""
    if train.features.height < ROWS_LEAST:
        return
    made = reference(card, train.features, prediction=_predictions(card, pipeline, validation.features))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REFERENCE_FILE).write_text(made.model_dump_json(), encoding="utf-8")


def reference(card: Card, features: pl.DataFrame, *, prediction: Bins | None) -> Reference:
    """The bins of every feature that can be watched, and why the others are not."""
    rows = _some(features, min(ROWS_MOST, CELLS_MOST // max(1, len(card.inputs))))
    columns = endpoint_columns(rows, card.inputs)
    made: list[Bins] = []
    unwatched: dict[str, Unwatched] = {}
    for one in card.inputs:
        found = _sketches(one, columns[one.name], lowercase=card.lowercase)
        if isinstance(found, str):
            unwatched[one.name] = found
        elif len(made) + len(found) > SKETCHES_MOST - 1:
            unwatched[one.name] = "too_many"
        else:
            made += found
    return Reference(features=tuple(made), prediction=prediction, unwatched=unwatched)


def _some(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    if frame.height <= most:
        return frame
    return frame[sorted(random.Random(0).sample(range(frame.height), most))]


def _halves(values: Sequence[object]) -> tuple[Sequence[object], Sequence[object]]:
    """By chance, always the same: every second row would be a trap where rows take turns."""
    order = random.Random(0).sample(range(len(values)), len(values))
    middle = len(values) // 2
    return [values[row] for row in order[:middle]], [values[row] for row in order[middle:]]


def _sketches(one: Input, values: Sequence[object], *, lowercase: bool) -> list[Bins] | Unwatched:
    """The sketches of one column, or why it has none."""
    match one.kind:
        case "time":
            return "time"
        case "image":
            return "image"
        case "number" | "integer" | "boolean":
            return "counter" if _counts_up(one, values) else [numbers(one.name, values)]
        case "text":
            return texts(one.name, values, lowercase=lowercase)
        case "category":
            return _category(one.name, values, lowercase=lowercase)


def _category(name: str, values: Sequence[object], *, lowercase: bool) -> list[Bins] | Unwatched:
    found = levels(name, values, lowercase=lowercase)
    known = [text for text in map(text_of, values) if text is not None]
    other, missing = found.counts[-2:]
    if not known or other <= (1 - _COVERED) * (sum(found.counts) - missing):
        return [found]
    if sum(map(len, known)) >= PROSE * len(known):
        return texts(name, values, lowercase=lowercase)
    return "unique"


def numbers(name: str, values: Sequence[object]) -> Bins:
    """Bins between the quantiles; a value that is often the largest has a bin of its own."""
    known = sorted(number for number in map(number_of, values) if number is not None)
    return _counted(_empty(name, "value", _edges(known)), values)


def _edges(known: Sequence[float]) -> tuple[float, ...]:
    if not known:
        return ()
    distinct = sorted(set(known)) if len(set(known)) <= 2 * QUANTILES else []
    cuts = distinct or sorted({known[place * (len(known) - 1) // QUANTILES] for place in range(QUANTILES + 1)})
    heavy = sum(value == cuts[-1] for value in known) > _ATOM * len(known)
    return tuple(float(cut) for cut in ([*cuts, cuts[-1]] if heavy or len(cuts) == 1 else cuts))


def levels(name: str, values: Sequence[object], *, lowercase: bool = False, known: Sequence[str] = ()) -> Bins:
    """Bins of frequent levels: chosen on one half of the rows and counted on the other, unless they are known."""
    chosen = [level(text.strip()) for text in known[:LEVELS_MOST]]
    rest = values
    if not known:
        first, rest = _halves(values)
        often = Counter(text.lower() if lowercase else text for text in map(text_of, first) if text is not None)
        enough = LEVEL_SHARE * len(first)
        chosen = [level(text) for text, count in often.most_common(LEVELS_MOST) if count >= enough]
    empty = Bins(name=name, levels=tuple(chosen), lowercase=lowercase, counts=(0,) * (len(chosen) + 2))
    return _counted(empty, rest)


def texts(name: str, values: Sequence[object], *, lowercase: bool) -> list[Bins]:
    """Length in characters, and the share of tokens that are not frequent in the other half of the rows."""
    first, rest = _halves(values)
    often = Counter(t for text in map(text_of, first) if text for t in tokens(text, lowercase=lowercase))
    seen = frozenset(level(token) for token, _ in often.most_common(TOKENS_MOST))
    unseen = _empty(name, "unseen", ()).model_copy(update={"tokens": tuple(sorted(seen)), "lowercase": lowercase})
    shares = (unseen_of(text, seen, lowercase=lowercase) for text in rest)
    cuts = _edges(sorted(share for share in shares if share is not None))
    lengths = _edges(sorted(length for length in map(length_of, values) if length is not None))
    return [
        _counted(_empty(name, "length", lengths), values),
        _counted(unseen.model_copy(update={"edges": cuts}), rest),
    ]


def _empty(name: str, of: Sketch, edges: tuple[float, ...]) -> Bins:
    return Bins(name=name, of=of, edges=edges, counts=(0,) * (len(edges) + 2))


def _counted(bins: Bins, values: Sequence[object]) -> Bins:
    counts = Counter(binned(bins, values))
    return bins.model_copy(update={"counts": tuple(counts[place] for place in range(bins.size))})


def _counts_up(one: Input, values: Sequence[object]) -> bool:
    known = [number for number in map(number_of, values) if number is not None]
    if one.kind != "integer" or len(known) < ROWS_LEAST or len(set(known)) < len(known):
        return False
    return max(known) - min(known) <= _SPREAD * len(known)


def _predictions(card: Card, pipeline: object, features: pl.DataFrame) -> Bins | None:
    """What the model answers on the validation part, as an endpoint would; None where answers are lists of items."""
    if card.task == "recommendation" or features.height < ROWS_LEAST:
        return None
    rows = _some(features, ROWS_MOST)
    told = Model(pipeline, card, digest="").predict_rows(endpoint_columns(rows, card.inputs))[0]
    if card.answers == "number":
        return numbers(PREDICTION, told)
    return levels(PREDICTION, told, known=card.classes)
