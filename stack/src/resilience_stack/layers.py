"""The three layers around a call: metrics around a retry around a breaker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from resilience_stack.blocks import Passage
from resilience_stack.breaker import Breaker
from resilience_stack.durations import FULL
from resilience_stack.metrics import GuardMetrics
from resilience_stack.retry import Retries, Run

__all__ = ["Layers"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Layers:
    """Puts the layers of one guard around functions.

    What a call that succeeds needs is a local name of the closures below, and the first attempt
    does without tenacity: theirs is the path whose cost is tracked.
    """

    def __init__(self, breaker: Breaker, retries: Retries, metrics: GuardMetrics) -> None:
        self._breaker = breaker
        self._retries = retries
        self._metrics = metrics

    def around(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return a plain function with the layers around it."""
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note = noted_s.append

        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            started_s = clock()
            epoch = breaker.calm
            try:
                if not epoch:
                    epoch = admit()
                result = function(*args, **kwargs)
            except BaseException as error:
                run = self._run_after(error, epoch, started_s)
                if run is None:
                    raise
            else:
                if breaker.calm != epoch:
                    report(epoch, None)
                note(clock() - started_s)
                if len(noted_s) >= FULL:
                    success.fold()
                return result
            return self._again(run, started_s, partial(function, *args, **kwargs))

        return guarded

    def around_async(
        self, function: Callable[Parameters, Awaitable[Result]]
    ) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
        """Return a function whose result is awaited with the layers around it."""
        breaker, admit, report = self._breaker, self._breaker.admit, self._breaker.report
        success, noted_s, clock = self._metrics.success, self._metrics.success.noted_s, perf_counter
        note = noted_s.append

        async def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            started_s = clock()
            epoch = breaker.calm
            try:
                if not epoch:
                    epoch = admit()
                result = await function(*args, **kwargs)
            except BaseException as error:
                run = self._run_after(error, epoch, started_s)
                if run is None:
                    raise
            else:
                if breaker.calm != epoch:
                    report(epoch, None)
                note(clock() - started_s)
                if len(noted_s) >= FULL:
                    success.fold()
                return result
            return await self._again_async(run, started_s, partial(function, *args, **kwargs))

        return guarded

    def _run_after(self, error: BaseException, epoch: int, started_s: float) -> Run | None:
        """Report a first attempt that raised; count the call, unless it is to be retried."""
        run = None
        if epoch:
            self._breaker.report(epoch, error)
            run = self._retries.after(error)
        if run is None:
            self._metrics.end(started_s, error, rejected=not epoch)
        return run

    def _again(self, run: Run, started_s: float, call: Callable[[], Result]) -> Result:
        passage = Passage(self._breaker)
        try:
            result = run.resume(passage, call)
        except BaseException as error:
            self._metrics.end(started_s, error, rejected=passage.rejected)
            raise
        self._metrics.end(started_s)
        return result

    async def _again_async(
        self, run: Run, started_s: float, call: Callable[[], Awaitable[Result]]
    ) -> Result:
        passage = Passage(self._breaker)
        try:
            result = await run.resume_async(passage, call)
        except BaseException as error:
            self._metrics.end(started_s, error, rejected=passage.rejected)
            raise
        self._metrics.end(started_s)
        return result
