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
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note, fail, retry, slots = noted_s.append, self._fail, self._retry, self.slots
        refuse = self.refuse
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
                if slots is not None and not slots.take():
                    self._enter(slots, ends_s, started_s)
                token = set_deadline(ends_s) if ends_s != enclosing_s else None
                try:
                    epoch = breaker.calm
                    if not epoch and not (epoch := admit()):
                        raise refuse(started_s)
                    try:
                        result = function(*args, **kwargs)
                    except BaseException as error:
                        wait_s = fail(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        result = retry(function, args, kwargs, started_s, wait_s)
                        ended_s = clock()
                    else:
                        if breaker.calm != epoch:
                            report(epoch, None)
                        ended_s = clock()
                        note(ended_s - started_s)
                        if len(noted_s) >= FULL:
                            success.fold()
                finally:
                    if token is not None:
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
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note, fail, retry, slots = noted_s.append, self._fail_async, self._retry_async, self.slots
        refuse = self.refuse
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
                if slots is not None and not slots.take():
                    await self._enter_async(slots, ends_s, started_s)
                token = set_deadline(ends_s) if ends_s != enclosing_s else None
                try:
                    epoch = breaker.calm
                    if not epoch and not (epoch := admit()):
                        raise refuse(started_s)
                    try:
                        awaited = function(*args, **kwargs)
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
                        wait_s = fail(error, epoch, started_s, 1)
                        if wait_s == NO_RETRY:
                            raise
                        result = RETRY
                    if result is RETRY:
                        awaited = retry(function, args, kwargs, started_s, wait_s)
                        result = await self._await(awaited, ends_s)
                        ended_s = clock()
                    else:
                        if breaker.calm != epoch:
                            report(epoch, None)
                        ended_s = clock()
                        note(ended_s - started_s)
                        if len(noted_s) >= FULL:
                            success.fold()
                finally:
                    if token is not None:
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
                            values[args] = result, ended_s
                        except TypeError:  # arguments that cannot be hashed
                            pass
                if chain.degraded_since_s is not None:
                    chain.note_live()
            return result

        return guarded
