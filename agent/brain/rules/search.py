"""The hyper-parameter search a goal asks for: method and number of trials."""

from __future__ import annotations

from agent.brain.rules.reading import Reading
from agent.contract import Search


def search(reading: Reading) -> Search | None:
    """None if the goal names neither a method nor a number of trials."""
    methods = [reading[n].readings["search"] for n in reading.where("search") if not reading.negated(n)]
    trials: int | None = None
    for at in reading.dims("trial"):
        reading.claim(at)
        trials = trials or int(reading[at].number or 0) or None
    if not methods and trials is None:
        return None
    return Search.model_validate({"method": methods[0] if methods else None, "trials": trials})
