"""A guard: what its users call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, cast

from resilience_stack.blocks import Block
from resilience_stack.breaker import Breaker
from resilience_stack.layers import Layers
from resilience_stack.metrics import GuardMetrics
from resilience_stack.policy import Policy
from resilience_stack.retry import Retries

__all__ = ["Guard"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Guard:
    """A retry around a breaker around a call, counted and timed by outcome.

    It is a decorator of plain functions and coroutine functions; ``call`` and ``call_async`` do
    the same for one call, and ``context`` for a block.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        metrics: GuardMetrics,
        sleep: Callable[[float], None],
        async_sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self.policy = policy
        self._metrics = metrics
        self._breaker = Breaker(name, policy, metrics.breaker_went)
        retries = Retries(
            policy,
            allowed=self._breaker.allows_retry,
            on_retry=metrics.retry,
            sleep=sleep,
            async_sleep=async_sleep,
        )
        self._layers = Layers(self._breaker, retries, metrics)

    @property
    def state(self) -> str:
        """The breaker's state: closed, half-open or open."""
        return self._breaker.state

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function, plain or a coroutine function, with the guard around it.

        Raises:
            TypeError: If it is a generator function, whose work begins when it has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise self._returns_first(function, "a generator function")
        around: Callable[..., Any] = self._layers.around
        if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):
            around = self._layers.around_async
        return cast("Callable[Parameters, Result]", functools.wraps(function)(around(function)))

    def call(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a plain function through the breaker, again if it fails.

        Returns:
            What the function returns.

        Raises:
            CircuitBreakerError: If the breaker is open: the function was not called.
            TypeError: If the function returns a coroutine; ``call_async`` is for those.
            BaseException: The last attempt's own exception.
        """
        result = self._layers.around(function)(*args, **kwargs)
        if isinstance(result, CoroutineType):
            result.close()
            raise self._returns_first(function, "a coroutine function")
        return result

    async def call_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function and await what it returns; else like ``call``."""
        return await self._layers.around_async(function)(*args, **kwargs)

    def context(self) -> Block:
        """Return what guards one ``with`` or ``async with`` block.

        The block cannot be run again, so nothing is retried.
        """
        return Block(self._breaker, self._metrics)

    def _returns_first(self, function: Callable[..., object], kind: str) -> TypeError:
        return TypeError(
            f"guard {self.name!r} cannot be put around {function!r}, {kind}: it would end before "
            "the work begins; expected a plain function, or a coroutine function with the "
            "decorator or call_async"
        )
