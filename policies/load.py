"""The policies in force: the shipped ones, or those of a user's folder in their place."""

from __future__ import annotations

from pathlib import Path

from policies.engine import Policies
from policies.faults import PolicyFaults
from policies.folder import read_folder
from policies.judge import CedarPolicies


def load_policies(folder: Path | None = None) -> Policies:
    """The shipped policies and limits; of a folder, its `limits.yaml` and its `*.cedar` files in their place.

    PolicyFaults names everything that is wrong with a folder, whichever file it is in. The shipped ones are checked
    by tests, and parsed when the first call is judged.
    """
    found = read_folder(folder)
    if folder is not None:
        from policies.check import faults_of  # a set that was never checked pays for it

        if faults := faults_of(found):
            raise PolicyFaults(*faults)
    assert found.limits is not None
    return CedarPolicies(found.texts, found.limits)
