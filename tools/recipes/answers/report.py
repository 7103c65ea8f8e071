"""The full evaluation as one JSON document: every number, what the answer shows of itself, and how it was made."""

from __future__ import annotations

import json

from tools.recipes.answers.answer import Answer
from tools.recipes.answers.intervals import method
from tools.recipes.records import EvaluateArgs, EvaluateResult

FILE = "evaluation.json"


def text(args: EvaluateArgs, result: EvaluateResult, answer: Answer) -> str:
    """The document, indented, keys in a fixed order."""
    document = {
        "task": args.task,
        "label": args.label,
        "rows": result.rows,
        "dropped": result.dropped,
        "units": answer.units,
        "measured": [
            value.model_dump() | {"interval": method(measure, answer)}
            for measure, value in zip(args.measures, result.measured, strict=True)
        ],
        "compared": [compared.model_dump() for compared in result.compared],
        "formulas": dict(args.formulas),
        "resamples": args.resamples,
        "seed": args.seed,
        **answer.section(),
        "findings": list(result.findings),
        "digests": dict(result.digests),
    }
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
