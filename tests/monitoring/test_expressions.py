"""What a real Prometheus answers to the expressions of panels, with counts that are known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from tests.monitoring.conftest import Watched
from tests.monitoring.panels import VARIABLES, Expression, list_expressions
from tests.monitoring.prometheus_server import Labels
from tests.monitoring.rules import ALERTS, RECORDING_FILES, list_rules
from tests.monitoring.service import ODD

EXPRESSIONS = list_expressions()
TICKS = 'rate(resilience_calls_total{job="shop", guard="stock", outcome="failure"}[1h]) / 2'
"""The rate of what happens once between two scrapes: the service has done it at each of them."""
CALLS = {
    "stock": 8,
    "prices": 4,
    "spent": 3,
    "flapping": 2,
    "stale": 3,
    "broken": 2,
    ODD: 1,
    "cache": 0,
    "full": 0,
}
LET_THROUGH = {**CALLS, "prices": 0}
FAILED = {"stock": 2, "spent": 3, "flapping": 1, "stale": 3, "broken": 2}
RATES: Mapping[tuple[str, int], dict[tuple[str, ...], float]] = {
    ("Calls", 0): {(): sum(CALLS.values())},
    ("Calls by guard", 0): {(guard,): count for guard, count in CALLS.items()},
    ("Calls by outcome", 0): {
        ("stock", "success"): 6,
        ("stock", "failure"): 2,
        ("prices", "rejected"): 4,
        ("spent", "failure"): 3,
        ("flapping", "success"): 1,
        ("flapping", "failure"): 1,
        ("stale", "failure"): 3,
        ("broken", "failure"): 2,
        (ODD, "success"): 1,
    },
    ("Retries", 0): {("stock",): 2},
    ("Fallbacks by source", 0): {("prices", "default"): 4, ("stale", "stale"): 3},
    ("Fallbacks by source", 1): {("broken",): 2},
    ("Changes of the breaker", 0): {
        ("flapping", "closed", "open"): 3600,
        ("flapping", "open", "half-open"): 3600,
        ("flapping", "half-open", "closed"): 3600,
    },
}
"""Per scrape, by the values of the labels but for the job; what is not named here is zero."""
VALUES: Mapping[tuple[str, int], dict[tuple[str, ...], float]] = {
    ("Guards", 0): {(): 9},
    ("Open breakers", 0): {(): 1},
    ("Degraded guards", 0): {(): 2},
    ("Instances away", 0): {(): 1},
    ("Breakers", 0): {("prices",): 2},
    ("Failures", 0): {(): sum(FAILED.values()) / sum(LET_THROUGH.values())},
    ("Failures by guard", 0): {
        (guard,): count / LET_THROUGH[guard] for guard, count in FAILED.items()
    },
    ("Failure share", 0): {(guard,): count / LET_THROUGH[guard] for guard, count in FAILED.items()},
    # Of eight calls four are in the bucket that ends at 25 ms, two at 50 ms, two at 750 ms.
    ("Latency", 0): {("stock",): 0.01 + 0.015},
    ("Latency", 1): {("stock",): 0.5 + 0.25 * 1.2 / 2},
    ("Latency", 2): {("stock",): 0.5 + 0.25 * 1.92 / 2},
    ("Calls in flight", 0): {("full",): 1},
    ("Calls in flight", 1): {("stock",): 7, ("full",): 1},
    ("Time in each state", 0): {("stock", "closed"): 1, (ODD, "closed"): 1},
}
"""Exact values; for latency and time in each state, those of some guards."""


def strip(labels: Labels) -> tuple[str, ...]:
    """The values of the labels that tell series of the service apart, in a fixed order."""
    order = ("guard", "outcome", "source", "from", "state", "to")
    named = dict(labels)
    return tuple(named[name] for name in order if name in named)


def named(*boards: str) -> list[Expression]:
    """The expressions of some dashboards."""
    return [each for each in EXPRESSIONS if each.board in boards]


@pytest.mark.parametrize("each", EXPRESSIONS, ids=lambda each: f"{each.board} {each.title}")
def test_every_expression_returns_data(watched: Watched, each: Expression) -> None:
    """No panel stays empty for a service that does everything, and a suite that was measured."""
    assert watched.prometheus.query(each.fill())


@pytest.mark.parametrize(
    "each", named("resilience"), ids=lambda each: f"{each.title} {each.number}"
)
def test_panels_show_what_the_service_did(watched: Watched, each: Expression) -> None:
    """Every panel of the guards has the values that follow from what the service did."""
    key = (each.title, each.number)
    found = {
        strip(labels): value for labels, value in watched.prometheus.query(each.fill()).items()
    }
    if key in RATES:
        [unit] = watched.prometheus.query(TICKS).values()
        # What happened once at first, before the first scrape, is a constant: its rate is zero.
        expected = {name: count * unit for name, count in RATES[key].items() if count}
        assert {name: value for name, value in found.items() if value} == pytest.approx(expected)
    elif key in VALUES:
        expected = VALUES[key]
        some = {"Latency", "Time in each state"}
        shown = found if each.title not in some else {name: found[name] for name in expected}
        is_number = {
            name: value for name, value in shown.items() if value and not math.isnan(value)
        }
        assert is_number == pytest.approx(
            {name: value for name, value in expected.items() if value}
        )
    else:
        assert key == ("Retries", 1)  # the reserve is used up at the first scrape, then all refused
        assert found["spent",] > 0


def test_the_time_in_each_state_adds_up(watched: Watched) -> None:
    """The shares of each guard's states are 1 together; an open breaker is open all the time."""
    [each] = [each for each in named("resilience") if each.title == "Time in each state"]
    shares = {
        strip(labels): value for labels, value in watched.prometheus.query(each.fill()).items()
    }
    for guard in CALLS:
        assert sum(value for name, value in shares.items() if name[0] == guard) == pytest.approx(1)
    assert shares["prices", "open"] == pytest.approx(1)


def test_a_guard_with_an_odd_name_can_be_chosen(watched: Watched) -> None:
    """Quotes, backslashes and braces in a name come out as they went in."""
    escaped = 'odd \\"name\\" \\\\\\\\ \\\\{x\\\\}'
    [each] = [each for each in named("resilience") if each.title == "Calls by guard"]
    found = watched.prometheus.query(each.fill({**VARIABLES, "$guard": escaped}))
    assert [dict(labels)["guard"] for labels in found] == [ODD]


def test_the_suite_stands_beside_production(watched: Watched) -> None:
    """The share of a call in production, and the processors in use, follow from the two."""
    overhead = max(
        sample.value
        for sample in watched.figures
        if sample.labels.get("case") == "composed.guarded[resilience_stack]"
        and sample.name == "resilience_bench_overhead_seconds"
    )
    shown = {
        each.title: {
            strip(labels): value for labels, value in watched.prometheus.query(each.fill()).items()
        }
        for each in named("resilience-and-performance")
        if each.title in {"Share of a call in production", "Processors in use by the layer"}
    }
    assert shown["Share of a call in production"]["stock",] == pytest.approx(overhead / 0.025)
    [unit] = watched.prometheus.query(TICKS).values()
    assert shown["Processors in use by the layer"]["stock",] == pytest.approx(8 * unit * overhead)


@pytest.mark.parametrize(
    ("title", "metric", "wanted"),
    [
        ("Share of real calls", "share_ratio", {"scenario": "guarded", "load": "single"}),
        ("Scaling", "scaling_ratio", {"payload": "io"}),
        ("Latency, as a ratio to the reference", "latency_ratio", {}),
        ("Overhead", "overhead_seconds", {}),
        ("Instructions", "instructions", {}),
        ("Memory", "peak_bytes", {}),
    ],
)
def test_figures_are_those_of_the_results(
    watched: Watched, title: str, metric: str, wanted: dict[str, str]
) -> None:
    """A panel shows every figure of the chosen library, each as the results file has it."""
    expected = {
        sample.value
        for sample in watched.figures
        if sample.name == f"resilience_bench_{metric}"
        and sample.labels["library"] == "resilience_stack"
        and sample.labels["family"] in VARIABLES["$family"].split("|")
        and all(sample.labels[name] == value for name, value in wanted.items())
    }
    assert expected
    boards = ("resilience-and-performance", "benchmarks-over-time")
    each = next(each for each in named(*boards) if each.title == title and each.number == 0)
    assert set(watched.prometheus.query(each.fill()).values()) == expected


@pytest.mark.parametrize("rule", list_rules(*RECORDING_FILES), ids=lambda rule: rule["record"])
def test_every_recording_rule_has_recorded(watched: Watched, rule: dict[str, str]) -> None:
    """Prometheus has evaluated each rule by itself, and its series are those of the expression."""
    recorded = watched.prometheus.query(rule["record"])
    assert recorded
    assert watched.prometheus.query(rule["expr"]).keys() <= {
        labels - {("__name__", rule["record"])} for labels in recorded
    }


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("job_guard:resilience_failures:ratio_rate5m", 2 / 8),
        ("job_guard:resilience_attempts_per_call:ratio_rate5m", 1 + 2 / 8),
        ("job_guard:resilience_slow_calls:ratio_rate5m", 2 / 8),
        ("job_guard:resilience_slow_calls:ratio_rate30m", 2 / 8),
        ("job_guard:resilience_slow_calls:ratio_rate1h", 2 / 8),
        ("job_guard:resilience_slow_calls:ratio_rate6h", 2 / 8),
        ("job_guard:resilience_stale_answers:ratio_rate5m", 0),
    ],
)
def test_recorded_shares_are_right(watched: Watched, record: str, expected: float) -> None:
    """The recorded shares of one guard are those of the calls that it had."""
    found = watched.prometheus.query(f'{record}{{job="shop", guard="stock"}}')
    assert list(found.values()) == [pytest.approx(expected)]


REPORTED: Mapping[str, set[tuple[str, ...]]] = {
    "ResilienceBreakerOpen": {("shop", "prices"), ("swing", "swinging")},
    "ResilienceBreakerStuckOpen": {("shop", "prices")},
    "ResilienceBreakerFlapping": {("swing", "swinging")},
    "ResilienceHighFailureShare": {("shop", guard) for guard in FAILED},
    "ResilienceRetryStorm": {("shop", "stock")},
    "ResilienceRetryBudgetUsedUp": {("shop", "spent")},
    "ResilienceBulkheadFull": {("shop", "full")},
    "ResilienceStaleAnswers": {("shop", "stale")},
    "ResilienceDegraded": {("shop", "prices"), ("shop", "stale")},
    "ResilienceFallbackFails": {("shop", "broken")},
    "ResilienceCacheRefusesWrites": {("shop", "cache")},
    "ResilienceLatencyBurnsFast": {("shop", "stock")},
    "ResilienceLatencyBurnsSlowly": {("shop", "stock")},
    "ResilienceScrapeFailed": {("leaving",)},
    "ResilienceMetricsMissing": {("leaving",)},
}
"""What the expression of each alert finds: jobs and guards."""


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_finds_the_guards_it_is_about(watched: Watched, alert: str) -> None:
    """The expression of an alert returns the guards that are in its condition, and no other."""
    expr = ALERTS[alert]["expr"]
    # The test does not wait for a breaker to change six times at a pace of 15 seconds.
    found = watched.prometheus.query(expr.replace("[15m:15s]", "[15m:1s]"))
    named_guards = {
        tuple(dict(labels)[name] for name in ("job", "guard") if name in dict(labels))
        for labels in found
        # The calls of the service that is gone are in the rates for a while.
        if dict(labels)["job"] != "leaving" or "guard" not in dict(labels)
    }
    swings = {("swing", "swinging")}  # this breaker is in another state each time
    assert named_guards - swings == REPORTED[alert] - swings
    assert alert != "ResilienceBreakerFlapping" or named_guards == swings
