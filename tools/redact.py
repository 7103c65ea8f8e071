"""Takes secrets out of whatever leaves: journal, logs, reports, errors, other people's servers.

Known values are replaced wherever they stand; what only looks like a secret by its form or by the name it stands
under, and nothing that is merely long: digests, ids, paths and pictures stay. A second pass changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from tools.credential import SHORTEST, is_credential, mark
from tools.secret_forms import (
    ADDRESS,
    FLAG,
    NAMED,
    PEM,
    PEM_BEGIN,
    PEM_END,
    PLACE,
    SCHEME,
    TOKENS,
    at_a_door,
    is_field,
    is_flag,
    is_secret,
    loose,
    may_hold,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    R = TypeVar("R", bound=BaseModel)

_LINE = 16
"""Characters of one line of a known value that has several."""
_WORD = re.compile(r"[A-Za-z]{1,11}")
"""A value that is a word occurs by chance as well."""
_MARK = re.compile(r"\[withheld:[\w.-]{1,80}\]")
Path = tuple[str | int, ...]


def known_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Name → value of the variables that look like credentials, as far as their values can be told from words.

    Where something lies (a socket, a file of keys) is no secret.
    """
    return {
        name: value
        for name, value in environ.items()
        if len(value) >= SHORTEST
        and is_credential(name, value)
        and not _WORD.fullmatch(value)
        and not PLACE.match(value)
    }


class Redaction:
    """What is taken out here: the values known to this process, and whatever looks like a secret."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """`known`: name → value."""
        self._instead = {form: mark(name) for name, value in (known or {}).items() for form in _forms(value)}
        longest_first = sorted(self._instead, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None and self._known.search(text):
            text = self._known.sub(lambda found: self._instead[found[0]], text)
        return _without_forms(text) if may_hold(text) else text

    def value(self, value: Any) -> Any:
        """The same for whatever JSON can hold: whole values of fields that are named like secrets, the rest as text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            called = _called(value)
            return {
                self.text(str(name)): self._field(called if name == "value" else str(name), each)
                for name, each in value.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return self._items(value)
        return value

    def json(self, text: str) -> str:
        """The same for a JSON document; what is none is taken as text."""
        if not self.suspects(text):
            return text
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        cleaned = self.value(whole)
        return text if cleaned == whole else json.dumps(cleaned, ensure_ascii=False)

    def record(self, record: R) -> R:
        """The same for a record. ValueError when nothing is left that its type allows."""
        return self.line(record)[0]

    def line(self, record: R) -> tuple[R, str]:
        """The same with its JSON, so that what is stored is what was looked through."""
        text = record.model_dump_json()
        if not self.suspects(text):
            return record, text
        whole = json.loads(record.model_dump_json(exclude_unset=True))
        cleaned = self.value(whole)
        if cleaned == whole:
            return record, text
        clean = type(record).model_validate_json(json.dumps(cleaned))
        return clean, clean.model_dump_json()

    def suspects(self, text: str) -> bool:
        """Whether a JSON document may hold a secret: quick, and never wrong when it says no."""
        return may_hold(text) or (self._known is not None and self._known.search(text) is not None)

    def _field(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and is_field(name) and not _MARK.search(value) and is_secret(value):
            return mark()
        return self.value(value)

    def _items(self, items: Sequence[Any]) -> list[Any]:
        """Word after word: a secret may follow the option that announces it, or go on over several lines."""
        found, announced, inside = list[Any](), False, False
        for item in items:
            if not isinstance(item, str):
                found.append(self.value(item))
                announced = False
                continue
            hidden = inside or (announced and not _MARK.search(item) and is_secret(item))
            inside = bool(PEM_BEGIN.search(item) or inside) and not PEM_END.search(item)
            found.append(mark() if hidden else self.text(item))
            announced = is_flag(item)
        return found


def _called(pair: Mapping[Any, Any]) -> str:
    """What `{"name": ..., "value": ...}` calls its value."""
    told = pair.get("name", pair.get("key"))
    return told if isinstance(told, str) else "value"


def _forms(value: str) -> Iterator[str]:
    """A value as it may stand in a text: as it is, quoted for an address or for JSON, encoded, line by line."""
    yield value
    yield from {
        quote(value, safe=""),
        quote(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    if len(value) >= _LINE:
        yield base64.b64encode(value.encode(errors="surrogateescape")).decode().rstrip("=")
    yield from (line for line in value.splitlines() if len(line) >= _LINE)


def _without_forms(text: str) -> str:
    text = PEM.sub(mark(), text)
    if "://" in text:
        text = ADDRESS.sub(_address, text)
    text = TOKENS.sub(_token, text)
    text = SCHEME.sub(_header, text)
    return FLAG.sub(_said, NAMED.sub(_said, text))


def _address(found: re.Match[str]) -> str:
    return found[0] if _MARK.fullmatch(found["secret"]) else f"{found['front']}{mark()}@"


def _token(found: re.Match[str]) -> str:
    return found[0] if found["loose"] and not loose(found["loose"]) else mark()


def _header(found: re.Match[str]) -> str:
    if found["header"] is not None:
        return found[0] if _MARK.match(found["header"]) else found["front"] + mark()
    return found["scheme"] + mark() if at_a_door(found["scheme"], found["value"]) else found[0]


def _said(found: re.Match[str]) -> str:
    """`name=value` with the value taken out; the quotes around it stay."""
    whole, told = found["value"], found.groupdict()
    core = whole.strip("\\\"'")
    rank = next((rank for rank in ("weak", "key", "sig") if told.get(rank)), "strong")
    if not core or "[withheld:" in core or not is_secret(core, rank, by=told.get("by", ""), rest=told.get("rest", "")):
        return found[0]
    return found["front"] + whole.replace(core, mark(), 1)


_PATTERNS = Redaction()


def secrets_in(value: Any) -> tuple[str, ...]:
    """Paths of whatever JSON can hold, like `command.3`, at which a secret stands, or stood before it was taken out."""
    if _plainly_none(value):
        return ()
    return tuple(dict.fromkeys(".".join(map(str, path)) for path in _held(value, _PATTERNS.value(value), ())))


_JSON = json.JSONEncoder(ensure_ascii=False).encode


def _plainly_none(value: Any) -> bool:
    """Nothing in it can be a secret, or a mark of one: quick, and never wrong when it says so."""
    try:
        text = _JSON(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return "[withheld:" not in text and not may_hold(text)


def _held(value: Any, cleaned: Any, path: Path) -> Iterator[Path]:
    if hasattr(value, "get_secret_value"):
        yield path
    elif isinstance(value, str):
        if value != cleaned or _MARK.search(value):
            yield path
    elif isinstance(value, Mapping):
        for (name, each), (key, without) in zip(value.items(), cleaned.items(), strict=True):
            if str(name) != key or _MARK.search(key):
                yield (*path, key)
            else:
                yield from _held(each, without, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for index, (each, without) in enumerate(zip(value, cleaned, strict=True)):
            yield from _held(each, without, (*path, index))
