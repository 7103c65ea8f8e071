"""Goals about things that exist: the models that exist, and what work would cost."""

from __future__ import annotations

from agent import estimate, learning, search
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
    main = learning.main_table(d.part)
    facts = d.survey.data.get(main.uri) if main is not None else None
    if facts is None or facts.profile is None or any(f not in search.FAMILIES for f in families):
        return None
    size, trials = d.size(), search.trials(d.part, 0, d.survey)
    tunes = [estimate.tune_s(family, trials, *size, task=d.task) for family in families]
    return sum([estimate.prepare_s(*size), *tunes, estimate.evaluate_s(*size)], start=NOTHING)
