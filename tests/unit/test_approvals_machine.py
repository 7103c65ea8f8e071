"""Approvals, in thousands of interleavings of asking, answering, denying, planting, revising, waiting and dying."""

from __future__ import annotations

import pytest
from approvals_model import ApprovalsMachine
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

SAMPLE = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def test_no_interleaving_lets_a_call_through_that_nobody_approved() -> None:
    run_state_machine_as_test(ApprovalsMachine, settings=SAMPLE)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_interleaving_lets_a_call_through_in_thousands_of_runs() -> None:
    thousands = settings(SAMPLE, max_examples=6000, stateful_step_count=50, derandomize=False)
    run_state_machine_as_test(ApprovalsMachine, settings=thousands)
