"""A guard's fallback at work: it answers when the call inside has failed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any

from resilience_stack.core.breaker import Breaker, CircuitBreakerError
from resilience_stack.core.failures import find_failure
from resilience_stack.core.fallback import NO_VALUE, Answer, Fallback, LastGood, Source
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["Chain"]


class Chain:
    """The fallback of one guard, the outermost of its layers.

    Attributes:
        degraded_since_s: Since when calls are answered by it, in seconds since 1970; None while
            they are answered live.
    """

    def __init__(
        self,
        fallback: Fallback,
        breaker: Breaker,
        metrics: GuardMetrics,
        ignored: tuple[type[Exception], ...],
    ) -> None:
        self._fallback = fallback
        self._functions = tuple(fallback.functions())
        self._breaker = breaker
        self._metrics = metrics
        self._ignored = ignored
        self.degraded_since_s: float | None = None

    def ensure_plain(self) -> None:
        """Refuse coroutine functions, which a plain function could not await, see `Fallback`."""
        self._fallback.ensure_plain(self._breaker.name)

    def make_memory(self) -> LastGood | None:
        """Return a memory of last good values; None if the fallback has no use for it."""
        if self._fallback.stale_s is None:
            return None
        return LastGood(self._fallback, self._metrics.count_fallback_failure)

    def note_live(self) -> None:
        """Note a live answer, which ends the degradation."""
        self.degraded_since_s = None

    def answer(
        self,
        error: Exception,
        memory: LastGood | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        function: object = None,
    ) -> Answer[Any]:
        """Answer a call that failed.

        Raises:
            Exception: The error itself, if the fallback has no answer to it; if a function of it
                raised, with that exception as its context.
        """
        stale = self._find_stale(error, memory, args, kwargs, function)
        if stale is not None:
            return stale
        for source, make in self._functions:
            try:
                value = make(*args, **kwargs)
                if isinstance(value, CoroutineType):
                    self._refuse_coroutine(value, source, make)
            except Exception as failure:  # noqa: BLE001 - counted, and kept as context
                self._note_failure(error, failure)
            else:
                return self._note_answer(Answer(value, source))
        raise error

    async def answer_async(
        self,
        error: Exception,
        memory: LastGood | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        function: object = None,
    ) -> Answer[Any]:
        """Answer a coroutine that failed, see `answer`."""
        stale = self._find_stale(error, memory, args, kwargs, function)
        if stale is not None:
            return stale
        for source, make in self._functions:
            try:
                value = make(*args, **kwargs)
                if isinstance(value, Awaitable):
                    value = await value
            except Exception as failure:  # noqa: BLE001 - counted, and kept as context
                self._note_failure(error, failure)
            else:
                return self._note_answer(Answer(value, source))
        raise error

    def _refuse_coroutine(
        self, value: CoroutineType[Any, Any, Any], source: Source, make: Callable[..., Any]
    ) -> None:
        value.close()
        raise self._fallback.refuse_coroutine(self._breaker.name, source, make)

    def _find_stale(
        self,
        error: Exception,
        memory: LastGood | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        function: object,
    ) -> Answer[Any] | None:
        if self._is_for_the_caller(error):
            raise error
        if memory is None:
            return None
        try:
            value, age_s = memory.find(args, kwargs, function)
        except Exception as failure:  # noqa: BLE001 - counted, and kept as context
            self._note_failure(error, failure)
            return None
        if value is NO_VALUE:
            return None
        # What Answer(...) does, at half the cost.
        return self._note_answer(tuple.__new__(Answer, (value, "stale", age_s)))

    def _is_for_the_caller(self, error: Exception) -> bool:
        """Say whether an exception is no reason for a fallback.

        What this guard refused itself is one, whatever the policy ignores: that speaks of answers
        of the dependency, which was not asked. So is what was refused just before the guard was
        forced off.
        """
        is_off = self._breaker.mode == "off"
        if isinstance(error, self._fallback.unless):
            return True
        if not is_off and not isinstance(error, self._ignored):
            return False
        if is_off and not isinstance(error, CircuitBreakerError):
            return True
        failure = find_failure(error)
        if failure is None or failure.category != "rejected":
            return True
        return failure.guard != self._breaker.name

    def _note_answer(self, answer: Answer[Any]) -> Answer[Any]:
        self._metrics.count_fallback[answer.source]()
        if self.degraded_since_s is None:
            self.degraded_since_s = time.time()
        return answer

    def _note_failure(self, error: Exception, failure: Exception) -> None:
        self._metrics.count_fallback_failure()
        # The failure was raised while the error was handled: its chain leads to it. Turn it round.
        last: BaseException = failure
        while last.__context__ is not None and last.__context__ is not error:
            last = last.__context__
        last.__context__ = error.__context__
        error.__context__ = failure
