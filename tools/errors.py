"""What can go wrong at a port, named by what the caller must do.

    ToolError
    ├── Transient      may pass: wait at least `retry_after_s`, then the same call again, as patiently as `why` says
    ├── Unknown        the effect may or may not have happened: look (`find`), never guess
    ├── Refused        not allowed here: do not try again, ask a person
    │   └── Superseded     another process owns the run now: end, and write nothing down
    ├── Conflict       it exists already: adopt it if it carries our call id
    ├── NotFound       it is not there: for a destroy that is success
    ├── Invalid        the arguments are wrong: every fault is listed
    └── Failed         the work itself failed for a typed cause

The first line of a docstring is the default message.
"""

from __future__ import annotations

from typing import Literal

from tools.language import tr

Cause = Literal[
    "out_of_memory_host",
    "out_of_memory_device",
    "preempted",
    "node_lost",
    "capacity",
    "quota",
    "image_pull",
    "data_missing",
    "data_invalid",
    "missing_dependency",
    "user_code_error",
    "disk_full",
    "network",
    "nccl",
    "diverged",
    "stalled",
    "timeout",
    "metric_short",
    "slo_breach",
    "drift",
    "permission",
    "unknown",
]
"""The closed set of causes a failure can have."""


Passing = Literal["throttled", "capacity", "network"]
"""Why a backend cannot answer now: it is asked too often, it has no room yet, or it was not reached."""


class ToolError(Exception):
    """A tool could not do what was asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])


class Transient(ToolError):
    """The backend cannot answer now; the same call may succeed later."""

    def __init__(self, message: str = "", *, retry_after_s: float = 1.0, why: Passing = "network") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.why: Passing = why


class Unknown(ToolError):
    """The backend did not say whether the effect happened."""


class Refused(ToolError):
    """The backend does not allow this call."""


class Superseded(Refused):
    """Another process owns the run now."""


class Conflict(ToolError):
    """Something with that name exists already."""


class NotFound(ToolError):
    """There is nothing with that name."""


class Invalid(ToolError):
    """The arguments are wrong."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Failed(ToolError):
    """The work ran and failed."""

    def __init__(self, message: str = "", *, cause: Cause = "unknown") -> None:
        super().__init__(message)
        self.cause = cause


def superseded(run: str) -> Superseded:
    """What an earlier owner is told."""
    return Superseded(tr("run {run} has been taken over by another process", run=run))
