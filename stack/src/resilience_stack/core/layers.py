"""The three layers around a call: metrics around a retry around a breaker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from resilience_stack.core.attempt_loop import AttemptLoop
from resilience_stack.core.bulkhead import Slots
from resilience_stack.core.chain import Chain
from resilience_stack.core.retry import NO_RETRY
from resilience_stack.metrics.durations import FULL

__all__ = ["Layers"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Layers(AttemptLoop):
    """Puts the layers of one guard around functions.

    What a call that succeeds needs is a local name of the closures below: theirs is the path whose
    cost is tracked. Whatever fails goes on in the methods, and has no local names: each is an
    object that is read at every call, and after a real call it is no longer in the cache.
    """

    slots: Slots | None = None
    """The places of the bulkhead, if there is one."""

    def around(
        self, function: Callable[Parameters, Result], chain: Chain | None = None
    ) -> Callable[Parameters, Result]:
        """Return a plain function with the layers around it; a chain is for `FullLayers`."""
        del chain
        call: Callable[..., Result] = function
        breaker, noted_s, clock = self._breaker, self._metrics.success.noted_s, perf_counter

        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            started_s = clock()
            epoch = breaker.calm
            if not epoch and not (epoch := breaker.admit()):
                raise self.refuse(started_s)
            try:
                result = call(*args, **kwargs) if kwargs else call(*args)
            except BaseException as error:
                wait_s = self._fail(error, epoch, started_s, 1)
                if wait_s == NO_RETRY:
                    raise
            else:
                if breaker.calm != epoch:
                    breaker.report(epoch, None)
                noted_s.append(clock() - started_s)
                if len(noted_s) >= FULL:
                    self._metrics.success.fold()
                return result
            return self._retry(call, args, kwargs, started_s, wait_s)

        return guarded

    def around_async(
        self, function: Callable[Parameters, Awaitable[Result]], chain: Chain | None = None
    ) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
        """Return a function whose result is awaited with the layers around it."""
        del chain
        call: Callable[..., Awaitable[Result]] = function
        breaker, noted_s, clock = self._breaker, self._metrics.success.noted_s, perf_counter

        async def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            started_s = clock()
            epoch = breaker.calm
            if not epoch and not (epoch := breaker.admit()):
                raise self.refuse(started_s)
            try:
                result = await (call(*args, **kwargs) if kwargs else call(*args))
            except BaseException as error:
                wait_s = self._fail(error, epoch, started_s, 1)
                if wait_s == NO_RETRY:
                    raise
            else:
                if breaker.calm != epoch:
                    breaker.report(epoch, None)
                noted_s.append(clock() - started_s)
                if len(noted_s) >= FULL:
                    self._metrics.success.fold()
                return result
            return await self._retry_async(call, args, kwargs, started_s, wait_s)

        return guarded
