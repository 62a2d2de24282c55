"""OpenTelemetry: a guarded call is a span, and each of its attempts a child."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter, time
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience_stack.core.failures import find_failure
from resilience_stack.core.fallback import Answer
from resilience_stack.core.guard import Guard
from resilience_stack.metrics.durations import Durations

try:
    from opentelemetry import trace
except ImportError as error:
    message = (
        "resilience_stack.integrations.otel needs opentelemetry-api: "
        "pip install 'resilience-stack[otel]'"
    )
    raise ImportError(message) from error

__all__ = ["TracedGuard"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
TRACE_ID, SPAN_ID = "trace_id", "span_id"
"""Labels of an exemplar, by the names that Grafana looks for."""
OUTCOMES: Final = {"rejected": "rejected", "answer": "success"}
"""Outcomes of calls that raised, by the category of the exception; else it is a failure."""


class _Call:
    """What the attempts of one call share: their number, and the span of the call."""

    __slots__ = ("attempts", "outcome", "span")

    def __init__(self, span: trace.Span) -> None:
        self.attempts = 0
        self.outcome = "failure"
        self.span = span


_CALL: Final[ContextVar[_Call]] = ContextVar("resilience_traced_call")


class TracedGuard:
    """A guard whose calls are spans; a decorator of plain functions and coroutine functions.

    The span of a call is named ``guard <name>``. Its attributes are ``resilience.guard``,
    ``resilience.outcome`` (success, failure, rejected or fallback), ``resilience.source`` (where
    the answer came from) and ``resilience.attempts``; a change of the breaker's state while the
    call ran is an event. Each attempt is a child span with ``resilience.attempt``, its number.

    Of each bucket of the latency histogram, the last call with a sampled trace is an exemplar.
    """

    def __init__(self, guard: Guard, tracer: trace.Tracer | None = None) -> None:
        """Trace the calls of a guard.

        Args:
            guard: Whose calls they are; calls that go past this object are not traced.
            tracer: Makes the spans; by default that of the global provider.
        """
        self._guard = guard
        self._tracer = tracer or trace.get_tracer("resilience_stack")

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function, plain or a coroutine function, guarded and traced."""
        traced: Callable[..., Any]
        if inspect.iscoroutinefunction(function):
            attempt_async = self._trace_attempts_async(function)

            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                with self._trace_call() as call:
                    answer = await self._guard.answer_async(attempt_async, *args, **kwargs)
                    _note_success(call, answer)
                    return answer.value

            traced = traced_async
        else:
            attempt = self._trace_attempts(function)

            def traced_plain(*args: Any, **kwargs: Any) -> Any:
                with self._trace_call() as call:
                    answer = self._guard.answer(attempt, *args, **kwargs)
                    _note_success(call, answer)
                    return answer.value

            traced = traced_plain
        return cast("Callable[Parameters, Result]", functools.wraps(function)(traced))

    def _trace_attempts(self, function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def attempt(*args: Any, **kwargs: Any) -> Result:
            with self._trace_attempt():
                return function(*args, **kwargs)

        return attempt

    def _trace_attempts_async(
        self, function: Callable[..., Awaitable[Result]]
    ) -> Callable[..., Awaitable[Result]]:
        @functools.wraps(function)
        async def attempt(*args: Any, **kwargs: Any) -> Result:
            with self._trace_attempt():
                return await function(*args, **kwargs)

        return attempt

    @contextmanager
    def _trace_attempt(self) -> Iterator[None]:
        call = _CALL.get()
        call.attempts += 1
        attributes = {"resilience.attempt": call.attempts}
        with self._tracer.start_as_current_span("attempt", attributes=attributes):
            yield

    @contextmanager
    def _trace_call(self) -> Iterator[_Call]:
        guard = self._guard
        before = guard.state
        started_s = perf_counter()
        attributes = {"resilience.guard": guard.name}
        with self._tracer.start_as_current_span(
            f"guard {guard.name}", attributes=attributes
        ) as span:
            call = _Call(span)
            token = _CALL.set(call)
            try:
                yield call
            except BaseException as error:
                failure = find_failure(error)
                category = failure.category if failure else "bug"
                call.outcome = OUTCOMES.get(category, "failure")
                span.set_attribute("resilience.outcome", call.outcome)
                span.set_attribute("resilience.category", category)
                raise
            finally:
                _CALL.reset(token)
                self._link(call, perf_counter() - started_s)
                span.set_attribute("resilience.attempts", call.attempts)
                if (after := guard.state) != before:
                    span.add_event(
                        "breaker changed", {"resilience.from": before, "resilience.to": after}
                    )

    def _link(self, call: _Call, duration_s: float) -> None:
        """Make the call the exemplar of its bucket, if somebody keeps its trace."""
        context = call.span.get_span_context()
        if not context.trace_flags.sampled:
            return
        metrics = self._guard.metrics
        counted = call.outcome
        if counted == "fallback":  # the live call is what the histogram has
            counted = "failure" if call.attempts else "rejected"
        durations: Durations = getattr(metrics, counted)
        trace_id, span_id = (
            trace.format_trace_id(context.trace_id),
            trace.format_span_id(context.span_id),
        )
        durations.link(duration_s, {TRACE_ID: trace_id, SPAN_ID: span_id}, time())


def _note_success(call: _Call, answer: Answer[Any]) -> None:
    call.span.set_attribute("resilience.source", answer.source)
    call.outcome = "success" if answer.source == "live" else "fallback"
    call.span.set_attribute("resilience.outcome", call.outcome)
