"""What a step will take: seconds by rule of thumb, money by the price of where it runs.

The rules of thumb are for one processor core of a laptop and are meant to hold within a factor of a
few; the hard limit on every step, not the estimate, bounds what can be spent. Where comparable work is
known, `agent.memory` corrects the rules by what that took.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import assert_never, get_args

from agent.contract import Part
from agent.learning import main_table, task_of
from agent.past import MOST, Sized, Work
from agent.plan import Estimate, Range
from agent.survey import Survey
from tools.recipes.records import Family

START_S = 1.5
"""Start of a job's process with its libraries."""
SECONDS_PER_CELL = {
    "logistic_regression": 4e-6,
    "linear_regression": 1e-6,
    "ridge": 1e-6,
    "lasso": 4e-6,
    "random_forest": 4e-5,
    "gradient_boosting": 2e-5,
    "decision_tree": 4e-6,
    "svm": 1e-4,
    "knn": 1e-5,
    "naive_bayes": 1e-6,
    "mlp": 1e-4,
    "kmeans": 1e-5,
    "exponential_smoothing": 2e-5,
    "item_knn": 1e-5,
    "matrix_factorization": 2e-5,
}
"""Per trial and cell (row × column) of the training part."""
SECONDS_PER_ROW = {"text-classification": 1e-3, "image-classification": 3e-3}
"""Per trial and row where a row is a text or an image, whatever the family."""
PER_TRIAL_S = 0.06
COMMAND_S = Range(low=1.0, high=600.0)
"""A user's own program."""
UNKNOWN_ROWS, UNKNOWN_COLUMNS = 10_000, 20
SPREAD = 4.0
"""High over low of a computed duration."""
LIMIT_FACTOR = 4.0
SHORTEST_LIMIT_S = 120.0
MICRO = 1_000_000


def size(survey: Survey, uri: str | None) -> tuple[int, int]:
    """Rows and columns as far as they are known."""
    facts = survey.data.get(uri or "")
    if facts is None or facts.profile is None:
        return UNKNOWN_ROWS, UNKNOWN_COLUMNS
    return max(1, facts.profile.rows), max(1, len(facts.profile.columns))


def known_size(survey: Survey, part: Part) -> bool:
    """Whether the size of the part's data is known rather than guessed."""
    facts = survey.data.get(_main(part) or "")
    return facts is not None and facts.profile is not None


def _main(part: Part) -> str | None:
    main = main_table(part)
    return None if main is None else main.uri


def work(
    survey: Survey, part: Part, tool: Sized, *, family: str | None = None, trials: int = 0, command: Sequence[str] = ()
) -> Work:
    """What a tool is to do for a part, as far as its time depends on it."""
    rows, columns = size(survey, _main(part))
    return Work(
        tool=tool,
        task=task_of(part, survey),
        family=next((known for known in get_args(Family) if known == family), None),
        rows=min(rows, MOST),
        columns=min(columns, MOST),
        trials=min(trials, MOST),
        program=hashlib.sha256(json.dumps(list(command)).encode()).hexdigest() if command else "",
        place=survey.place,
    )


def seconds(work: Work) -> Range:
    """How long it takes, by rule of thumb alone. Nobody can tell of a user's own program."""
    return COMMAND_S if work.tool == "launch_training" else around(typical_s(work))


def typical_s(work: Work) -> float:
    """The middle of what the rule of thumb says."""
    cells = work.rows * work.columns
    match work.tool:
        case "prepare_data":
            return START_S + cells / 2e6
        case "tune_model":
            each = SECONDS_PER_CELL.get(work.family or "", 4e-5) * work.columns + SECONDS_PER_ROW.get(work.task, 0.0)
            return START_S + 1.0 + work.trials * (PER_TRIAL_S + each * work.rows)
        case "evaluate_model":
            return START_S + 1.0 + cells / 1e6
        case "launch_training":
            return 25.0
        case _:
            assert_never(work.tool)


def exactly(seconds: float, slack: float = 3.0) -> Range:
    """A wait that is known, and what its start and end may add."""
    return Range(low=seconds, high=seconds + slack)


def around(seconds: float, spread: float = SPREAD) -> Range:
    """A span with that high over low whose geometric middle this is."""
    return Range(low=round(seconds / spread**0.5, 2), high=round(seconds * spread**0.5, 2))


def limit_s(seconds: Range, deadline_s: float | None) -> float:
    """The hard limit of a step: several times its high estimate, and never past the deadline."""
    high = seconds.high if seconds.high is not None else SHORTEST_LIMIT_S
    limit = max(SHORTEST_LIMIT_S, LIMIT_FACTOR * high)
    return round(min(limit, deadline_s) if deadline_s is not None else limit, 1)


def cost(seconds: Range, survey: Survey) -> Range:
    """Money for that long where it would run; unknown when the price is."""
    if survey.usd_micro_per_hour is None:
        return Range(low=0.0, high=None)
    price = survey.usd_micro_per_hour / MICRO / 3600.0
    return Range(
        low=None if seconds.low is None else round(seconds.low * price, 6),
        high=None if seconds.high is None else round(seconds.high * price, 6),
    )


def estimate(seconds: Range, survey: Survey) -> Estimate:
    return Estimate(usd=cost(seconds, survey), seconds=seconds)
