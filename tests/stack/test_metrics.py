"""Metrics: exact, whole, and in the form that Prometheus reads."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from resilience_stack import ResilienceManager
from resilience_stack.core import attempt_loop, layers
from resilience_stack.metrics.durations import FULL, Durations
from tests.stack.bench import PATIENCE_S, Bench, Flaky, exhaust


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Readings that the clock of the guards gives, in this order."""
    readings: list[float] = []
    for module in (layers, attempt_loop):
        monkeypatch.setattr(module, "perf_counter", lambda: readings.pop(0))
    return readings


def test_metrics_are_there_before_the_first_call(bench: Bench) -> None:
    """Every series of a guard is scraped as zero from the beginning."""
    bench.guard()
    lines = generate_latest(bench.registry).decode().splitlines()
    values = {line for line in lines if not line.startswith("#") and "_created" not in line}
    buckets = len(Histogram.DEFAULT_BUCKETS)
    states = {line for line in values if line.startswith("resilience_breaker_state_seconds")}
    assert len(states) == 3
    # Calls by outcome with their durations, five transitions, three sources, and five single ones.
    assert len(values - states) == 3 * (1 + buckets + 2) + 5 + 3 + 5
    assert {line.rpartition(" ")[2] for line in values - states} == {"0.0"}


def test_metrics_have_the_names_and_types_that_users_build_on(bench: Bench) -> None:
    """The families of a manager are these, and a strict parser reads them."""
    bench.guard().call(Flaky(1))
    text = openmetrics(bench.registry).decode()
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families == {
        "resilience_calls": "counter",
        "resilience_call_seconds": "histogram",
        "resilience_retries": "counter",
        "resilience_breaker_state": "gauge",
        "resilience_breaker_state_seconds": "counter",
        "resilience_breaker_transitions": "counter",
        "resilience_bulkhead_limit": "gauge",
        "resilience_calls_in_flight": "gauge",
        "resilience_fallback_failures": "counter",
        "resilience_fallbacks": "counter",
        "resilience_guard_degraded": "gauge",
        "resilience_retry_budget_exhausted": "counter",
    }


def test_latency_is_that_of_the_whole_call(bench: Bench, clock: list[float]) -> None:
    """The histogram holds the time from the beginning of a call to its end, in seconds."""
    clock += [10.0, 10.25, 20.0, 22.0]
    guard = bench.guard(attempts=3)
    guard.call(Flaky(0))
    guard.call(Flaky(2))
    assert bench.sample("call_seconds_sum", outcome="success") == 2.25
    buckets = {
        bound: bench.sample("call_seconds_bucket", outcome="success", le=bound)
        for bound in ("0.1", "0.25", "1.0", "2.5", "+Inf")
    }
    assert buckets == {"0.1": 0, "0.25": 1, "1.0": 1, "2.5": 2, "+Inf": 2}


def test_latency_is_kept_by_outcome(bench: Bench, clock: list[float]) -> None:
    """Successes, failures and rejections each have a histogram."""
    clock += [0.0, 1.0, 0.0, 2.0, 0.0, 4.0]
    guard = bench.guard(attempts=1, fail_max=1)
    guard.call(Flaky(0))
    exhaust(lambda: guard.call(Flaky(1)))
    with pytest.raises(Exception, match="is open"):
        guard.call(Flaky(0))
    outcomes = ("success", "failure", "rejected")
    sums = [bench.sample("call_seconds_sum", outcome=outcome) for outcome in outcomes]
    assert sums == [1.0, 2.0, 4.0]


def test_calls_are_exact_whenever_they_are_scraped(bench: Bench) -> None:
    """However many calls end between two scrapes, each is counted once."""
    guarded = bench.guard()(lambda: None)
    for number in range(1, 3 * FULL + 2):
        guarded()
        if number % (FULL - 1) == 0:
            assert bench.calls() == (number, 0, 0)
    assert bench.calls() == (3 * FULL + 1, 0, 0)
    assert bench.sample("call_seconds_count", outcome="success") == 3 * FULL + 1


@pytest.mark.parametrize("is_async", [False, True])
def test_memory_is_bounded(bench: Bench, is_async: bool) -> None:  # noqa: FBT001
    """However many calls succeed without a scrape, few durations are kept, and all counted."""
    guard, times = bench.guard(), 2 * FULL + 1

    async def call_often() -> None:
        guarded = guard(Flaky(0).awaited)
        for _ in range(times):
            await guarded()

    if is_async:
        asyncio.run(call_often())
    else:
        guarded = guard(Flaky(0))
        for _ in range(times):
            guarded()
    assert len(guard._metrics.success.noted_s) < FULL
    assert bench.calls() == (times, 0, 0)


@pytest.mark.parametrize("outcome", ["failure", "rejected"])
def test_memory_is_bounded_for_every_outcome(bench: Bench, outcome: str) -> None:
    """Durations of calls that fail or are rejected are folded as those of others are."""
    guard = bench.guard(retries=(), fail_max=1 if outcome == "rejected" else 10**9)
    for _ in range(FULL + 1):
        with pytest.raises((ConnectionError, Exception)):
            guard.call(Flaky(1))
    assert len(guard._metrics.failure.noted_s) < FULL
    assert len(guard._metrics.rejected.noted_s) < FULL
    assert sum(value or 0 for value in bench.calls()) == FULL + 1


def test_durations_fall_into_the_buckets_of_prometheus() -> None:
    """A bucket holds what is at most its bound, as prometheus_client's own histogram has it."""
    registry = CollectorRegistry()
    own = Histogram("own", "Own.", registry=registry)
    durations = Durations(Histogram.DEFAULT_BUCKETS)
    for value in (0.0, 0.004, 0.005, 0.0051, 0.3, 7.5, 10.0, 10.1, 1e9):
        own.observe(value)
        durations.note(value)
    counts, sum_s = durations.total()
    bounds = [*map(str, Histogram.DEFAULT_BUCKETS[:-1]), "+Inf"]
    expected = [registry.get_sample_value("own_bucket", {"le": bound}) for bound in bounds]
    assert counts == expected
    assert sum_s == registry.get_sample_value("own_sum")


def test_folding_waits_for_nobody() -> None:
    """A call that ends while others are counted goes on, and is counted with the next ones."""
    durations = Durations([math.inf])
    durations.note(1.0)
    folding = threading.Thread(target=durations.fold)
    with durations._lock:
        folding.start()
        folding.join(PATIENCE_S)
        waited = folding.is_alive()
        durations.note(2.0)
    assert not waited
    assert durations.total() == ([2], 3.0)


def test_what_ends_while_others_are_counted_is_not_lost() -> None:
    """What others note, or try to fold, between the two steps of folding is for the next time."""

    class Busy(list[float]):
        def __getitem__(self, index: Any) -> Any:
            copied = super().__getitem__(index)
            self.append(2.0)
            durations.fold()
            return copied

    durations = Durations([math.inf])
    durations.noted_s = Busy([1.0])
    assert durations.total() == ([1], 1.0)
    assert durations.noted_s == [2.0]
    assert durations.total() == ([2], 3.0)


def test_two_managers_cannot_share_a_registry(bench: Bench) -> None:
    """A second manager would count into metrics that exist: refused."""
    with pytest.raises(ValueError, match="metrics of another ResilienceManager"):
        ResilienceManager(bench.registry)


def test_default_registry_is_that_of_prometheus_client() -> None:
    """Without a registry the metrics appear where prometheus_client's own ones do."""
    manager = ResilienceManager()
    try:
        manager.guard("database").call(Flaky(0))
        labels = {"guard": "database", "outcome": "success"}
        assert REGISTRY.get_sample_value("resilience_calls_total", labels) == 1
    finally:
        REGISTRY.unregister(manager._metrics.of_all_guards)
