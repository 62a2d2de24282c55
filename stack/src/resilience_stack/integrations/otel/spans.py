"""The spans of one guarded call: that of the call, and one for each attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import Any, Final

from opentelemetry import trace

from resilience_stack.core.block import Block
from resilience_stack.core.failures import find_failure
from resilience_stack.core.fallback import Answer
from resilience_stack.core.guard import Guard
from resilience_stack.metrics.durations import Durations

__all__ = ["AsyncAttempts", "Attempts", "Call", "TracedBlock", "note_change", "trace_call"]

TRACE_ID, SPAN_ID = "trace_id", "span_id"
"""Labels of an exemplar, by the names that Grafana looks for."""
OUTCOMES: Final = {"rejected": "rejected", "answer": "success"}
"""Outcomes of calls that raised, by the category of the exception; else it is a failure."""


class Call:
    """What the attempts of one call share: their number, and the span of the call."""

    __slots__ = ("attempts", "outcome", "span")

    def __init__(self, span: trace.Span) -> None:
        self.attempts = 0
        self.outcome = "failure"
        self.span = span

    def note(self, answer: Answer[Any]) -> None:
        """Note that the call was answered, and where from."""
        self.span.set_attribute("resilience.source", answer.source)
        self.outcome = "success" if answer.source == "live" else "fallback"
        self.span.set_attribute("resilience.outcome", self.outcome)


CALL: Final[ContextVar[Call]] = ContextVar("resilience_traced_call")


@dataclass(frozen=True, slots=True)
class Attempts:
    """A plain function whose calls are the attempts of a traced call.

    It equals another one of the same function, by which a fallback finds its last good values.
    """

    tracer: trace.Tracer = field(repr=False)
    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make an attempt."""
        with trace_attempt(self.tracer):
            return self.function(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class AsyncAttempts:
    """What `Attempts` is, for a coroutine function."""

    tracer: trace.Tracer = field(repr=False)
    function: Callable[..., Awaitable[Any]]

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make an attempt."""
        with trace_attempt(self.tracer):
            return await self.function(*args, **kwargs)


@contextmanager
def trace_attempt(tracer: trace.Tracer) -> Iterator[None]:
    """Trace an attempt of the call at hand."""
    call = CALL.get()
    call.attempts += 1
    attributes = {"resilience.attempt": call.attempts}
    with tracer.start_as_current_span("attempt", attributes=attributes):
        yield


@contextmanager
def trace_call(tracer: trace.Tracer, guard: Guard) -> Iterator[Call]:
    """Trace a call of a guard."""
    started_s = perf_counter()
    attributes = {"resilience.guard": guard.name}
    with tracer.start_as_current_span(f"guard {guard.name}", attributes=attributes) as span:
        call = Call(span)
        token = CALL.set(call)
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
            CALL.reset(token)
            _link(call, guard, perf_counter() - started_s)
            span.set_attribute("resilience.attempts", call.attempts)


class TracedBlock(Block):
    """A guarded block in the span of a call, with that of its one attempt inside."""

    __slots__ = ("_spans",)

    def __init__(self, block: Block, tracer: trace.Tracer, guard: Guard) -> None:
        self._spans = _trace_block(block, tracer, guard)

    def __enter__(self) -> None:
        self._spans.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._spans.__exit__(None, None, None)
        else:
            self._spans.__exit__(type(error), error, error.__traceback__)


@contextmanager
def _trace_block(block: Block, tracer: trace.Tracer, guard: Guard) -> Iterator[None]:
    with trace_call(tracer, guard) as call:
        with block, trace_attempt(tracer):
            yield
        call.note(Answer(None, "live"))


def note_change(before: str, after: str) -> None:
    """Make a change of a breaker's state an event of the span in which it happens."""
    trace.get_current_span().add_event(
        "breaker changed", {"resilience.from": before, "resilience.to": after}
    )


def _link(call: Call, guard: Guard, duration_s: float) -> None:
    """Make the call the exemplar of its bucket, if somebody keeps its trace."""
    context = call.span.get_span_context()
    if not context.trace_flags.sampled:
        return
    counted = call.outcome
    if counted == "fallback":  # the live call is what the histogram has
        counted = "failure" if call.attempts else "rejected"
    durations: Durations = getattr(guard.metrics, counted)
    trace_id, span_id = (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    )
    durations.link(duration_s, {TRACE_ID: trace_id, SPAN_ID: span_id}, time())
