"""All layers around a call: a fallback and limits around the three of `Layers`."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar

from resilience_stack.core.breaker import Breaker
from resilience_stack.core.bulkhead import Slots
from resilience_stack.core.chain import Chain
from resilience_stack.core.deadline import DEADLINE, NEVER, DeadlineExceededError
from resilience_stack.core.layers import Layers
from resilience_stack.core.policy import Policy
from resilience_stack.core.retry import NO_RETRY, Retries
from resilience_stack.core.timers import Timer
from resilience_stack.metrics.durations import FULL
from resilience_stack.metrics.registry import GuardMetrics

__all__ = ["FullLayers"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
RETRY: Final[Any] = object()
"""Stands for the result of a first attempt that is to be retried."""


class FullLayers(Layers):
    """The layers of a guard that has a deadline, a bulkhead or a fallback.

    From the outside in: fallback, bulkhead, deadline, metrics, retry, breaker. They are one
    function each for plain functions and for coroutines: another function around a function costs
    as much as a layer does.
    """

    def __init__(
        self, breaker: Breaker, retries: Retries, metrics: GuardMetrics, policy: Policy
    ) -> None:
        super().__init__(breaker, retries, metrics)
        self._seconds = policy.deadline_s or NEVER
        self._timer = Timer() if policy.deadline_s else None
        bulkhead = policy.bulkhead
        self.slots = Slots(bulkhead.limit, bulkhead.wait_s, breaker.name) if bulkhead else None
        self._too_long = f"guard {breaker.name!r}: the call took longer than {self._seconds:g} s"
        self._no_time = f"guard {breaker.name!r}: the deadline of the enclosing call has passed"

    def around(  # noqa: C901, PLR0915 - one function on purpose, see above
        self, function: Callable[Parameters, Result], chain: Chain | None = None
    ) -> Callable[Parameters, Result]:
        """Return a plain function with the layers around it.

        Args:
            function: What is guarded.
            chain: Answers when the call fails; None to let the exception out.
        """
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note, fail, retry, slots = noted_s.append, self._fail, self._retry, self.slots
        get_deadline, set_deadline, reset_deadline = DEADLINE.get, DEADLINE.set, DEADLINE.reset
        seconds, memory = self._seconds, chain.make_memory() if chain else None
        values = None if memory is None or memory.has_own_key else memory.values

        def guarded(  # noqa: C901, PLR0912 - likewise
            *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> Result:
            try:
                started_s = clock()
                ends_s = started_s + seconds
                if (enclosing_s := get_deadline()) < ends_s:
                    ends_s = self._clip(enclosing_s, started_s)
                if slots is not None:
                    self._enter(slots, ends_s, started_s)
                token = set_deadline(ends_s)
                try:
                    epoch = breaker.calm
                    try:
                        if not epoch:
                            epoch = admit()
                        result = function(*args, **kwargs)
                    except BaseException as error:
                        wait_s = fail(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        result = retry(function, args, kwargs, started_s, wait_s)
                    else:
                        if breaker.calm != epoch:
                            report(epoch, None)
                        note(clock() - started_s)
                        if len(noted_s) >= FULL:
                            success.fold()
                finally:
                    reset_deadline(token)
                    if slots is not None:
                        slots.leave()
            except Exception as error:
                if chain is None:
                    raise
                value: Result = chain.answer(error, memory, args, kwargs).value
                return value
            if chain is not None:
                if memory is not None:
                    if kwargs or values is None or len(values) >= memory.entries:
                        memory.keep(result, args, kwargs)
                    else:
                        try:
                            values[args] = result, clock()
                        except TypeError:  # arguments that cannot be hashed
                            pass
                if chain.degraded_since_s is not None:
                    chain.note_live()
            return result

        return guarded

    def around_async(  # noqa: C901, PLR0915 - likewise
        self, function: Callable[Parameters, Awaitable[Result]], chain: Chain | None = None
    ) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
        """Return a function whose result is awaited with the layers around it, see `around`."""
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note, fail, retry, slots = noted_s.append, self._fail_async, self._retry_async, self.slots
        get_deadline, set_deadline, reset_deadline = DEADLINE.get, DEADLINE.set, DEADLINE.reset
        seconds, timer, memory = self._seconds, self._timer, chain.make_memory() if chain else None
        values = None if memory is None or memory.has_own_key else memory.values

        async def guarded(  # noqa: C901, PLR0912, PLR0915 - likewise
            *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> Result:
            try:
                started_s = clock()
                ends_s = started_s + seconds
                if (enclosing_s := get_deadline()) < ends_s:
                    ends_s = self._clip(enclosing_s, started_s)
                if slots is not None:
                    await self._enter_async(slots, ends_s, started_s)
                token = set_deadline(ends_s)
                try:
                    epoch = breaker.calm
                    try:
                        if not epoch:
                            epoch = admit()
                        awaited = function(*args, **kwargs)
                        if timer is None or type(awaited) is not CoroutineType:
                            result = await self._await(awaited, ends_s)
                        else:
                            # Most of a timer's cost is saved for calls that do not wait at all.
                            try:
                                waited_for = awaited.send(None)
                            except StopIteration as done:
                                result = done.value
                            else:
                                steps = awaited.__await__()
                                result = await timer.finish(steps, waited_for, ends_s)
                    except BaseException as error:
                        wait_s = fail(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        awaited = retry(function, args, kwargs, started_s, wait_s)
                        result = await self._await(awaited, ends_s)
                    else:
                        if breaker.calm != epoch:
                            report(epoch, None)
                        note(clock() - started_s)
                        if len(noted_s) >= FULL:
                            success.fold()
                finally:
                    reset_deadline(token)
                    if slots is not None:
                        slots.leave()
            except Exception as error:
                if chain is None:
                    raise
                value: Result = (await chain.answer_async(error, memory, args, kwargs)).value
                return value
            if chain is not None:
                if memory is not None:
                    if kwargs or values is None or len(values) >= memory.entries:
                        memory.keep(result, args, kwargs)
                    else:
                        try:
                            values[args] = result, clock()
                        except TypeError:  # arguments that cannot be hashed
                            pass
                if chain.degraded_since_s is not None:
                    chain.note_live()
            return result

        return guarded

    def _clip(self, enclosing_s: float, started_s: float) -> float:
        """Return the deadline of the enclosing call, which comes first.

        Raises:
            DeadlineExceededError: If it has passed: the call is not begun.
        """
        if enclosing_s > started_s:
            return enclosing_s
        error = DeadlineExceededError(self._no_time)
        self.reject(error, started_s, attempt=0)
        raise error

    def _enter(self, slots: Slots, ends_s: float, started_s: float) -> None:
        try:
            slots.enter(ends_s)
        except Exception as error:
            self.reject(error, started_s, attempt=0)
            raise

    async def _enter_async(self, slots: Slots, ends_s: float, started_s: float) -> None:
        try:
            await slots.enter_async(ends_s)
        except Exception as error:
            self.reject(error, started_s, attempt=0)
            raise

    def _await(self, awaitable: Awaitable[Result], ends_s: float) -> Awaitable[Result]:
        return awaitable if self._timer is None else self._timer.run(awaitable, ends_s)

    def _explain(self, error: BaseException, epoch: int, started_s: float, attempt: int) -> None:
        """Raise the error of the deadline, if that is why a coroutine was cancelled."""
        if not (isinstance(error, CancelledError) and self._timer and self._timer.absorb()):
            return
        exceeded = DeadlineExceededError(self._too_long)
        if epoch:
            self._breaker.report(epoch, exceeded)
        self.give_up(exceeded, started_s, attempt)
        try:
            raise exceeded from error
        finally:
            del exceeded  # else its traceback would keep it, in a cycle
