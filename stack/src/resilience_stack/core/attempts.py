"""The time limit of each attempt, around the function itself."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from resilience_stack.core.deadline import DEADLINE, DeadlineExceededError
from resilience_stack.core.timers import Timer

__all__ = ["AttemptLimit"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class AttemptLimit:
    """The limit of the attempts of one guard, within the deadline of the call."""

    def __init__(self, guard: str, seconds: float) -> None:
        self._seconds = seconds
        self._timer = Timer()
        self._message = f"guard {guard!r}: an attempt took longer than {seconds:g} s"

    def around(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the plain function with the limit known to whom it calls."""

        def limited(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            token = DEADLINE.set(min(perf_counter() + self._seconds, DEADLINE.get()))
            try:
                return function(*args, **kwargs)
            finally:
                DEADLINE.reset(token)

        return limited

    def around_async(
        self, function: Callable[Parameters, Awaitable[Result]]
    ) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
        """Return the coroutine function, cancelled when its time is up."""

        async def limited(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            ends_s = perf_counter() + self._seconds
            token = DEADLINE.set(min(ends_s, DEADLINE.get()))
            try:
                return await self._timer.run(function(*args, **kwargs), ends_s)
            except CancelledError as error:
                if self._timer.absorb(ends_s):
                    raise DeadlineExceededError(self._message) from error
                raise
            finally:
                DEADLINE.reset(token)

        return limited
