"""Law 4 under thousands of interleavings: nothing outlives its lease, nobody else is ended, nothing is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from lease_machine_local import LeaseMachine as OneMachine
from lease_machine_sim import LeaseMachine as World

SAMPLE = settings(
    max_examples=100,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(SAMPLE, max_examples=400, stateful_step_count=50, derandomize=False)


@pytest.mark.parametrize("machine", [OneMachine, World], ids=["one machine", "simulated world"])
def test_leases_hold_in_a_sample_of_interleavings(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=SAMPLE)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("machine", [OneMachine, World], ids=["one machine", "simulated world"])
def test_leases_hold_in_thousands_of_steps(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=MANY)
