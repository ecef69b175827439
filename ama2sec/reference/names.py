"""The form of a name (spec identity.3.1)."""

from __future__ import annotations

import re
from typing import Final

from ama2sec.errors import error
from ama2sec.limits import MAX_NAME

_ALPHABET: Final = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


def check_name(text: str) -> str:
    """The text, if it is a name; else ``NameForm``."""
    if len(text) <= MAX_NAME and _ALPHABET.fullmatch(text) and ".." not in text and not text.endswith("."):
        return text
    raise error("NameForm", f"a name: 1 to {MAX_NAME} of a-z 0-9 . _ -", ascii(text[:MAX_NAME]))
