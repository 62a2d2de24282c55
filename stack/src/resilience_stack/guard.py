"""A guard: a retry around a breaker around a call, counted by outcome."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from resilience_stack.breaker import Breaker, is_rejection
from resilience_stack.metrics import GuardMetrics
from resilience_stack.policy import Policy
from resilience_stack.retry import Retry

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Guard:
    """A retry around a breaker around a call, counted by outcome: a decorator, or ``call``."""

    def __init__(
        self, name: str, policy: Policy, metrics: GuardMetrics, sleep: Callable[[float], None]
    ) -> None:
        self.name = name
        self.policy = policy
        self._metrics = metrics
        self._breaker = Breaker(name, policy, metrics.breaker_went)
        self._retry = Retry(
            policy, allowed=self._breaker.allows_retry, on_retry=metrics.retry, sleep=sleep
        )

    @property
    def state(self) -> str:
        """The breaker's state: closed, half-open or open."""
        return self._breaker.state

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function with the guard around it.

        Raises:
            TypeError: If the function's work begins only after it has returned.
        """
        _refuse_what_returns_first(self.name, function)

        @wraps(function)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            return self.call(function, *args, **kwargs)

        return guarded

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
            BaseException: The last attempt's own exception.
        """
        # pybreaker has keywords of its own, "func" and "cb", which a function may have as well.
        attempt = partial(function, *args, **kwargs) if args or kwargs else function
        try:
            # The first attempt does without tenacity, which costs more than all the rest.
            result = self._breaker.call(attempt)
        except Exception as error:
            if not self._retry.wants(error):
                self._count(error)
                raise
            failed = [error]
        except BaseException as error:
            self._count(error)
            raise
        else:
            self._metrics.success()
            return result
        return self._call_again(failed, attempt)

    def _call_again(self, failed: list[Exception], attempt: Callable[..., Result]) -> Result:
        try:
            result = self._retry.resume(failed, partial(self._breaker.call, attempt))
        except BaseException as error:
            self._count(error)
            raise
        self._metrics.success()
        return result

    def _count(self, error: BaseException) -> None:
        if is_rejection(error):
            self._metrics.rejected()
        else:
            self._metrics.failure()


def _refuse_what_returns_first(name: str, function: Callable[..., object]) -> None:
    kinds: dict[str, Callable[[object], bool]] = {
        "a coroutine function": inspect.iscoroutinefunction,
        "a generator function": inspect.isgeneratorfunction,
        "an asynchronous generator function": inspect.isasyncgenfunction,
    }
    for kind, is_one in kinds.items():
        if is_one(function):
            message = (
                f"guard {name!r} cannot be put around {function!r}, {kind}: it would end before "
                "the work begins; expected a plain function"
            )
            raise TypeError(message)
