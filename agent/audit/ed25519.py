"""Verifies Ed25519 signatures as RFC 8032 defines them. Standard library only; it cannot sign."""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
"""A square root of -1."""
_BASE_Y = 4 * pow(5, -1, _P) % _P
_Point = tuple[int, int, int, int]
"""Extended coordinates (x, y, z, t): x/z and y/z are the point's own, and xy = tz."""
_NEUTRAL: _Point = (0, 1, 1, 0)


def genuine(public: bytes, text: bytes, signature: bytes) -> bool:
    """Whether the owner of the public key signed that text."""
    base, owner, r = _point(_BASE_Y.to_bytes(32, "little")), _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if base is None or owner is None or r is None or len(signature) != 64 or s >= _L:
        return False
    if _same(_times(8, owner), _NEUTRAL):  # for a key of small order, anybody can make a signature
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % _L
    return _same(_times(s, base), _add(r, _times(k, owner)))


def _point(raw: bytes) -> _Point | None:
    """The point that 32 bytes stand for; None when there is none."""
    y = int.from_bytes(raw, "little")
    odd, y = y >> 255, y & ((1 << 255) - 1)
    if len(raw) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


def _add(a: _Point, b: _Point) -> _Point:
    low = (a[1] - a[0]) * (b[1] - b[0])
    high = (a[1] + a[0]) * (b[1] + b[0])
    c, d = 2 * a[3] * b[3] * _D, 2 * a[2] * b[2]
    e, f, g, h = high - low, d - c, d + c, high + low
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, point: _Point) -> _Point:
    total = _NEUTRAL
    while n:
        if n & 1:
            total = _add(total, point)
        point = _add(point, point)
        n >>= 1
    return total


def _same(a: _Point, b: _Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % _P == 0 and (a[1] * b[2] - b[1] * a[2]) % _P == 0
