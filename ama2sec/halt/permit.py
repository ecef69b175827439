"""A permit: one message may be acted on, now (spec halt.6.1)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ama2sec._native import Id
from ama2sec.errors import error

if TYPE_CHECKING:
    from ama2sec._native import EngineHalts

__all__ = ["Permit"]


class Permit:
    """For one message and a short time. A tool calls ``check`` right before it acts. ``Agent.permit`` makes it; ``stands`` raises where the
    message itself no longer does."""

    __slots__ = ("_agent", "_end", "_epoch", "_halts", "_stands", "message")

    def __init__(
        self, halts: EngineHalts, message: Id, agent: Id, seconds: float, stands: Callable[[], None] = lambda: None
    ) -> None:
        if not 0 < seconds <= 60:
            raise error("ArgumentRange", "a permit for more than 0 and at most 60 seconds", str(seconds))
        self._halts = halts
        self.message = message
        self._agent = agent
        self._stands = stands
        self._epoch = halts.epoch
        self._end = time.monotonic() + seconds
        halts.check(message, agent)

    def check(self) -> None:
        """Raises ``PermitExpired``; ``Latched`` where somebody has stopped the message or the agent meanwhile; ``MessageUndone``."""
        if time.monotonic() >= self._end:
            raise error("PermitExpired", "a permit that is in time", "one whose time is over")
        if self._halts.epoch != self._epoch or not self._halts.is_clear:
            self._halts.check(self.message, self._agent)
        self._stands()

    def __repr__(self) -> str:
        return f"<Permit for {self.message.short}>"
