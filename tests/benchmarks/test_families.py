"""Every case of the suite does what it says; each family has its groups."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.benchmarks.families import FAMILIES, FOLDER, discovery, outcome

GROUPS = {
    "control": {"call", "call_raising", "async_call", "async_call_raising"},
    "breaker": {
        "closed_success",
        "closed_success_args",
        "closed_failure",
        "open_rejection",
        "state_read",
        "trip_and_recover",
        "excluded_exception",
        "with_listener",
        "decorated",
        "context_manager",
        "construct",
        "async_closed_success",
        "async_open_rejection",
    },
    "retry": {
        "first_try",
        "recovers_after_two",
        "exhausts_three",
        "wrong_exception",
        "result_predicate",
        "backoff_with_jitter",
        "deadline",
        "call_object",
        "construct",
        "async_first_try",
        "async_recovers_after_two",
    },
    "metrics": {
        "counter_inc",
        "labels_positional_inc",
        "labels_keyword_inc",
        "child_inc",
        "gauge_set",
        "histogram_observe",
        "summary_observe",
        "timer",
        "multiprocess_counter_inc",
        "construct_child",
        "scrape_100_series",
        "scrape_10k_series",
    },
    "composed": {
        "breaker_in_retry",
        "retry_in_breaker",
        "breaker_in_retry_failing",
        "retry_in_breaker_failing",
        "guarded",
        "guarded_failing",
        "guarded_failure",
        "guarded_rejection",
        "async_guarded",
    },
    "fallback": {
        "success",
        "failure",
        "rejection",
        "async_success",
        "async_failure",
        "async_rejection",
    },
    "timeout": {
        "within",
        "nested",
        "async_within",
        "async_within_waiting",
        "async_deadline_and_attempt",
        "async_nested",
        "async_exceeded",
    },
    "bulkhead": {"enter", "queue", "full", "async_enter", "async_queue", "async_full"},
    "ratelimit": {"permitted", "refused", "async_permitted", "async_refused"},
    "pipeline": {"success", "async_success"},
    "everything": {"success", "failure", "rejection", "async_success"},
    "correlation": {"asgi", "wsgi"},
    "telemetry": {"success", "multiprocess_success"},
    "health": {"read", "probe"},
    "shared": {
        "closed_success",
        "closed_failure",
        "open_rejection",
        "async_closed_success",
        "async_closed_failure",
        "async_open_rejection",
    },
}

CASES = {
    "control": 4,
    "breaker": 91,
    "retry": 55,
    "metrics": 60,
    "composed": 56,
    "fallback": 82,
    "timeout": 36,
    "bulkhead": 30,
    "ratelimit": 42,
    "pipeline": 45,
    "everything": 17,
    "correlation": 10,
    "telemetry": 12,
    "health": 10,
    "shared": 18,
    "real": 21,
    "chaos": 5,
}
NO_STALE_VALUES = {"circuitbreaker", "interlock_cb", "pyresilience"}

UNSUPPORTED = {
    "breaker.with_listener": {"circuitbreaker", "resilience_stack"},
    "breaker.context_manager": {"circuitbreaker", "aiobreaker", "pyresilience"},
    "breaker.async_closed_success": {"pybreaker"},
    "breaker.async_open_rejection": {"pybreaker"},
    "retry.result_predicate": {"stamina"},
    "retry.call_object": {"backoff", "pyresilience"},
    "retry.async_first_try": {"retrying"},
    "retry.async_recovers_after_two": {"retrying"},
    "metrics.labels_positional_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.labels_keyword_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.child_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.summary_observe": {"opentelemetry_sdk", "statsd"},
    "metrics.timer": {"opentelemetry_sdk"},
    "metrics.multiprocess_counter_inc": {"opentelemetry_sdk", "statsd"},
    "metrics.construct_child": {"opentelemetry_sdk", "statsd"},
    "metrics.scrape_100_series": {"opentelemetry_sdk", "statsd"},
    "metrics.scrape_10k_series": {"opentelemetry_sdk", "statsd"},
    "composed.retry_in_breaker": {"pyresilience"},
    "composed.retry_in_breaker_failing": {"pyresilience"},
    "fallback.success": NO_STALE_VALUES,
    "fallback.failure": NO_STALE_VALUES,
    "fallback.rejection": NO_STALE_VALUES,
    "fallback.async_success": {*NO_STALE_VALUES, "hyx"},
    "fallback.async_failure": {*NO_STALE_VALUES, "hyx"},
    "fallback.async_rejection": {*NO_STALE_VALUES, "hyx"},
    "pipeline.success": {"pybreaker"},
    "pipeline.async_success": {"pybreaker", "hyx"},
    "telemetry.success": {"interlock_cb", "resilience_stack"},
    "shared.closed_success": {"purgatory"},
    "shared.closed_failure": {"purgatory"},
    "shared.open_rejection": {"purgatory"},
}


@pytest.mark.parametrize("name", list(discovery().bound))
def test_case_does_what_it_says(name: str) -> None:
    """A case passes the check before timing, or says why its library cannot do it."""
    reason = outcome(name)

    assert reason != "no reason given"


def test_every_file_imports() -> None:
    """No scenario file fails to import."""
    assert discovery().problems == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_family_has_exactly_these_groups(family: str) -> None:
    """A family holds the scenarios that are promised, and no other."""
    cases = [bound.info.case for bound in discovery().bound.values()]

    assert {case.scenario for case in cases if case.family == family} == GROUPS[family]


def test_number_of_cases() -> None:
    """Every scenario is offered for every library of its family."""
    families = Counter(bound.info.case.family for bound in discovery().bound.values())

    assert families == CASES


def test_enough_cases_are_available() -> None:
    """With all libraries installed there are at least 120 cases to measure."""
    reasons = [outcome(name) for name in discovery().bound]
    if any("is not installed; type" in reason for reason in reasons):
        pytest.skip("not every library is installed")

    assert reasons.count("") >= 120


def test_only_known_cases_are_unsupported() -> None:
    """A library can do all scenarios but those that docs/libraries.md names."""
    found: dict[str, set[str]] = {}
    for name, bound in discovery().bound.items():
        case = bound.info.case
        if (reason := outcome(name)) and "is not installed; type" not in reason:
            found.setdefault(case.group, set()).add(case.library)

    missing = {
        group: libraries - UNSUPPORTED.get(group, set()) for group, libraries in found.items()
    }
    assert not {group: libraries for group, libraries in missing.items() if libraries}


def test_every_reason_is_documented() -> None:
    """docs/libraries.md gives the reason of every case that is not available."""
    text = " ".join((FOLDER.parent / "docs" / "libraries.md").read_text().split())
    reasons = {outcome(name) for name in discovery().bound} - {""}

    assert not [
        reason
        for reason in reasons
        if reason not in text and "is not installed; type" not in reason
    ]


def test_every_scenario_is_described() -> None:
    """What the list of cases shows is one sentence."""
    for bound in discovery().bound.values():
        assert bound.info.description.endswith("."), bound.name
