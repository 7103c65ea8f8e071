"""Why a reaction came to what it came to: by the clause that decided it, and no other."""

from __future__ import annotations

import pytest
from test_state_fold import REPORT

from agent.documents import ClauseVerdict
from agent.standing.issue import _why
from agent.standing.reaction import NO_WORSE


@pytest.mark.parametrize(
    ("came", "verdict", "why"),
    [
        ("kept", "NOT MET", "f1: by a little"),
        ("kept", "MET", "the canary was slow"),
        ("promoted", "MET", "f1: by a little"),
    ],
)
def test_a_model_that_was_better_and_not_kept_is_told_with_what_stopped_it(came: str, verdict: str, why: str) -> None:
    beside = ClauseVerdict.model_validate(
        {"part": "m", "id": NO_WORSE, "metric": "f1", "demanded": "f1", "verdict": verdict, "note": "by a little"}
    )
    report = REPORT.model_copy(update={"clauses": (beside,), "reason": "the canary was slow"})
    assert _why(came, report) == why  # type: ignore[arg-type]
