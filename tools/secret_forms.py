"""What secrets look like: the names they are given, the forms services give them, and what only resembles one.

Pure. It finds; `tools.redact` takes away.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

from tools.credential import PLAIN

PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\S]*?-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)"
)
PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
PEM_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9/+=])"
    r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|gl(?:pat|dt|ptt|rt|soat|cbt|ft|imt|agent)-[\w-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}"
    r"|AIza[\w-]{35}(?![\w-])|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"
    r"|(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}|hvs\.[\w-]{20,}|gsk_[A-Za-z0-9]{32,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{40,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*){1,3}"
    r"|(?P<loose>(?:sk-|hf_)[\w-]{20,})"
    r")|hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]+"
)
"""Forms that services give to what they hand out. `loose` begins like words do: it must also be `varied`."""
ADDRESS = re.compile(
    r"(?P<front>://(?!\[)[^/\s:@\"'<>]{0,128}:)(?!\d{1,5}(?:[/\s?#]|$))"
    r"(?P<secret>[^\s/\"'<>]{1,512}|[^\s@\"'<>]{1,512})@"
)
"""The password in an address that carries one."""
SCHEME = re.compile(
    r"(?P<front>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token|digest|negotiate)?\s*)(?P<header>[^\s\"',;]{4,}"
    r"[^\r\n\"']*)|(?P<scheme>\b(?:bearer|basic)\s+)(?P<value>[\w.~+/=-]{8,})",
    re.IGNORECASE,
)
"""What an HTTP request shows at a door."""

_STRONG = (
    r"passw(?:or)?ds?|passphrase|pwd|secret|api[_-]?keys?|(?:access|secret|private|account)[_-]?keys?(?:[_-]?id)?"
    r"|shared[_-]?access[_-]?(?:key|signature)|client[_-]?secret|(?:auth|access|refresh|session|security|id)[_-]?token"
    r"|x-amz-(?:signature|credential)"
)
_SPECIAL = "".join(f"(?<!{w}[_-])" for w in ("pad", "eos", "bos", "unk", "mask", "cls", "sep", "num", "max", "min"))
"""Tokens of a text, not of a door."""
_WEAK = rf"{_SPECIAL}token|credentials?|cookie|jwt|dsn|webhook(?:[_-]?url)?|conn(?:ection)?[_-]?str(?:ing)?"
_SUFFIX = r"(?:[_-](?:id|prod|production|dev|test|staging|live|base|value|main|new|old))?[_-]?\d{0,3}"
_SAID = r"\\{0,3}\"[^\"\n]{0,4096}\"|'[^'\n]{0,4096}'|[^\s\"',;&<>)\]}]+"
NAMED = re.compile(
    rf"(?P<front>(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK})|(?<![\w.-])(?P<key>key)(?=[=:])|(?<=[?&])(?P<sig>sig)){_SUFFIX}"
    rf"(?P<by>\\{{0,3}}[\"']?\]?\s{{0,3}}(?:=>|:=|={{1,2}}|:)\s{{0,3}}))(?P<value>{_SAID})(?=(?P<rest>[^\S\n]*\S?))",
    re.IGNORECASE,
)
"""`password=...`, `"api_key": "..."`, `token := ...`."""
FLAG = re.compile(
    rf"(?P<front>(?<!\S)--?[\w-]{{0,40}}?(?:{_STRONG}|{_WEAK}){_SUFFIX}\s+)(?P<value>{_SAID})", re.IGNORECASE
)
"""`--password ...`"""
_FLAG_ALONE = re.compile(rf"--?[\w-]{{0,40}}?(?:{_STRONG}|{_WEAK}){_SUFFIX}", re.IGNORECASE)
_FIELD = re.compile(
    rf"(?:[\w.-]{{0,40}}?[_.-])??(?:[A-Za-z]{{0,12}}?(?:{_STRONG})|{_WEAK}|authorization){_SUFFIX}", re.IGNORECASE
)

_SPOKEN = (
    "string str text number int integer float bool boolean category object date time datetime image identifier binary "
    "required optional missing invalid incorrect wrong expected unexpected unknown empty hidden unset denied expired "
    "failed not is was the must should please feature label drop keep column password token secret"
)
_KINDS = frozenset(_SPOKEN.split())
"""Words that stand after such a name and say something of it."""
PLACE = re.compile(
    r"^(?:(?:~|\.{1,2})/|/(?:bin|data|dev|etc|home|mnt|opt|private|proc|root|run|srv|tmp|usr|var|Users)\b|[A-Za-z]:\\)"
    r"[\w./\\ -]*$|^[\w-]+(?:/[\w.-]+)*\.(?:csv|parquet|jsonl?|ya?ml|txt|py|pem|key|onnx|skops|toml|ini|env|sh|log)$"
)
_DIGEST = re.compile(r"^(?:(?:sha\d+|md5)[:-])?[0-9a-f]+$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_FOLDER = re.compile(r"[a-z0-9_.]*/")
_LONG, _ENTROPY = 20, 3.5

_BEGINNINGS = (
    "gh:ghp_ gho_ ghu_ ghs_ ghr_|github_pat_|gl:glpat- gldt- glptt- glrt- glsoat- glcbt- glft- glimt- glagent-"
    "|x:xox xapp- x-amz- gocspx-|z:aiza authorization|j:eyj jwt|y:ya29. pypi- apikey _key -key accesskey privatekey"
    " accountkey key= key:|k_:k_live_ k_test_ gsk_|ok:hooks.slack token cookie webhook|pass:passw passphrase"
    "|cess:accesssig access_sig access-sig|sec:whsec_ secret|ia:akia asia credential|npm_|sg.|dop_v1_|dapi|hvs.|sk-|hf_"
    "|-----begin|bearer|basic|pwd|dsn|conn|?sig|&sig"
)
_NEEDLES = tuple(
    (part.partition(":")[0], tuple(part.partition(":")[2].split())) if ":" in part else (part, ("",))
    for part in _BEGINNINGS.split("|")
)
"""(what several have in common, they): one of these stands, in lower case, in whatever the patterns find; an address
has `://` and `@` instead."""
_COMMON = tuple(common for common, _ in _NEEDLES)


def may_hold(text: str) -> bool:
    """Whether any pattern can find something in it: quick, and never wrong when it says no."""
    low = text.lower()
    if not low.isascii():  # the patterns take some letters for others, whatever their case
        low = low.casefold().replace("\u0131", "i")
    if any(map(low.__contains__, _COMMON)):
        for common, needles in _NEEDLES:
            if common in low and any(needle in low for needle in needles):
                return True
    return "@" in low and "://" in low


def is_field(name: str) -> bool:
    """Whether what stands in a field of this name is a secret."""
    return _FIELD.fullmatch(name) is not None


def is_flag(word: str) -> bool:
    """Whether the next word is, after this option of a command."""
    return _FLAG_ALONE.fullmatch(word) is not None


def is_secret(value: str, rank: str = "strong", *, by: str = "=", rest: str = "") -> bool:
    """Whether what stands under such a name is a secret, and not a word about one.

    `rank`: how surely the name is one of a secret. `by` is what stands between them and `rest` what follows: prose has
    a colon and goes on.
    """
    if PLAIN.match(value) or value.lower().strip(".,:;!?") in _KINDS or PLACE.match(value):
        return False
    if rank == "key":
        return _random(value)
    if rank == "strong" and ":" in by and rest.strip()[:1].isalnum():
        return varied(value, least=5)
    if rank == "strong":
        return len(value) >= 4
    return varied(value) or (len(value) >= _LONG and not value.isalpha())


def varied(value: str, *, least: int = 8) -> bool:
    """Letters with digits, or with marks that no name has: not a word, nor words joined."""
    if len(value) < least or not any(c.isalpha() for c in value):
        return False
    return any(c.isdigit() or c in "!#$%^&*+=~" for c in value)


def loose(token: str) -> bool:
    """Whether `sk-...` or `hf_...` is a token and no name: one long piece of it is no lower-case word."""
    pieces: Iterator[str] = (p for p in re.split(r"[_-]", token) if len(p) >= 12)
    return any(not (p.isalpha() and p.islower()) for p in pieces)


def _random(value: str) -> bool:
    """Long, of both cases with digits, near what chance would give, and neither a path nor words with hyphens."""
    if len(value) < _LONG or _DIGEST.match(value) or "-" in value or _FOLDER.match(value):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    upper, lower = sum(c.isupper() for c in value), sum(c.islower() for c in value)
    return min(upper, lower) >= 4 and any(c.isdigit() for c in value) and entropy >= _ENTROPY


def at_a_door(scheme: str, value: str) -> bool:
    """Whether `Bearer X` or `Basic X` shows something, and does not speak of it."""
    if scheme.strip().lower() == "bearer":
        return varied(value) or len(value) >= _LONG
    try:
        return ":" in base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return False
