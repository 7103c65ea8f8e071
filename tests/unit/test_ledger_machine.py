"""The ledger under everything that may happen to it, and under bugs that the machine must find."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from ledger_bugs import BUGS, planted
from ledger_model import SAMPLE, LedgerMachine

from agent.errors import Broken

HUNT = settings(SAMPLE, max_examples=400, phases=(Phase.generate,), report_multiple_bugs=False)
"""Until the bug is found; what exactly led to it is not of interest."""


def test_no_interleaving_breaks_the_ledger() -> None:
    run_state_machine_as_test(LedgerMachine, settings=SAMPLE)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_interleaving_breaks_the_ledger_in_thousands_of_steps() -> None:
    thousands = settings(SAMPLE, max_examples=400, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(LedgerMachine, settings=thousands)


QUICK = (
    "nothing bounds an account",
    "the account of the month is skipped",
    "a settlement counts as often as it is told",
    "a release forgets the reservation",
    "an overrun is hidden",
    "limits are not passed on",
    "bills are cut to what was reserved",
    "a threshold is said twice",
    "a process that was replaced writes on",
)
"""One of each kind, in every `make test`."""


@pytest.mark.parametrize("bug", [b if b in QUICK else pytest.param(b, marks=pytest.mark.slow) for b in BUGS])
def test_a_planted_bug_is_found(bug: str) -> None:
    with pytest.raises((AssertionError, Broken)):
        run_state_machine_as_test(planted(bug), settings=HUNT)
