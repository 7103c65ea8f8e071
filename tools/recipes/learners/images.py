"""Classification of images: a column of encoded pictures, with whatever stands beside it; or a table of pixels."""

from __future__ import annotations

from tools.language import tr
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners import supervised, table
from tools.recipes.learners.learner import Learner, Recipe
from tools.recipes.models.pixels import Pixels, open_picture
from tools.recipes.parts import Part
from tools.recipes.records import TrainArgs

_SHOWN = 10


def learner(args: TrainArgs, train: Part, validation: Part) -> Learner:
    """The rows of both parts as the endpoint would get them. BadInput with every picture that cannot be opened."""
    inputs = table.inputs_of(train.features, validation.features)
    images = [i for i, item in enumerate(inputs) if item.kind == "image"]
    if not images:
        return table.learner(args, train, validation)
    _require_pictures([inputs[i].name for i in images], {"training": train, "validation": validation})
    category = [i for i, item in enumerate(inputs) if item.kind == "category"]
    front = Pixels(images=images, category=category, clip="clip_outliers" in args.clean)
    return supervised.Supervised(args, train, validation, inputs=inputs, front=front)


def _require_pictures(names: list[str], parts: dict[str, Part]) -> None:
    faults = []
    for name in names:
        for part, rows in parts.items():
            for row, cell in enumerate(rows.features[name]):
                try:
                    open_picture(cell) if cell else None
                except ValueError as error:
                    place = tr("column {name!r}, {part} row {row}", name=name, part=part, row=row)
                    faults.append(
                        Fault(place=place, problem=str(error), fix=tr("replace the picture, or leave it out"))
                    )
    if faults:
        raise BadInput(faults[:_SHOWN])


CLASSES = Recipe(
    answers="class",
    learner=learner,
    answer=supervised.answer,
    baseline=supervised.baseline,
    tripwires=supervised.tripwires,
)
