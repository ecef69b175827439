"""Ask either implementation, in this process, as ``python -m ama2sec.conform`` would."""

from __future__ import annotations

import json
from typing import Any, Final

from ama2sec.conform import answer

IMPLEMENTATIONS: Final = ("rust", "reference")


def ask(implementation: str, **question: Any) -> dict[str, Any]:
    """The answer to one question; bytes are written as hex."""
    line = json.dumps({name: value.hex() if isinstance(value, bytes) else value for name, value in question.items()})
    found: dict[str, Any] = json.loads(answer(line.encode(), implementation))
    return found


def code(implementation: str, **question: Any) -> str:
    """Its code alone."""
    found: str = ask(implementation, **question)["code"]
    return found


def same_code(**question: Any) -> str:
    """The code that both give, twice: a verdict does not depend on what was asked before."""
    codes = {code(implementation, **question) for implementation in IMPLEMENTATIONS * 2}
    assert len(codes) == 1, (codes, question)
    return codes.pop()
