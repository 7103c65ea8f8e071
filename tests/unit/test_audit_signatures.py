"""Ed25519 as the verifier has it: RFC 8032's own vectors, a library's opinion, and what is no signature."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from agent.audit.ed25519 import genuine
from agent.audit.key import fast

VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
)
"""Public key, message, signature: section 7.1, tests 1 to 3."""
ORDER = 2**252 + 27742317777372353535851937790883648493
KEY = SigningKey(b"\x07" * 32)
PUBLIC = bytes(KEY.verify_key)
SIGNATURE = KEY.sign(b"text").signature


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_of_the_standard_hold(vector: tuple[str, str, str]) -> None:
    public, text, signature = (bytes.fromhex(part) for part in vector)
    assert genuine(public, text, signature)
    assert fast(public, text, signature)
    assert not genuine(public, text + b"!", signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_what_a_library_signs_is_genuine_and_one_bit_of_it_is_not(seed: bytes, text: bytes, bit: int) -> None:
    key = SigningKey(seed)
    signature = key.sign(text).signature
    flipped = (int.from_bytes(signature, "little") ^ (1 << bit)).to_bytes(64, "little")
    assert genuine(bytes(key.verify_key), text, signature)
    assert not genuine(bytes(key.verify_key), text, flipped)


@pytest.mark.parametrize("check", [genuine, fast])
@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (b"", SIGNATURE),
        (PUBLIC[:31], SIGNATURE),
        (PUBLIC + b"\0", SIGNATURE),
        (PUBLIC, b""),
        (PUBLIC, SIGNATURE[:63]),
        (PUBLIC, SIGNATURE + b"\0"),
        (b"\xff" * 32, SIGNATURE),
        (PUBLIC, SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER).to_bytes(32, "little")),
        ((1).to_bytes(32, "little"), (1).to_bytes(32, "little") + bytes(32)),
    ],
    ids=["no key", "short key", "long key", "nothing", "short", "long", "no point", "another form", "a key of order 1"],
)
def test_what_is_no_signature_is_not_genuine(check: object, public: bytes, signature: bytes) -> None:
    assert not check(public, b"text", signature)  # type: ignore[operator]


@pytest.mark.parametrize("check", [genuine, fast])
@pytest.mark.parametrize("y", [1, 2**255 - 18], ids=["as it is written", "with the prime added"])
def test_a_point_has_one_form(check: object, y: int) -> None:
    """The owner of a key can sign with the neutral point; written in a second way it would make a second signature."""
    digest = hashlib.sha512(b"\x07" * 32).digest()
    scalar = (int.from_bytes(digest[:32], "little") & ((1 << 254) - 8)) | (1 << 254)
    r = y.to_bytes(32, "little")
    k = int.from_bytes(hashlib.sha512(r + PUBLIC + b"text").digest(), "little")
    signature = r + (k * scalar % ORDER).to_bytes(32, "little")
    assert check(PUBLIC, b"text", signature) is (y == 1 and check is genuine)  # type: ignore[operator]
