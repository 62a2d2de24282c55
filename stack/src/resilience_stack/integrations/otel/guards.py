"""Guards whose calls are spans, and a manager that gives such guards out."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from opentelemetry import trace

from resilience_stack.core.block import Block
from resilience_stack.core.fallback import Answer, Fallback
from resilience_stack.core.guard import Guard
from resilience_stack.core.manager import STANDARD, ResilienceManager
from resilience_stack.core.policy import Policy
from resilience_stack.core.validation import is_coroutine_function
from resilience_stack.integrations.otel.spans import (
    AsyncAttempts,
    Attempts,
    TracedBlock,
    note_change,
    trace_call,
)

__all__ = ["TracedGuard", "TracedManager"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
TRACER: Final = "resilience_stack"


class TracedGuard(Guard):
    """A guard whose calls are spans; it takes the place of the guard everywhere.

    The span of a call is named ``guard <name>``. Its attributes are ``resilience.guard``,
    ``resilience.outcome`` (success, failure, rejected or fallback), ``resilience.source`` (where
    the answer came from) and ``resilience.attempts``. Each attempt is a child span with
    ``resilience.attempt``, its number. A change of the breaker's state is an event of the span in
    which it happens, which is that of the call that caused it.

    Of each bucket of the latency histogram, the last call with a sampled trace is an exemplar.
    """

    __slots__ = ("_tracer",)

    def __init__(self, guard: Guard, tracer: trace.Tracer | None = None) -> None:
        """Trace the calls of a guard.

        Args:
            guard: Whose calls they are; calls that go past this object are not traced.
            tracer: Makes the spans; by default that of the global provider.
        """
        self.__dict__ = guard.__dict__  # one guard: what is forced here is forced there
        self._tracer = tracer or trace.get_tracer(TRACER)
        self.on_change = note_change

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function, plain or a coroutine function, guarded and traced.

        Raises:
            TypeError: If it is a generator function, whose work begins when it has returned.
        """
        self.refuse_generator(function)
        traced: Callable[..., Any]
        if is_coroutine_function(function):

            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                coroutine_function = cast("Callable[..., Awaitable[Any]]", function)
                return (await self.answer_async(coroutine_function, *args, **kwargs)).value

            traced = traced_async
        else:
            if self._chain is not None:
                self._chain.ensure_plain()

            def traced_plain(*args: Any, **kwargs: Any) -> Any:
                return self.answer(function, *args, **kwargs).value

            traced = traced_plain
        return cast("Callable[Parameters, Result]", functools.wraps(function)(traced))

    def call(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a plain function through the guard, see `Guard.call`."""
        return self.answer(function, *args, **kwargs).value

    async def call_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function and await what it returns, see `Guard.call_async`."""
        return (await self.answer_async(function, *args, **kwargs)).value

    def answer(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Call a plain function, and say where the answer came from, see `Guard.answer`."""
        attempts = Attempts(self._tracer, function)
        with trace_call(self._tracer, self) as call:
            answer: Answer[Result] = super().answer(attempts, *args, **kwargs)
            call.note(answer)
            return answer

    async def answer_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Do the same for a coroutine function, see `Guard.answer_async`."""
        attempts = AsyncAttempts(self._tracer, function)
        with trace_call(self._tracer, self) as call:
            answer: Answer[Result] = await super().answer_async(attempts, *args, **kwargs)
            call.note(answer)
            return answer

    def context(self) -> Block:
        """Return what guards one ``with`` or ``async with`` block; it is one attempt."""
        return TracedBlock(super().context(), self._tracer, self)


class TracedManager(ResilienceManager):
    """A manager whose guards are traced; everything else is as in the one that it is made of.

    What makes guards of its own, such as the transports of httpx, is traced by being given this.
    """

    __slots__ = ("_tracer",)

    def __init__(self, manager: ResilienceManager, tracer: trace.Tracer | None = None) -> None:
        """Trace the guards that are taken from this object.

        Args:
            manager: Keeps the guards.
            tracer: Makes the spans; by default that of the global provider.
        """
        self.__dict__ = manager.__dict__
        self._tracer = tracer or trace.get_tracer(TRACER)

    def guard(
        self, name: str, policy: Policy = STANDARD, fallback: Fallback | None = None
    ) -> TracedGuard:
        """Return the guard of this name, traced, see `ResilienceManager.guard`."""
        return TracedGuard(super().guard(name, policy, fallback), self._tracer)
