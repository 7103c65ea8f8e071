"""Which columns are known by their name, in English and in Chinese. The names are data: `column_names.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

Meaning = Literal["time", "user", "item", "identifier", "person", "address", "contact", "document"]


def known(meaning: Meaning, names: Sequence[str]) -> str | None:
    """The column that has the best-known name of that meaning; None when none has one."""
    there = {_plain(name): name for name in reversed(names)}
    return next((there[word] for word in _words()[meaning] if word in there), None)


def means(name: str, meaning: Meaning) -> bool:
    return _plain(name) in _words()[meaning]


def names_rows(name: str) -> bool:
    """Whether a column of that name is likely to name rows: `id`, `order_id`, `订单编号`."""
    plain = name.strip()
    return (
        means(name, "identifier")
        or re.search(r"(?i)(^|[_\s-])(id|uuid|guid|no)$|[a-z]I[dD]$|编号$|ID$|号$", plain) is not None
    )


@cache
def _words() -> dict[str, tuple[str, ...]]:
    text = files(__package__).joinpath("column_names.yaml").read_text(encoding="utf-8")
    return {meaning: tuple(_plain(str(word)) for word in words) for meaning, words in yaml.safe_load(text).items()}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()
