"""What is said to people, in the language of the goal. English stands in the code; other languages in data files.

A message is a template with named fields. `languages/LANGUAGE/*.yaml` maps English templates to translated ones;
where one is missing, English is said. The language is that of the run being worked on, set around that work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Literal

Language = Literal["en", "zh"]

_spoken: ContextVar[Language] = ContextVar("language", default="en")
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]+")


def tr(template: str, /, **fields: object) -> str:
    """The message in the language that is spoken now, its fields filled in."""
    spoken = _spoken.get()
    said = template if spoken == "en" else catalogue(spoken).get(template, template)
    return said.format_map(fields) if fields else said


def plural(count: int, noun: str) -> str:
    """`1 clause`, `3 clauses`; in languages without a plural the one form they have."""
    return tr(f"{{n}} {noun}" if count == 1 else f"{{n}} {noun}s", n=count)


def language() -> Language:
    """The language that is spoken now."""
    return _spoken.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Say everything within the block in this language. Threads started in it do not inherit it of themselves."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def language_of(text: str) -> Language:
    """The language a goal is written in: Chinese when it has at least as many Chinese characters as Latin words."""
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_WORD.findall(text)) else "en"


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Every translated template of a language, by its English one. ValueError when one is translated twice."""
    # Only a run in another language pays for these.
    from importlib import resources

    import yaml

    found: dict[str, str] = {}
    folder = resources.files(__package__) / "languages" / language
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        for english, translated in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items():
            if english in found:
                raise ValueError(f"{file.name}: {english!r} is translated twice")
            found[english] = translated
    return found
