"""Every target's judge: it answers with the code that an input gets, and raises where something does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fuzz.atheris import agree, following, proving

JUDGES: Final[dict[str, Callable[[bytes], str]]] = {
    "codec": agree.codec,
    "envelope": agree.envelope,
    "transcript": agree.transcript,
    "proof": proving.proof,
    "lightclient": following.lightclient,
}
