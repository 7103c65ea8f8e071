"""Which variables look like credentials, and what stands in the place of one that was taken out.

Standard library only, and little of it: the supervisor of a job imports it.
"""

from __future__ import annotations

import re

_WORDS = (
    "KEYS?|PASS|PASSPHRASE|PWD|CREDENTIALS?|CREDS?|PAT|AUTH|SOCK|DSN|WEBHOOKS?|COOKIES?|KUBECONFIG|JWT|CONNSTR"
    r"|CONN(?:ECTION)?_STR(?:ING)?|[A-Z]*(?:TOKENS?|SECRETS?|PASSWORDS?|PASSWD|APIKEYS?)"
)
"""Words between underscores that speak of a credential, in the name of a variable."""
_VARIABLE = re.compile(rf"(?:^|_)(?:{_WORDS})\d*(?=_|$)")
_KEY_OF_DATA = re.compile(
    r"(?:^|_)(?:SORT|PRIMARY|FOREIGN|PARTITION|JOIN|GROUP|INDEX|ROW|CACHE|LOOKUP|COLUMN|UNIQUE|PUBLIC)_KEYS?(?=_|$)"
    r"|(?:^|_)KEYS?_(?:COLUMNS?|NAMES?|FIELDS?)$"
)
"""Keys that name rows or columns, and such as everybody may have."""
_WHOLE = re.compile(
    r"^(?:sk-|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza|hf_|eyJ[\w-]+\.eyJ)[\w./+=-]{10,}$"
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"
)
"""The whole value of a variable: a form that services give to what they hand out, an address with a password."""
PLAIN = re.compile(
    r"^(?:|\d{1,5}|[-+]?\d+\.\d*(?:e[-+]?\d+)?%?|true|false|yes|no|on|off|none|null|nan)$", re.IGNORECASE
)
"""Switches and numbers: their name says what they are about, and they are no secret."""
SHORTEST = 6
"""Characters of a value that is taken out wherever it stands: shorter ones occur by chance."""


def is_credential(name: str, value: str) -> bool:
    """Whether a variable looks like something that opens a door."""
    if PLAIN.match(value):
        return False
    return _named(name.upper()) or bool(_WHOLE.search(value))


def _named(name: str) -> bool:
    """`PWD` alone is where a shell stands, and is no credential."""
    return name not in ("PWD", "OLDPWD") and _VARIABLE.search(_KEY_OF_DATA.sub("", name)) is not None


def mark(name: str = "secret") -> str:
    """What stands in a secret's place: one word, also to a shell."""
    return f"[withheld:{re.sub(r'[^A-Za-z0-9_.-]', '_', name)[:80]}]"
