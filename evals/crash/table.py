"""What a matrix came to, in figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from evals.crash.cases import Result

HEADS = ("scene", "kind", "boundary", "points", "runs", "duplicates", "orphans", "missing", "wrong")


def total(found: Sequence[Result]) -> dict[str, int]:
    """Points at which something was struck, drivers that ran, and what came twice, was left over, lost or wrong."""
    return {
        "points": len(found),
        "runs": sum(r.drivers for r in found),
        "duplicates": sum(len(r.duplicates) for r in found),
        "orphans": sum(len(r.orphans) for r in found),
        "missing": sum(len(r.missing) for r in found),
        "wrong": sum(len(r.wrong) + (not r.struck) for r in found),
    }


def table(found: Sequence[Result]) -> str:
    """A line for each scene, kind and boundary, and one for all."""
    groups = defaultdict[tuple[str, str, str], list[Result]](list)
    for result in found:
        groups[result.scene, result.kind, result.beside].append(result)
    rows = [HEADS, *((*key, *map(str, total(group).values())) for key, group in sorted(groups.items()))]
    rows.append(("all", "", "", *map(str, total(found).values())))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    words = [w.ljust(n) if column < 3 else w.rjust(n) for column, (w, n) in enumerate(zip(row, widths, strict=True))]
    return "  ".join(words).rstrip()
