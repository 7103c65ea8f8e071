"""Money and time in words, for every screen, report and refusal."""

from __future__ import annotations

from tools.language import tr


def money(usd: float | None) -> str:
    """US dollars; fractions of a cent where that is all there is."""
    if usd is None:
        return tr("unknown")
    return f"${usd:,.4f}" if 0 < usd < 0.01 else f"${usd:,.2f}"


def duration(seconds: float | None) -> str:
    """Seconds in at most two units: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return tr("unknown")
    day, hour, minute, second = tr("d"), tr("h"), tr("min"), tr("s")
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + f" {second}"
    whole = round(seconds)
    for size, name, minor, minor_name in ((86400, day, 3600, hour), (3600, hour, 60, minute), (60, minute, 1, second)):
        if whole >= size:
            rest = whole % size // minor
            return f"{whole // size} {name}" + (f" {rest} {minor_name}" if rest else "")
    return f"{whole} {second}"
