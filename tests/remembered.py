"""The reference, which need not work out twice what depends on nothing but bytes.

    with remembering():
        ...

A function is remembered if it is pure and its arguments are bytes, or frozen values made of bytes: then its answer the second time is its
answer the first time, and the reference's verdicts stay its own. What looks at a state (``admit``, ``apply``, what goes into a digest) is
computed each time. A fault is not remembered: who raises is asked again.
"""

from __future__ import annotations

import functools
import marshal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from ama2sec.reference import digest, envelope, rule_s
from ama2sec.reference.codec import Value, encode

_AT_MOST: Final = 1 << 14
_PURE: Final[tuple[tuple[Any, str], ...]] = (
    (rule_s, "_verify"),
    (rule_s, "_check_point"),
    (envelope, "parse_envelope"),
    (envelope, "sig_structure"),
    (envelope, "sign_raw"),
    (envelope, "public_of_seed"),
    (envelope, "thumbprint_of_seed"),
)
_encoded: Final[dict[bytes, bytes]] = {}


def _encode(value: Value) -> bytes:
    """``encode`` of a whole state: remembered by another encoding of it, which tells all values apart and is made faster."""
    key = marshal.dumps(value, 2)  # without references: what is shared in the value is written each time
    found = _encoded.get(key)
    if found is None:
        if len(_encoded) >= _AT_MOST:
            _encoded.clear()
        found = _encoded[key] = encode(value)
    return found


@contextmanager
def remembering() -> Iterator[None]:
    """While it lasts."""
    put = [(getattr(module, name), functools.lru_cache(_AT_MOST)(getattr(module, name))) for module, name in _PURE]
    undo = [_put_everywhere(old, new) for old, new in put]
    digest.encode = _encode
    try:
        yield
    finally:
        digest.encode = encode
        for places, (old, _) in zip(undo, put, strict=True):
            for module, name in places:
                setattr(module, name, old)
        _encoded.clear()


def _put_everywhere(old: Callable[..., Any], new: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Where modules of the reference and of the tests have this function."""
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] in {"ama2sec", "tests"}]
    places = [(module, name) for module in ours for name, has in vars(module).items() if has is old]
    for module, name in places:
        setattr(module, name, new)
    return places
