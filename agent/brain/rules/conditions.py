"""Conditions around a demand: whether a sentence holds one, and whether a change rolls back. It knows no metric."""

from __future__ import annotations

from agent.brain.rules.reading import Reading


def conditional(reading: Reading, at: int) -> bool:
    """Whether something in the sentence of that place happens on a condition."""
    return reading.sentence_has(at, "cond", "if", "unless", "otherwise") or reading.sentence_has(at, "cond", "then")


def abort_verbs(reading: Reading, at: int) -> list[int]:
    """Wanted verbs of rolling back in the sentence of that place."""
    return [n for n in reading.in_sentence(at) if reading[n].means("abort") and not reading.negated(n)]


def as_alternative(reading: Reading, verb: int) -> bool:
    """`p95 under 150 ms or back out`, `…, or it is rolled back`."""
    before = [e for n in range(verb - 1, verb - 4, -1) if (e := reading.get(n)) is not None]
    return any(e.means("and", "or") for e in before)


def change_rolls_back(reading: Reading, at: int) -> bool:
    """`revert if CTR drops by more than 5 %`: a change against what runs is a reason to roll back."""
    verbs = abort_verbs(reading, at)
    return bool(verbs) and (conditional(reading, at) or any(as_alternative(reading, n) for n in verbs))
