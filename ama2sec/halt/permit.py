"""A permit: one message may be acted on, now (spec halt.6.1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ama2sec._native import Id
from ama2sec.errors import error

if TYPE_CHECKING:
    from ama2sec._native import EngineHalts

__all__ = ["Permit"]


class Permit:
    """For one message and a short time. A tool calls ``check`` right before it acts. ``Agent.permit`` makes it."""

    __slots__ = ("_agent", "_end", "_epoch", "_halts", "message")

    def __init__(self, halts: EngineHalts, message: Id, agent: Id, seconds: float) -> None:
        if not 0 < seconds <= 60:
            raise error("ArgumentRange", "a permit for more than 0 and at most 60 seconds", str(seconds))
        self._halts = halts
        self.message = message
        self._agent = agent
        self._epoch = halts.epoch
        self._end = time.monotonic() + seconds
        halts.check(message, agent)

    def check(self) -> None:
        """Raises ``PermitExpired``, and ``Latched`` where somebody has stopped the message or the agent meanwhile."""
        if time.monotonic() >= self._end:
            raise error("PermitExpired", "a permit that is in time", "one whose time is over")
        if self._halts.epoch != self._epoch or not self._halts.is_clear:
            self._halts.check(self.message, self._agent)

    def __repr__(self) -> str:
        return f"<Permit for {self.message.short}>"
