"""Stage 8, diagnose: what a typed failure means for the next attempt. A cause comes from a closed set."""

from __future__ import annotations

from tools.errors import Cause

_MAY_PASS: frozenset[Cause] = frozenset({"node_lost", "preempted", "network", "capacity"})


def repeatable(cause: Cause | None) -> bool:
    """The same call may succeed later: what failed was not the work itself."""
    return cause in _MAY_PASS


WORDS: dict[Cause, str] = {
    "out_of_memory_host": "the job needed more memory than there is",
    "out_of_memory_device": "the model did not fit the device's memory",
    "preempted": "the machine was taken back",
    "node_lost": "the process or machine went away",
    "capacity": "there was no capacity",
    "quota": "a quota was exceeded",
    "image_pull": "the image could not be pulled",
    "data_missing": "the data is not there",
    "data_invalid": "the data cannot be used as it is",
    "missing_dependency": "a package is missing",
    "user_code_error": "the program failed",
    "disk_full": "the disk is full",
    "network": "the network or the backend did not answer",
    "nccl": "the devices could not talk to each other",
    "diverged": "the loss was not finite",
    "stalled": "nothing progressed",
    "timeout": "the time limit was reached",
    "metric_short": "the metric stayed short of what is demanded",
    "slo_breach": "the live service broke a clause",
    "drift": "the data has drifted",
    "permission": "it is not allowed here",
    "unknown": "the cause is not known",
}
