"""Seals the holdout: whoever holds the public key can close it, only the private key opens it."""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from tools.language import tr
from tools.recipes.faults import BadInput, Fault


def seal(content: bytes, public: bytes) -> bytes:
    """The content, readable by the holder of the private key alone. `public` is the raw 32-byte key."""
    return bytes(SealedBox(PublicKey(public)).encrypt(content))


def unseal(sealed: bytes, private: bytes) -> bytes:
    """What was sealed. BadInput when the key is another one or the content was altered."""
    try:
        return bytes(SealedBox(PrivateKey(private)).decrypt(sealed))
    except CryptoError as error:
        fault = Fault(
            place="holdout", problem=tr("does not open with this key"), fix=tr("evaluate in the run that prepared it")
        )
        raise BadInput([fault]) from error
