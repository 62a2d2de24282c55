"""What happens at the end of an attempt: reported, counted, explained, tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from logging import DEBUG
from time import perf_counter
from typing import Any, TypeVar

from resilience_stack.core.breaker import Breaker, CircuitBreakerError
from resilience_stack.core.events import LOGGER, log_rejection
from resilience_stack.core.failures import Category, annotate, categorize
from resilience_stack.core.retry import NO_RETRY, Retries
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["AttemptLoop"]

Result = TypeVar("Result")


class AttemptLoop:
    """The attempts of a guard's calls, but for the first one, which `Layers` makes itself."""

    def __init__(self, breaker: Breaker, retries: Retries, metrics: GuardMetrics) -> None:
        self._breaker = breaker
        self._retries = retries
        self._metrics = metrics

    def succeed(self, epoch: int, started_s: float) -> None:
        """Report and count a call that succeeded, other than in the closures above."""
        if self._breaker.calm != epoch:
            self._breaker.report(epoch, None)
        self._metrics.success.note(perf_counter() - started_s)

    def refuse(self, started_s: float) -> CircuitBreakerError:
        """Count a call that the breaker does not admit, and return the exception for it.

        The exception says all that is known: the breaker has made its context for all such calls.
        """
        self._metrics.rejected.note(perf_counter() - started_s)
        if LOGGER.isEnabledFor(DEBUG):
            log_rejection(self._breaker.name, self._breaker.state)
        return self._breaker.refuse()

    def reject(self, error: BaseException, started_s: float, attempt: int) -> None:
        """Count a call that was not made, or whose last attempt was not; say so in its error."""
        elapsed_s = perf_counter() - started_s
        self._metrics.rejected.note(elapsed_s)
        breaker = self._breaker
        annotate(error, breaker.name, attempt, elapsed_s, breaker.state, "rejected")
        if LOGGER.isEnabledFor(DEBUG):
            log_rejection(breaker.name, breaker.state)

    def give_up(self, error: BaseException, started_s: float, attempt: int) -> None:
        """Count a call whose last attempt failed, and say so in its exception."""
        elapsed_s = perf_counter() - started_s
        if isinstance(error, self._metrics.answers):
            self._metrics.success.note(elapsed_s)
            category: Category = "answer"
        else:
            self._metrics.failure.note(elapsed_s)
            category = categorize(error)
        if isinstance(error, Exception):
            breaker = self._breaker
            annotate(error, breaker.name, attempt, elapsed_s, breaker.state, category)

    def _fail(self, error: BaseException, epoch: int, started_s: float, attempt: int) -> float:
        """Report an attempt that raised; count the call, unless it is to be retried.

        Returns:
            How many seconds to wait before the next attempt, or `NO_RETRY`.
        """
        self._breaker.report(epoch, error)
        retries = self._retries
        wait_s = retries.wait_after(error, attempt) if retries.has_rules else NO_RETRY
        if wait_s == NO_RETRY:
            self.give_up(error, started_s, attempt)
        return wait_s

    def _fail_async(
        self, error: BaseException, epoch: int, started_s: float, attempt: int
    ) -> float:
        """Do as `_fail` does, with what a coroutine raised."""
        self._explain(error, epoch, started_s, attempt)
        return self._fail(error, epoch, started_s, attempt)

    def _explain(self, error: BaseException, epoch: int, started_s: float, attempt: int) -> None:
        """Raise another error if there is a better one; here there is none."""

    def _admit_again(self, started_s: float, attempt: int) -> int:
        """Ask the breaker for another attempt: it may have opened since the last one.

        Raises:
            CircuitBreakerError: If it has; the call is counted as rejected.
        """
        epoch = self._breaker.calm or self._breaker.admit()
        if not epoch:
            error = self._breaker.refuse()
            self.reject(error, started_s, attempt - 1)
            raise error
        return epoch

    def _retry(
        self,
        function: Callable[..., Result],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        started_s: float,
        wait_s: float,
    ) -> Result:
        attempt = 1
        while True:
            try:
                self._retries.sleep(wait_s)
            except BaseException as error:
                self.give_up(error, started_s, attempt)
                raise
            attempt += 1
            epoch = self._admit_again(started_s, attempt)
            self._retries.on_retry()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                wait_s = self._fail(error, epoch, started_s, attempt)
                if wait_s == NO_RETRY:
                    raise
            else:
                self.succeed(epoch, started_s)
                return result

    async def _retry_async(
        self,
        function: Callable[..., Awaitable[Result]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        started_s: float,
        wait_s: float,
    ) -> Result:
        attempt = 1
        while True:
            try:
                await self._retries.async_sleep(wait_s)
            except BaseException as error:
                self._explain(error, 0, started_s, attempt)
                self.give_up(error, started_s, attempt)
                raise
            attempt += 1
            epoch = self._admit_again(started_s, attempt)
            self._retries.on_retry()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                wait_s = self._fail_async(error, epoch, started_s, attempt)
                if wait_s == NO_RETRY:
                    raise
            else:
                self.succeed(epoch, started_s)
                return result
