"""What may be told of a run outside its journal: names from closed sets, counts and times, and where to read on.

No argument, result, message, path or word of a goal passes: a call is named by the line of the journal that holds it,
since the names of steps and parts may be somebody's words.
"""

from __future__ import annotations

import re

from agent.state import CallState, Run
from tools.catalogue import BY_NAME

OTHER = "other"
"""What is in none of the sets."""
_POLICY = re.compile(r"[a-z][a-z0-9_]{0,40}")
_MOST_POLICIES = 100


def tool(name: str) -> str:
    """The tool's name, where there is such a tool."""
    return name if name in BY_NAME else OTHER


def effect(name: str) -> str:
    """What the tool does to the world; what is not declared counts as `destroys`."""
    known = BY_NAME.get(name)
    return "destroys" if known is None else known.effect.value


def call(state: CallState, run: Run) -> str:
    """`RUN#LINE`: the line of the run's journal that holds the call's intent, else its verdict."""
    return f"{run.id}#{state.intended_seq or state.seq}"


def backend(run: Run) -> str:
    return run.stated.backend if run.stated is not None else OTHER


class Policies:
    """Names of policies: an operator writes them, so there are so many and no more, and none is a sentence."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def name(self, policy: str) -> str:
        if policy not in self._known:
            if len(self._known) >= _MOST_POLICIES or _POLICY.fullmatch(policy) is None:
                return OTHER
            self._known.add(policy)
        return policy
