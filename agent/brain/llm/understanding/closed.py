"""Words of closed sets: which words of a text say them, and which of them must not be taken without such a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.brain.llm.understanding.kinds import CLOSED
from agent.brain.llm.understanding.words import Words

REACHING: Final = frozenset({"deploy", "rollback", "scale", "cleanup"})
"""Tasks that change or remove what runs."""
_ASKED: Final = frozenset(
    {
        "budget_per",
        "environment",
        "placement.backend",
        "placement.spot",
        "parts.prepare.clean",
        "parts.upkeep.watch",
        "parts.upkeep.retrain_on",
    }
)
"""Fields whose words cost money, loosen a limit, change data, or say where something happens."""
_SILENT: Final = frozenset(
    {("parts.rollout.strategy", "none"), ("parts.split.by", "random"), ("parts.upkeep.watch", False)}
)
"""What is so without being said."""
_RULED_OUT: Final[Mapping[str, tuple[str, ...]]] = {
    "no_deploy": ("act", "deploy"),
    "no_production": ("env", "production", "live"),
    "no_spot": ("spot", "spot"),
    "no_gpu": ("gpuword", "gpu"),
    "no_external_data": ("external",),
    "no_retrain": ("act", "retrain", "train"),
    "read_only": ("readonly",),
}
"""Constraint → the reading of the lexicon that says what it is about."""
_AGAINST: Final[Mapping[str, tuple[str, object]]] = {
    "no_deploy": ("parts.rollout.strategy", None),
    "no_production": ("environment", "production"),
    "no_spot": ("placement.spot", True),
    "no_gpu": ("placement.gpu", None),
}
"""Constraint → the field, and its value or any, that asks for what it rules out."""


def says_nothing(value: object, path: str) -> bool:
    return (path, value) in _SILENT


def said(words: Words, value: object, path: str) -> bool:
    """Whether a word of the text says that word, and does not rule it out."""
    word = str(value)
    if path == "constraints":
        kind, *values = _RULED_OUT[word]
        return words.means(kind) if word == "read_only" else words.rules_out(kind, *values)
    if path == "placement.spot":
        return words.means("spot", "spot") if value else words.rules_out("spot") or words.means("spot", "ondemand")
    if path == "environment" and value == "production":
        return words.means("env", "production", "live")
    if path == "parts.upkeep.watch":
        return words.means("act", "watch", "retrain") or words.means("check")
    return any(words.means(kind, word) for kind in CLOSED[path])


def reaches(words: Words, value: object, path: str, known: Mapping[str, list[object]]) -> bool:
    """Whether a word that no word of the text says would do, cost or allow more than the text says.

    `known`: what the grammar has, by path.
    """
    if path == "parts.task":
        return value in REACHING
    if path == "parts.rollout.strategy":
        return value != "none" and not words.means("act", "deploy") and not words.means("strategy")
    if path == "constraints":
        return _contradicted(str(value), known) or not _spoken_of(words, str(value))
    return path in _ASKED or (path == "parts.split.by" and value != "random")


def _spoken_of(words: Words, constraint: str) -> bool:
    """Whether the text speaks of what a constraint is about: `leave production alone`."""
    kind, *values = _RULED_OUT[constraint]
    return words.means(kind, *values)


def _contradicted(constraint: str, known: Mapping[str, list[object]]) -> bool:
    """Whether the grammar has read what the constraint would rule out."""
    path, wanted = _AGAINST.get(constraint, ("", None))
    return any(value == wanted if wanted is not None else value != "none" for value in known.get(path, ()))
