"""What callers of a simulated endpoint send and are told, in bins: drawn anew when it is asked for, always the same.

Time is cut into slots. What a slot holds depends on the seed, the endpoint, the version and the slot alone, so that
nothing has to be kept, and a world that was killed tells the same when it is back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from statistics import NormalDist

from tools.backends.sim.state import State, Version
from tools.backends.sim.world import Requests
from tools.inputs import Binned, Inputs
from tools.recipes.reference import PREDICTION

SLOT_S = 60.0
BINS = 10
"""Quantile bins of a feature, besides below, above and missing."""
TAIL = 3.5
"""Standard deviations beyond which nothing was seen in training."""
_NORMAL = NormalDist()
_CUTS = (-TAIL, *(_NORMAL.inv_cdf(place / BINS) for place in range(1, BINS)), TAIL)


def inputs(state: State, endpoint: str, version: Version, *, start: float, since: float, until: float) -> Inputs:
    """The whole slots between two times in which the version had traffic, as its weight is now.

    `start`: when the world began, from which slots and the drift are counted.
    """
    requests, table = state.world.requests, state.world.table
    trained = _trained(state, version)
    if trained is None:
        return Inputs(version=version.spec.version, since=since, until=since, rows=0, watched=False)
    first = math.ceil((max(since, version.deployed) - start) / SLOT_S)
    last = math.floor((until - start) / SLOT_S)
    rows = round(requests.rows_per_s * SLOT_S * version.weight / 100)
    names = [f"x{number}" for number in range(1, table.features + 1)]
    learnt = _moved(requests, trained - start)
    served = {name: Counter[int]() for name in (*names, PREDICTION)}
    for slot in range(first, last) if rows else ():
        moved = _moved(requests, slot * SLOT_S)
        chance = state.draw("callers", endpoint, version.spec.version, str(slot))
        for place, name in enumerate(names):
            apart = requests.shift * (moved - learnt) if place < requests.features else 0.0
            served[name].update(bisect_right(_CUTS, chance.gauss(apart, 1.0)) for _ in range(rows))
        scores = (chance.gauss(requests.predictions * (moved - learnt), 1.0) for _ in range(rows))
        served[PREDICTION].update(_answer(score, len(table.classes)) for score in scores)
    count = max(0, last - first) * rows
    seen = state.world.table.rows
    return Inputs(
        version=version.spec.version,
        since=since,
        until=max(since, start + last * SLOT_S),
        rows=count,
        requests=count,
        watched=True,
        features=tuple(_feature(name, served[name], seen) for name in names),
        predictions=_prediction(served[PREDICTION], seen, len(table.classes)),
    )


def _trained(state: State, version: Version) -> float | None:
    """When the model was trained; None for one that no job of this world has made."""
    made = (j for j in state.jobs.values() if j.result is not None and j.result.get("digest") == version.digest)
    return min((job.starts for job in made), default=None)


def _moved(requests: Requests, at: float) -> float:
    """Share of the shift that is there so many seconds after the world's start."""
    if requests.drifts_at is None or at < requests.drifts_at:
        return 0.0
    return min(1.0, (at - requests.drifts_at) / requests.ramp_s) if requests.ramp_s else 1.0


def _feature(name: str, served: Counter[int], seen: int) -> Binned:
    missing = len(_CUTS) + 1
    share = [seen // BINS + (place < seen % BINS) for place in range(BINS)]
    return Binned(name=name, reference=(0, *share, 0, 0), served=tuple(served[place] for place in range(missing + 1)))


def _prediction(served: Counter[int], seen: int, classes: int) -> Binned | None:
    """Classes in equal shares at first, then any other answer, then none."""
    if classes < 2:
        return None
    share = [seen // classes + (place < seen % classes) for place in range(classes)]
    counts = tuple(served[place] for place in range(classes))
    return Binned(name=PREDICTION, reference=(*share, 0, 0), served=(*counts, 0, 0))


def _answer(score: float, classes: int) -> int:
    return min(classes - 1, int(_NORMAL.cdf(score) * classes))
