"""The key pair that signs where journals stand: one for each user, on this machine only, outside every home.

The private key never leaves its file but to sign. Whoever reads it can sign as this user: so nobody else may.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from agent.audit.journal import key_id
from agent.audit.verify import Unreadable, key_of
from tools.language import tr
from tools.record import Record

FOLDER, PRIVATE, PUBLIC = "key", "private", "public"


class Unsignable(Exception):
    """Nothing can be signed here, and why."""


class Signer(Record):
    """Signs as this user."""

    id: str
    public: bytes
    sign: Callable[[bytes], bytes]
    """Message → signature of 64 bytes."""


def public_file(folder: Path) -> Path:
    """Where the public key lies, as 64 hexadecimal digits: what a person who verifies is given."""
    return folder / FOLDER / PUBLIC


def public_key(folder: Path) -> bytes | None:
    """The public key of an audit folder; None when it has none. Unsignable when it cannot be read."""
    try:
        return key_of(public_file(folder).read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except (OSError, Unreadable) as error:
        raise Unsignable(tr("the public key cannot be read: {error}", error=error)) from error


def signer(folder: Path) -> Signer:
    """The signer of an audit folder; its key pair is made at first use. Unsignable when there can be none."""
    from nacl.signing import SigningKey  # 20 ms that only who signs pays for

    place = folder / FOLDER
    try:
        if not place.is_dir():
            _make(folder, bytes(SigningKey.generate()))
        seed = _private(place / PRIVATE)
    except OSError as error:
        raise Unsignable(tr("the signing key cannot be used: {error}", error=error)) from error
    if len(seed) != 32:
        raise Unsignable(tr("{file} holds no signing key", file=place / PRIVATE))
    key = SigningKey(seed)
    public = bytes(key.verify_key)
    if public_key(folder) != public:
        raise Unsignable(tr("{file} does not belong to the private key beside it", file=place / PUBLIC))
    return Signer(id=key_id(public), public=public, sign=lambda text: bytes(key.sign(text).signature))


def usable(folder: Path) -> None:
    """Unsignable when nothing can be signed in that folder. Makes no key."""
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise Unsignable(tr("{place} is no folder that you may write to", place=nearest))
    if (folder / FOLDER).exists():
        signer(folder)


def fast(public: bytes, text: bytes, signature: bytes) -> bool:
    """As `ed25519.genuine`, forty times as fast."""
    from nacl.exceptions import CryptoError
    from nacl.signing import VerifyKey

    try:
        VerifyKey(public).verify(text, signature)
    except (CryptoError, ValueError):
        return False
    return True


def _private(path: Path) -> bytes:
    """Unsignable for a key that somebody else could have read or put there."""
    for place in (path, path.parent):
        found = place.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            told = tr("{place} must be yours alone: chmod go= {place}", place=place)
            raise Unsignable(told)
    return path.read_bytes()


def _make(folder: Path, seed: bytes) -> None:
    """Both files appear at once; of two makers the first one wins."""
    from nacl.signing import SigningKey

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder, prefix=".draft-"))
    try:
        _write(draft / PRIVATE, seed)
        _write(draft / PUBLIC, bytes(SigningKey(seed).verify_key).hex().encode() + b"\n")
        settled(draft)
        draft.rename(folder / FOLDER)
        settled(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not (folder / FOLDER).is_dir():
            raise


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def settled(folder: Path) -> None:
    """What was made in the folder is there after a power cut too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
