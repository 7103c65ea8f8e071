"""Evidence as it was left: reading the full report of an evaluation back."""

from __future__ import annotations

import json

from tools.errors import Failed, NotFound
from tools.language import tr
from tools.record import Json, Record
from tools.tool import Done, Effect, Site, Tool

FILE = "evaluation.json"
LARGEST = 8 * 1024 * 1024


class ReadEvaluation(Record):
    key: str
    """Object key of the evidence that an evaluation left."""


class Evaluation(Record):
    """The report; None when it is gone."""

    document: Json | None


def _read(args: ReadEvaluation, site: Site) -> Done:
    try:
        path = site.backend.objects.fetch(f"{args.key}/{FILE}")
        if path.stat().st_size > LARGEST:
            raise Failed(
                tr("{key}/{file} is larger than {most} MiB", key=args.key, file=FILE, most=LARGEST >> 20),
                cause="data_invalid",
            )
        told = json.loads(path.read_text(encoding="utf-8"))
    except NotFound:
        told = None
    except ValueError as error:
        raise Failed(tr("{key}/{file} is not JSON", key=args.key, file=FILE), cause="data_invalid") from error
    return Done(result=Evaluation(document=told).model_dump(mode="json"))


read_evaluation = Tool(
    name="read_evaluation",
    does="Read the full report of an evaluation: per class, residuals, comparison, findings.",
    effect=Effect.READS,
    args=ReadEvaluation,
    result=Evaluation,
    judged=("key",),
    uses="objects",
    start=_read,
)
