"""All layers around a call: a fallback and limits around the three of `Layers`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar

from resilience_stack.core.chain import Chain
from resilience_stack.core.deadline import DEADLINE
from resilience_stack.core.limited_layers import LimitedLayers
from resilience_stack.core.retry import NO_RETRY
from resilience_stack.core.timers import ENDED, collect
from resilience_stack.metrics.durations import FULL

__all__ = ["FullLayers"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
RETRY: Final[Any] = object()
"""Stands for the result of a first attempt that is to be retried."""


class FullLayers(LimitedLayers):
    """The layers of a guard that has a deadline, a bulkhead or a fallback.

    From the outside in: fallback, bulkhead, deadline, metrics, retry, breaker. They are one
    function each for plain functions and for coroutines: another function around a function costs
    as much as a layer does.
    """

    def around(  # noqa: C901, PLR0915 - one function on purpose, see above
        self, function: Callable[Parameters, Result], chain: Chain | None = None
    ) -> Callable[Parameters, Result]:
        """Return a plain function with the layers around it.

        Args:
            function: What is guarded.
            chain: Answers when the call fails; None to let the exception out.
        """
        call: Callable[..., Result] = function
        breaker, noted_s, clock = self._breaker, self._metrics.success.noted_s, perf_counter
        deadline, seconds = DEADLINE, self._seconds
        free, waiting = (self.slots.free, self.slots.waiting) if self.slots else (None, None)
        memory = chain.make_memory() if chain else None
        values = None if memory is None or memory.has_own_key else memory.values

        def guarded(  # noqa: C901, PLR0912, PLR0915 - likewise
            *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> Result:
            try:
                started_s = clock()
                ends_s = started_s + seconds
                if (enclosing_s := deadline.get()) < ends_s:
                    ends_s = self._clip(enclosing_s, started_s)
                if free is not None:
                    try:  # what `Slots.take` does
                        has_place = not waiting and free.pop() is None
                    except IndexError:
                        has_place = False
                    if not has_place:
                        self._enter(ends_s, started_s)
                token = deadline.set(ends_s) if ends_s != enclosing_s else None
                try:
                    epoch = breaker.calm
                    if not epoch and not (epoch := breaker.admit()):
                        raise self.refuse(started_s)
                    try:
                        result = call(*args, **kwargs) if kwargs else call(*args)
                    except BaseException as error:
                        wait_s = self._fail(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        result = self._retry(call, args, kwargs, started_s, wait_s)
                        ended_s = clock()
                    else:
                        if breaker.calm != epoch:
                            breaker.report(epoch, None)
                        ended_s = clock()
                        noted_s.append(ended_s - started_s)
                        if len(noted_s) >= FULL:
                            self._metrics.success.fold()
                finally:
                    if token is not None:
                        deadline.reset(token)
                    if free is not None:  # what `Slots.leave` does
                        free.append(None)
                        if waiting:
                            self._hand_out()
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
                            values[args] = result, ended_s
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
        call: Callable[..., Awaitable[Result]] = function
        breaker, noted_s, clock = self._breaker, self._metrics.success.noted_s, perf_counter
        deadline, seconds = DEADLINE, self._seconds
        free, waiting = (self.slots.free, self.slots.waiting) if self.slots else (None, None)
        timer, memory = self._timer, chain.make_memory() if chain else None
        values = None if memory is None or memory.has_own_key else memory.values

        async def guarded(  # noqa: C901, PLR0912, PLR0915 - likewise
            *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> Result:
            try:
                started_s = clock()
                ends_s = started_s + seconds
                if (enclosing_s := deadline.get()) < ends_s:
                    ends_s = self._clip(enclosing_s, started_s)
                if free is not None:
                    try:  # what `Slots.take` does
                        has_place = not waiting and free.pop() is None
                    except IndexError:
                        has_place = False
                    if not has_place:
                        await self._enter_async(ends_s, started_s)
                token = deadline.set(ends_s) if ends_s != enclosing_s else None
                try:
                    epoch = breaker.calm
                    if not epoch and not (epoch := breaker.admit()):
                        raise self.refuse(started_s)
                    try:
                        awaited = call(*args, **kwargs) if kwargs else call(*args)
                        if timer is None:
                            result = await awaited
                        elif type(awaited) is not CoroutineType:
                            result = await timer.run(awaited, ends_s)
                        else:
                            # Most of a timer's cost is saved for calls that do not wait at all.
                            results: list[Result] = []
                            steps = collect(awaited, results)
                            if (waited_for := next(steps, ENDED)) is not ENDED:
                                await timer.finish(steps, waited_for, ends_s)
                            result = results[0]
                    except BaseException as error:
                        wait_s = self._fail_async(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        awaited = self._retry_async(call, args, kwargs, started_s, wait_s)
                        result = await self._await(awaited, ends_s)
                        ended_s = clock()
                    else:
                        if breaker.calm != epoch:
                            breaker.report(epoch, None)
                        ended_s = clock()
                        noted_s.append(ended_s - started_s)
                        if len(noted_s) >= FULL:
                            self._metrics.success.fold()
                finally:
                    if token is not None:
                        deadline.reset(token)
                    if free is not None:  # what `Slots.leave` does
                        free.append(None)
                        if waiting:
                            self._hand_out()
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
                            values[args] = result, ended_s
                        except TypeError:  # arguments that cannot be hashed
                            pass
                if chain.degraded_since_s is not None:
                    chain.note_live()
            return result

        return guarded
