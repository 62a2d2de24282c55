"""Traces: a guarded call is a span, its attempts are children, and a state's change is an event."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from resilience_stack import CircuitBreakerError, Fallback, Guard, Policy, ResilienceManager, Retry
from resilience_stack.integrations.otel import TracedGuard
from tests.stack.bench import Bench, Flaky

ONCE_MORE = (Retry(on=(ConnectionError,), attempts=2, wait_initial_s=0.0, jitter_s=0.0),)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What keeps the spans."""
    return InMemorySpanExporter()


@pytest.fixture
def manager(bench: Bench) -> ResilienceManager:
    """A manager that does not wait."""
    return bench.manager


def trace(guard: Guard, exporter: InMemorySpanExporter) -> TracedGuard:
    """A traced guard whose spans are kept."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return TracedGuard(guard, provider.get_tracer("test"))


def split(exporter: InMemorySpanExporter) -> tuple[list[ReadableSpan], ReadableSpan]:
    """The spans of the attempts, and that of the call, which ends last."""
    *attempts, call = exporter.get_finished_spans()
    assert call.context is not None
    assert [span.name for span in attempts] == ["attempt"] * len(attempts)
    assert all(span.parent and span.parent.span_id == call.context.span_id for span in attempts)
    return attempts, call


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_a_call_and_its_attempts_are_spans(
    manager: ResilienceManager, exporter: InMemorySpanExporter, *, is_async: bool
) -> None:
    """A call that fails once and then succeeds is one span with two children."""
    traced = trace(manager.guard("stock", Policy(retries=ONCE_MORE)), exporter)
    flaky = Flaky(1, ConnectionError)
    if is_async:
        asyncio.run(traced(flaky.awaited)())
    else:
        traced(flaky)()
    attempts, call = split(exporter)
    assert [dict(span.attributes or {}) for span in attempts] == [
        {"resilience.attempt": 1},
        {"resilience.attempt": 2},
    ]
    assert [event.name for event in attempts[0].events] == ["exception"]
    assert call.name == "guard stock"
    assert dict(call.attributes or {}) == {
        "resilience.guard": "stock",
        "resilience.outcome": "success",
        "resilience.source": "live",
        "resilience.attempts": 2,
    }


def test_a_change_of_state_is_an_event_and_a_rejection_an_outcome(
    manager: ResilienceManager, exporter: InMemorySpanExporter
) -> None:
    """The call that opens the breaker shows it; the next one is rejected without an attempt."""
    load = trace(manager.guard("stock", Policy(fail_max=1, retries=())), exporter)(Flaky(9))
    with pytest.raises(ConnectionError):
        load()
    _, call = split(exporter)
    [changed] = [event for event in call.events if event.name == "breaker changed"]
    assert dict(changed.attributes or {}) == {"resilience.from": "closed", "resilience.to": "open"}
    assert (call.attributes or {})["resilience.outcome"] == "failure"
    assert (call.attributes or {})["resilience.category"] == "connection"
    exporter.clear()
    with pytest.raises(CircuitBreakerError):
        load()
    attempts, call = split(exporter)
    assert attempts == []
    assert (call.attributes or {})["resilience.outcome"] == "rejected"


def test_the_source_of_an_answer_is_an_attribute(
    manager: ResilienceManager, exporter: InMemorySpanExporter
) -> None:
    """A stale value of a traced function is found again, and the span says that it is stale."""
    guard = manager.guard("prices", Policy(retries=()), Fallback(stale_s=300))
    is_down = False

    def ask(item: str) -> str:
        if is_down:
            raise ConnectionError
        return item.upper()

    load = trace(guard, exporter)(ask)
    assert load("tea") == "TEA"
    exporter.clear()
    is_down = True
    assert load("tea") == "TEA"
    _, call = split(exporter)
    assert (call.attributes or {})["resilience.source"] == "stale"
    assert (call.attributes or {})["resilience.outcome"] == "fallback"


def read_exemplars(bench: Bench) -> dict[str, dict[str, str]]:
    """The labels of the exemplars that a strict parser reads, by the outcome of their calls."""
    text = openmetrics(bench.registry).decode()
    samples = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples
    ]
    linked = [sample for sample in samples if sample.exemplar]
    assert all(sample.exemplar.value <= float(sample.labels["le"]) for sample in linked)
    return {sample.labels["outcome"]: dict(sample.exemplar.labels) for sample in linked}


def test_exemplars_link_the_latency_to_traces(bench: Bench, exporter: InMemorySpanExporter) -> None:
    """The histogram names the trace of a call of each outcome, and the bucket is the call's."""
    guard = bench.manager.guard("stock", Policy(fail_max=1, retries=()))
    load = trace(guard, exporter)(Flaky(1))
    with pytest.raises(ConnectionError):
        load()
    with pytest.raises(CircuitBreakerError):
        load()
    guard.force("off")
    load()
    calls = [span for span in exporter.get_finished_spans() if span.name == "guard stock"]
    outcomes = [str((span.attributes or {})["resilience.outcome"]) for span in calls]
    assert outcomes == ["failure", "rejected", "success"]
    assert read_exemplars(bench) == {
        outcome: {
            "trace_id": format_trace_id(span.context.trace_id),
            "span_id": format_span_id(span.context.span_id),
        }
        for outcome, span in zip(outcomes, calls, strict=True)
        if span.context
    }


@pytest.mark.parametrize(("fail_max", "outcome"), [(9, "failure"), (1, "rejected")])
def test_an_answer_of_a_fallback_is_the_exemplar_of_its_live_call(
    bench: Bench, exporter: InMemorySpanExporter, fail_max: int, outcome: str
) -> None:
    """The trace stands where the histogram counted the call: failed, or rejected."""
    guard = bench.manager.guard(
        "prices", Policy(fail_max=fail_max, retries=()), Fallback(default=lambda: "0")
    )
    load = trace(guard, exporter)(Flaky(9))
    assert [load(), load()] == ["0", "0"]
    last = exporter.get_finished_spans()[-1]
    assert last.context
    assert read_exemplars(bench)[outcome]["span_id"] == format_span_id(last.context.span_id)


def test_calls_whose_trace_nobody_keeps_are_no_exemplars(
    bench: Bench, exporter: InMemorySpanExporter
) -> None:
    """A trace that was not sampled leads nowhere, so no bucket names it."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    guard = bench.manager.guard("stock", Policy())
    assert TracedGuard(guard, provider.get_tracer("test"))(Flaky(0))() == "done"
    assert read_exemplars(bench) == {}
    assert bench.sample("calls_total", "stock", outcome="success") == 1
