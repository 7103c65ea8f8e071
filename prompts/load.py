"""What we say to a model, from files: one prompt a file, with its version, what it sends and what it leaves open.

A file is a header between two lines `---`, the constant system text, a line `---user---`, and the user text with
`{{variable}}` where something is filled in. Nothing is filled into the system text: servers keep what does not change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import yaml

Sends = Literal["goal", "conversation", "contract", "facts", "names", "templates", "question", "record"]
"""Classes of data that can leave the machine in a prompt."""
_KEYS = ("version", "sends", "variables")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_FILE = re.compile(r"---\n(?P<header>.*?)\n---\n(?P<system>.*?)\n---user---\n(?P<user>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt."""

    name: str
    version: int
    sends: tuple[Sends, ...]
    variables: tuple[str, ...]
    system: str
    user: str
    digest: str
    """SHA-256 of its file, in hexadecimal."""

    @property
    def title(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.name}@{self.version}"

    def render(self, variables: Mapping[str, str]) -> str:
        """The user text, filled in. What is filled in is never looked at for places. KeyError names every variable that
        is missing or unknown.
        """
        if wrong := set(self.variables) ^ set(variables):
            raise KeyError(f"{self.name}.md: missing or unknown: {', '.join(sorted(wrong))}")
        return _PLACE.sub(lambda place: variables[place[1]], self.user)


@cache
def load(name: str) -> Prompt:
    """The prompt in `NAME.md`. KeyError when there is none, ValueError listing every fault of the file."""
    if name not in names():
        raise KeyError(f"there is no prompt {name!r}: known are {', '.join(names())}")
    return parse(name, files(__package__).joinpath(f"{name}.md").read_text(encoding="utf-8"))


def names() -> tuple[str, ...]:
    """Every prompt there is."""
    found = (file.name for file in files(__package__).iterdir())
    return tuple(sorted(name[:-3] for name in found if name.endswith(".md") and name != "README.md"))


def parse(name: str, text: str) -> Prompt:
    """A prompt from its file's text. ValueError lists every fault."""
    parted = _FILE.fullmatch(text)
    if parted is None:
        raise ValueError(f"{name}.md: must be a header between two lines ---, system text, ---user--- and user text")
    try:
        header = yaml.safe_load(parted["header"])
    except yaml.YAMLError as error:
        raise ValueError(f"{name}.md: the header is not YAML") from error
    system, user = parted["system"].strip(), parted["user"].strip()
    if faults := [*_header(name, header), *_texts(system, user, header)]:
        raise ValueError("\n".join(f"{name}.md: {fault}" for fault in faults))
    return Prompt(
        name=name,
        version=header["version"],
        sends=tuple(header["sends"]),
        variables=tuple(header["variables"]),
        system=system,
        user=user,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _header(name: str, header: object) -> list[str]:
    if not isinstance(header, dict) or sorted(map(str, header)) != sorted(_KEYS):
        return [f"the header must have exactly {', '.join(_KEYS)}"]
    version, sends, variables = (header[key] for key in _KEYS)
    faults = [] if _NAME.fullmatch(name) else ["a prompt's name is lower-case letters, digits and _"]
    if type(version) is not int or version < 1:
        faults.append("version must be a whole number from 1")
    if not _words(sends) or set(sends) - set(get_args(Sends)):
        faults.append(f"sends must list, once each, some of {', '.join(get_args(Sends))}")
    if not _words(variables) or not all(_NAME.fullmatch(variable) for variable in variables):
        faults.append("variables must list names, once each")
    return faults


def _words(listed: object) -> bool:
    return isinstance(listed, list) and all(isinstance(w, str) for w in listed) and len(set(listed)) == len(listed)


def _texts(system: str, user: str, header: object) -> list[str]:
    faults = [f"the {what} text is empty" for what, text in (("system", system), ("user", user)) if not text]
    if _PLACE.search(system):
        faults.append("nothing is filled into the system text: it stays the same for every question")
    declared = header.get("variables") if isinstance(header, dict) else None
    if not isinstance(declared, list) or not all(isinstance(variable, str) for variable in declared):
        return faults
    used = set(_PLACE.findall(user))
    faults += [f"{{{{{variable}}}}} is not declared" for variable in sorted(used - set(declared))]
    return faults + [f"{variable} is declared and not used" for variable in sorted(set(declared) - used)]
