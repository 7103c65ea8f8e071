"""Conditions around a demand: whether a sentence holds one, and whether a change rolls back. It knows no metric."""

from __future__ import annotations

from agent.brain.rules.grammar.reading import Reading


def conditional(reading: Reading, at: int) -> bool:
    """Whether something in the sentence of that place happens on a condition."""
    return reading.sentence_has(at, "cond", "if", "unless", "otherwise") or reading.sentence_has(at, "cond", "then")


def abort_verbs(reading: Reading, at: int) -> list[int]:
    """Wanted verbs of rolling back in the sentence of that place."""
    return [n for n in reading.in_sentence(at) if reading[n].means("abort") and not reading.negated(n)]


def governing(reading: Reading, at: int) -> list[int]:
    """Those of them that a demand without a direction can belong to: not `好 1 个点，错误率超过 1% 就回滚`."""
    return [verb for verb in abort_verbs(reading, at) if _reaches(reading, verb, at)]


def _reaches(reading: Reading, verb: int, at: int) -> bool:
    if reading.clause(verb) == reading.clause(at):
        return True
    if verb < at:  # `roll back if …, or if …`; not `…, otherwise roll back, recall 0.9`
        told = [n for n in range(verb, at) if reading[n].means("cond", "if", "unless")]
        start = reading[min(reading.in_clause(at))]
        joined = start.means("and", "or") or start.means("cond")
        return any(joined or reading.clause(n) == reading.clause(at) for n in told)
    first = reading[min(reading.in_clause(verb))]
    if first.means("and", "or") or first.means("cond", "otherwise"):
        return True
    return not any(reading[n].means("metric") or reading[n].means("custom") for n in reading.in_clause(verb))


def as_alternative(reading: Reading, verb: int) -> bool:
    """`p95 under 150 ms or back out`, `…, or it is rolled back`."""
    before = [e for n in range(verb - 1, verb - 4, -1) if (e := reading.get(n)) is not None]
    return any(e.means("and", "or") for e in before)


def change_rolls_back(reading: Reading, at: int) -> bool:
    """`revert if CTR drops by more than 5 %`: a change against what runs is a reason to roll back."""
    verbs = governing(reading, at)
    return bool(verbs) and (conditional(reading, at) or any(as_alternative(reading, n) for n in verbs))
