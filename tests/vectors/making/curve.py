"""edwards25519 in affine coordinates, slow and plain, for the keys and signatures that no library makes."""

from __future__ import annotations

import hashlib
from functools import cache

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
_ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]

ZERO: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """The sum; the formula is complete."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - t, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    """``scalar`` times the point; the scalar is not reduced."""
    found = ZERO
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point = add(point, point)
        scalar >>= 1
    return found


def x_of(y: int, sign: int) -> int | None:
    """The x with this sign bit (of a root 0 the sign is ignored), or None where y is on no point."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * _ROOT % P
    if x * x % P != square:
        return None
    return P - x if x & 1 != sign and x else x


def encode(point: Point) -> bytes:
    """The one canonical encoding."""
    x, y = point
    return raw(y, x & 1)


def raw(y: int, sign: int) -> bytes:
    """Any y below 2^255, reduced or not, with a sign bit."""
    return (y | sign << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point | None:
    """A lax decoder: y is reduced and the sign of x = 0 ignored."""
    number = int.from_bytes(data, "little")
    y = number % 2**255 % P
    x = x_of(y, number >> 255)
    return None if x is None else (x, y)


_found = x_of(4 * pow(5, -1, P) % P, 0)
assert _found is not None
BASE: Point = (_found, 4 * pow(5, -1, P) % P)


@cache
def torsion() -> tuple[Point, ...]:
    """The eight points of small order: multiples 0 to 7 of one of order 8."""
    for y in range(2, 100):
        x = x_of(y, 0)
        point = ZERO if x is None else times(L, (x, y))
        if times(4, point) != ZERO:
            return tuple(times(i, point) for i in range(8))
    raise AssertionError


def small_order_encodings() -> list[tuple[bytes, bool]]:
    """All 14 encodings of the eight, each with whether it is the canonical one."""
    canonical = [(encode(point), True) for point in torsion()]
    others = [raw(y + P, sign) for y in (0, 1) for sign in (0, 1)]
    others += [raw(1, 1), raw(P - 1, 1)]
    return canonical + [(data, False) for data in others]


def secret(seed: bytes) -> int:
    """The scalar of a seed (RFC 8032, 5.1.5)."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    return int.from_bytes(digest, "little")


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    """k = SHA-512(R || A || M) mod L."""
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def sign_with(r_scalar: int, r_bytes: bytes, key: bytes, secret_scalar: int, message: bytes) -> bytes:
    """A signature with an R of the maker's choice: S = r + k a."""
    s = (r_scalar + challenge(r_bytes, key, message) * secret_scalar) % L
    return r_bytes + s.to_bytes(32, "little")


def plus_order(signature: bytes, count: int) -> bytes:
    """The same signature with S + count * L."""
    return signature[:32] + (int.from_bytes(signature[32:], "little") + count * L).to_bytes(32, "little")


def rule_s(key: bytes, message: bytes, signature: bytes) -> str:
    """identity.1, step by step: "ok" or the code."""
    if len(key) != 32:
        return "KeyLength"
    if len(signature) != 64:
        return "SignatureLength"
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return "SignatureNotCanonical"
    a = decode(key)
    if a is None or encode(a) != key:
        return "KeyNotCanonical"
    if a == ZERO or times(L, a) != ZERO:
        return "KeyWeak"
    if r == encode(ZERO):
        return "SignatureWeak"
    minus_a = (P - a[0]) % P, a[1]
    expected = add(times(s, BASE), times(challenge(r, key, message), minus_a))
    return "ok" if encode(expected) == r else "SignatureInvalid"
