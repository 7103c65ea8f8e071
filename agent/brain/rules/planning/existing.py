"""Goals about things that exist: the models that exist, and what work would cost."""

from __future__ import annotations

from agent import estimate, search
from agent.brain.rules.planning import comparing, serving
from agent.brain.rules.planning.draft import Draft
from agent.plan import NOTHING, Range
from tools.record import Json


def find(d: Draft) -> tuple[str, ...]:
    """The existing models that the part is about."""
    return serving.find(d) if d.part.task == "deploy" else comparing.find_all(d)


def quote(d: Draft) -> tuple[str, ...]:
    """What the work would cost where it could run; nothing is started."""
    place = d.contract.placement
    seconds = _machine_time(d)
    args: Json = {
        "seconds_low": None if seconds is None else seconds.low,
        "seconds_high": None if seconds is None else seconds.high,
        "gpu": place.gpu,
        "gpu_count": place.gpu_count,
        "gpu_memory_gb": place.gpu_memory_gb,
        "cpus": place.cpus,
        "memory_gb": place.memory_gb,
        "spot": place.spot,
        "regions": list(place.regions),
        "instance_types": list(place.instance_types),
    }
    return (d.add("quote", "quote_cost", args),)


def _machine_time(d: Draft) -> Range | None:
    """How long machines would be busy: as the goal says, else by the size of its data. None: nobody can tell."""
    if d.contract.deadline_s is not None:
        return Range(low=d.contract.deadline_s, high=d.contract.deadline_s)
    families = search.families(d.part, 0, d.survey)
    if not estimate.known_size(d.survey, d.part) or any(f not in search.FAMILIES for f in families):
        return None
    trials = search.trials(d.part, 0, d.survey)
    tunes = [d.takes("tune_model", family=family, trials=trials) for family in families]
    every = (d.takes("prepare_data"), *tunes, d.takes("evaluate_model"))
    return sum([time.seconds for time in every], start=NOTHING)
