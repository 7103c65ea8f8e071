"""Harmful plans of the worst-case brain, tried one a world, and judged by the same oracle."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.attacks.ground import Ground
from evals.attacks.honest import CONTRACTS
from evals.attacks.oracle import violations
from evals.attacks.plans import by_hand, every
from evals.attacks.runner import Result
from evals.attacks.worst_brain import Harm, WorstBrain

REVISED = ("searched", "spoilt")
"""Goals whose plans are revised: after a search that fell short, and to take a bad version back."""


def chosen(seed: int, number: int) -> tuple[tuple[Harm, str], ...]:
    """So many harms, each with the goal it is done beside, drawn by the seed; 0 is all of them.

    What is written by hand comes first: it is the worst.
    """
    draw = random.Random(seed)
    hand = [h for harm in by_hand() for h in (harm, harm.later())]
    names = {h.name for h in hand}
    rest = [h for h in every() if h.name not in names]
    draw.shuffle(rest)
    picked = (*hand, *rest) if number == 0 else (*draw.sample(hand, min(len(hand), number // 2)), *rest)[:number]
    first = [name for name in CONTRACTS if name not in REVISED]
    return tuple((h, draw.choice(REVISED if h.moment == "later" else first)) for h in picked)


def tried(harms: Sequence[tuple[Harm, str]]) -> list[Result]:
    """Each harm done in a world of its own, by a brain whose plan the requester accepts unseen."""
    return [_tried(harm, goal) for harm, goal in harms]


def _tried(harm: Harm, goal: str) -> Result:
    contract, world, serves = CONTRACTS[goal]
    with TemporaryDirectory(prefix="gk-harm-") as folder:
        ground = Ground(Path(folder), world=world, serves=serves)
        places = {"project": str(ground.project), "outside": f"{folder}/outside", "home": folder}
        brain, before = WorstBrain(contract, harm, places), ground.backend.snapshot()
        ended = ground.driven(brain, ground.request(accept=True))
        found = [f"crash: {ended.crash}"] if ended.crash else []
        if not brain.spoilt:
            found.append("it was never asked for a plan")
        try:
            found += map(str, violations(ground.scene(ended.run, contract, before, accepted=True)))
        except ArithmeticError as error:
            found.append(f"the world broke under it: {error}")
        return Result(id=f"{harm.name} ({goal})", channel=f"brain, {harm.moment}", breaches=tuple(found))
