"""Errors that carry no secret: not in their text, and not in the variables of the calls that they came through."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["forgetful"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def forgetful(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Drop the traceback inside a function that handles a passphrase or a seed, or may be given a key file for another.

    Loggers and crash reporters print the variables of every frame that an exception came through, and of every exception
    that it replaced. What the caller's own frames hold is the caller's to keep (spec errors.1.3).
    """

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except BaseException as fault:  # noqa: BLE001  it is raised again, whatever it is
            # This frame is in the traceback, too.
            del args, kwargs
            fault.__context__ = fault.__cause__ = None
            raise fault.with_traceback(None) from None

    return wrapper
