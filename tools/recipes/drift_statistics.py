"""Whether two samples in the same bins come from one distribution, and how far they are apart.

How far: the population stability index. Under no drift it is about (1/n + 1/m) times a chi-square of bins - 1 degrees
of freedom (Yurdakul and Naranjo, Statistical properties of the population stability index, 2020), so its mean under no
drift is taken off before it is compared with a threshold: as it is, it exceeds 0.25 in four of ten windows of 50 rows.

Whether: homogeneity of the two rows of counts by the power divergence with exponent 2/3, whose chi-square approximation
holds better in the far tail than Pearson's (Cressie and Read, Multinomial goodness-of-fit tests, 1984; Pearson's is
liberal there by a factor of two to four with bins as small as these). Bins where fewer than ten rows are expected are
put together first, by their sums alone, which say nothing of a difference; where two bins are left, the test is
Fisher's exact one. Quantities tested together are corrected by Holm (1979), which no dependence between them breaks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

from tools.inputs import Binned
from tools.recipes.drift_records import DriftArgs, Shift, Shifts

EXPECTED_LEAST = 10.0
EXPONENT = 2 / 3
HALF = 0.5
"""Added to every bin of a PSI, so that an empty one does not make it infinite (Jeffreys' prior)."""

Counts = NDArray[np.float64]


def shifts(args: DriftArgs) -> Shifts:
    """All quantities of one window, corrected together. One without rows on a side has not drifted."""
    tested = [_compare(one) for one in args.compared]
    adjusted = holm([p for _, _, p in tested])
    found = []
    for one, (psi, statistic, p), corrected in zip(args.compared, tested, adjusted, strict=True):
        excess = max(0.0, psi - by_chance(one.reference, one.served))
        found.append(
            Shift(
                name=one.name,
                of=one.of,
                rows=sum(one.served),
                psi=psi,
                excess=excess,
                statistic=statistic,
                p=p,
                adjusted=corrected,
                drifted=corrected <= args.alarm_rate and excess > args.threshold,
            )
        )
    return Shifts(level=args.alarm_rate / max(1, len(found)), shifts=tuple(found))


def _compare(one: Binned) -> tuple[float, float, float]:
    if not (sum(one.reference) and sum(one.served)):
        return 0.0, 0.0, 1.0
    statistic, p = homogeneity(one.reference, one.served)
    return psi(one.reference, one.served), statistic, p


def psi(reference: Sequence[int], served: Sequence[int]) -> float:
    """Sum of (q - p) ln(q / p) over the bins that hold anything."""
    expected, found = _held(reference, served) + HALF
    p, q = expected / expected.sum(), found / found.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def by_chance(reference: Sequence[int], served: Sequence[int]) -> float:
    """The PSI that is to be expected where nothing has changed."""
    n, m = sum(reference), sum(served)
    bins = _held(reference, served).shape[1]
    return (bins - 1) * (1 / n + 1 / m) if n and m and bins else 0.0


def homogeneity(reference: Sequence[int], served: Sequence[int]) -> tuple[float, float]:
    """(statistic, p value) of the two rows of counts."""
    table = pooled(_held(reference, served))
    if table.shape[1] < 2:
        return 0.0, 1.0
    statistic = divergence(table)
    if table.shape[1] == 2:
        return statistic, fisher(table)
    return statistic, float(chdtrc(table.shape[1] - 1, statistic))


def pooled(table: Counts) -> Counts:
    """With those bins put together in which fewer than `EXPECTED_LEAST` rows are expected on the smaller side."""
    enough = EXPECTED_LEAST * table.sum() / table.sum(axis=1).min()
    sparse = table.sum(axis=0) < enough
    kept, rest = table[:, ~sparse], table[:, sparse].sum(axis=1, keepdims=True)
    if not kept.shape[1] or not rest.sum():
        return kept if kept.shape[1] else rest
    if rest.sum() >= enough:
        return np.hstack([kept, rest])
    smallest = int(kept.sum(axis=0).argmin())
    kept[:, smallest] += rest[:, 0]
    return kept


def divergence(table: Counts) -> float:
    """Power divergence of exponent 2/3 between the counts and what they would be in equal shares."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    terms = table * ((table / expected) ** EXPONENT - 1)
    return max(0.0, float(2 / (EXPONENT * (EXPONENT + 1)) * terms.sum()))


def fisher(table: Counts) -> float:
    """Two-sided p value of a 2 by 2 table: the chance, its margins given, of one that is no more likely."""
    (n, m), (first, _) = table.sum(axis=1), table.sum(axis=0)
    possible = np.arange(max(0.0, first - m), min(n, first) + 1)
    logs = _choose(n, possible) + _choose(m, first - possible) - _choose(n + m, np.array(first))
    own = logs[int(table[0, 0] - possible[0])]
    return min(1.0, float(np.exp(logs[logs <= own + 1e-9]).sum()))


def holm(p: Sequence[float]) -> list[float]:
    """Step-down adjusted p values, in the order given."""
    adjusted = [1.0] * len(p)
    worst = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = worst
    return adjusted


def _held(reference: Sequence[int], served: Sequence[int]) -> Counts:
    """Two rows of counts, without bins that are empty on both sides."""
    table = np.array([reference, served], dtype=np.float64)
    return table[:, table.sum(axis=0) > 0]


def _choose(n: float, k: Counts) -> Counts:
    found: Counts = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return found
