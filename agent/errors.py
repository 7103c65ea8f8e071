"""What ends a request, by the exit code it leads to.

GoalkeeperError
├── InvalidRequest   exit 2: every fault with its place and the way out
├── NoSuchRun        exit 2
├── NotTheirs        exit 4: somebody else has to answer
├── Busy             exit 5: another process owns the run
└── Broken           exit 5: the store or a backend failed
    └── OverLimit    an account has no room for what was to be reserved: judge anew
"""

from __future__ import annotations

from typing import Literal

from policies.faults import Fault as Fault

ExitCode = Literal[0, 1, 2, 3, 4, 5, 130]


class GoalkeeperError(Exception):
    """Goalkeeper could not go on."""

    exit_code: ExitCode = 5


class InvalidRequest(GoalkeeperError):
    """The request is invalid."""

    exit_code: ExitCode = 2

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(f) for f in faults))
        self.faults = faults


class NoSuchRun(GoalkeeperError):
    """There is no run with that id."""

    exit_code: ExitCode = 2


class NotTheirs(GoalkeeperError):
    """Somebody else has to answer: the question stays open."""

    exit_code: ExitCode = 4


class Busy(GoalkeeperError):
    """Another process drives this run."""


class Broken(GoalkeeperError):
    """The store or a backend failed."""


class OverLimit(Broken):
    """An account has no room for a reservation: another run was faster. What was to be stored was not; judge anew."""
