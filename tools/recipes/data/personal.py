"""Which columns hold personal data, told by their values and their names. The values themselves are never shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

from tools.language import tr
from tools.recipes.data.column_names import Meaning, means

_SAMPLE = 2000
"""Distinct values of a column that are looked at."""
_LONGEST = 4000
"""Characters of a value that are looked at."""
_BY_NAME: tuple[tuple[Meaning, str], ...] = (
    ("person", "a person"),
    ("address", "an address"),
    ("contact", "a way to reach a person"),
    ("document", "a personal document or account"),
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One kind of personal data."""

    what: str
    shape: re.Pattern[str]
    holds: Callable[[str], bool]
    share: float
    """Of the sampled values: patterns with a checksum are certain in few, others only in most."""
    within: bool = False
    """Looked for inside longer texts too."""
    mark: str = ""
    """A character without which no text holds it."""


def findings(features: pl.DataFrame) -> list[str]:
    """One sentence for each column that seems to hold personal data."""
    return [
        tr("column {name!r} seems to hold personal data: {reasons}", name=name, reasons=", ".join(reasons))
        for name, reasons in held(features).items()
    ]


def held(features: pl.DataFrame) -> dict[str, list[str]]:
    """Column that seems to hold personal data → why it seems so."""
    each = {name: [*_by_values(features[name]), *_by_name(name)] for name in features.columns}
    return {name: reasons for name, reasons in each.items() if reasons}


def _by_name(name: str) -> list[str]:
    return [tr("its name says {what}", what=tr(what)) for meaning, what in _BY_NAME if means(name, meaning)]


def _by_values(column: pl.Series) -> list[str]:
    if column.dtype not in (pl.String, pl.Int64):
        return []
    values = [str(v).strip() for v in column.drop_nulls().unique(maintain_order=True).head(_SAMPLE)]
    values = [v for v in values if v]
    return [tr(p.what) for p in PATTERNS if values and _count(p, values) >= max(1, p.share * len(values))]


def _count(pattern: Pattern, values: list[str]) -> int:
    if pattern.within:
        marked = (v[:_LONGEST] for v in values if pattern.mark in v)
        return sum(any(pattern.holds(m.group()) for m in pattern.shape.finditer(v)) for v in marked)
    return sum(pattern.shape.fullmatch(v) is not None and pattern.holds(v) for v in values)


def is_chinese_id(text: str) -> bool:
    """18 characters: region, date of birth, sequence, and the check character of GB 11643 (ISO 7064 MOD 11-2)."""
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _WEIGHTS, strict=True))
    return text[17].upper() == _CHECKS[total % 11]


def is_card(text: str) -> bool:
    """13 to 19 digits with the check digit of Luhn's algorithm (ISO/IEC 7812)."""
    digits = [int(c) for c in re.sub(r"[ -]", "", text)]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(digits))) % 10 == 0


def is_iban(text: str) -> bool:
    """Country, check digits, account; the whole is 1 modulo 97 (ISO 13616)."""
    plain = re.sub(r"\s", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_address(text: str) -> bool:
    """An IP address, version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _any(text: str) -> bool:
    return bool(text)


PATTERNS = (
    Pattern(
        what="e-mail addresses",
        shape=re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}"),
        holds=_any,
        share=0.01,
        within=True,
        mark="@",
    ),
    Pattern(
        what="Chinese identity numbers",
        shape=re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)", re.ASCII),
        holds=is_chinese_id,
        share=0.01,
        within=True,
    ),
    Pattern(
        what="phone numbers",
        shape=re.compile(
            r"(?:\+\d{1,3}[ -]?)?(?:1[3-9]\d{9}|1[3-9]\d[ -]\d{4}[ -]\d{4})"
            r"|\+\d{1,3}[ \d()-]{6,17}\d|\(?\d{3}\)?[ -]\d{3}-\d{4}",
            re.ASCII,
        ),
        holds=_any,
        share=0.5,
    ),
    Pattern(
        what="bank accounts (IBAN)",
        shape=re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z0-9 ]{11,40}", re.ASCII),
        holds=is_iban,
        share=0.2,
    ),
    Pattern(
        what="payment card numbers",
        shape=re.compile(r"\d[\d -]{11,22}\d", re.ASCII),
        holds=is_card,
        share=0.5,
    ),
    Pattern(what="IP addresses", shape=re.compile(r"[0-9A-Fa-f:.]{3,45}"), holds=is_address, share=0.5),
)
