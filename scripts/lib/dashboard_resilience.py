"""The dashboard *Resilience*: all guards at a glance, then a row for each."""

from __future__ import annotations

import dataclasses
from typing import Final

from dashboard_parts import GUARDS, Board, Plan, Query, make_dashboard
from grafana_foundation_sdk.builders.dashboard import Dashboard

WINDOW: Final = "[$__rate_interval]"
CALLS: Final = f"resilience_calls_total{{{GUARDS}}}{WINDOW}"
LET_THROUGH: Final = f'resilience_calls_total{{{GUARDS}, outcome!="rejected"}}{WINDOW}'
FAILED: Final = f'resilience_calls_total{{{GUARDS}, outcome="failure"}}{WINDOW}'
FALLBACKS: Final = f"resilience_fallbacks_total{{{GUARDS}}}{WINDOW}"
BUCKETS: Final = f'resilience_call_seconds_bucket{{{GUARDS}, outcome!="rejected"}}{WINDOW}'
IN_STATES: Final = f"resilience_breaker_state_seconds_total{{{GUARDS}}}{WINDOW}"
STATE: Final = f"resilience_breaker_state{{{GUARDS}}}"

NUMBERS: Final = (
    Plan(
        "Guards",
        "Guards of the chosen jobs, each counted once however many instances have it.",
        "short",
        (Query(f"count(count by (job, guard) ({STATE}))"),),
    ),
    Plan(
        "Open breakers",
        "Guards whose breaker is open or half-open in at least one instance.",
        "short",
        (Query(f"count(max by (job, guard) ({STATE}) > 0) or vector(0)"),),
        limit=1,
    ),
    Plan(
        "Degraded guards",
        "Guards that are forced by hand, open with a fallback, or answer by their fallback.",
        "short",
        (
            Query(
                f"count(max by (job, guard) (resilience_guard_degraded{{{GUARDS}}}) == 1)"
                " or vector(0)"
            ),
        ),
        limit=1,
    ),
    Plan(
        "Calls",
        "Guarded calls per second. The retries of a call are part of it.",
        "reqps",
        (Query(f"sum(rate({CALLS}))"),),
    ),
    Plan(
        "Failures",
        "Calls that failed, as a share of those that the guards let through.",
        "percentunit",
        (Query(f"sum(rate({FAILED})) / sum(rate({LET_THROUGH}))"),),
        limit=0.1,
    ),
    Plan(
        "Instances away",
        "Instances of the chosen jobs that Prometheus cannot scrape: nobody sees their guards.",
        "short",
        (Query('count(up{job=~"$job", instance=~"$instance"} == 0) or vector(0)'),),
        limit=1,
    ),
)
FLEET: Final = (
    Plan(
        "Breakers",
        "The worst state of each breaker over its instances. Click on a bar for the runbook.",
        "short",
        (Query(f"max by (job, guard) ({STATE})", "{{job}} {{guard}}"),),
        kind="states",
        width=24,
        height=9,
        runbook="breaker-open",
    ),
    Plan(
        "Calls by guard",
        "Guarded calls per second, whatever their outcome.",
        "reqps",
        (Query(f"sum by (job, guard) (rate({CALLS}))", "{{job}} {{guard}}"),),
        width=12,
    ),
    Plan(
        "Failures by guard",
        "Calls that failed, as a share of those that the guard let through.",
        "percentunit",
        (
            Query(
                f"sum by (job, guard) (rate({FAILED})) / sum by (job, guard) (rate({LET_THROUGH}))",
                "{{job}} {{guard}}",
            ),
        ),
        width=12,
        runbook="high-failure-share",
        limit=0.1,
    ),
)


def _make_quantile(share: float) -> str:
    return f"histogram_quantile({share:g}, sum by (guard, le) (rate({BUCKETS})))"


GUARD: Final = (
    Plan(
        "Calls by outcome",
        "Calls per second: success, failure, or rejected by the guard itself.",
        "reqps",
        (Query(f"sum by (guard, outcome) (rate({CALLS}))", "{{outcome}}"),),
        kind="stack",
        runbook="breaker-open",
    ),
    Plan(
        "Failure share",
        "Calls that failed, as a share of those that the guard let through.",
        "percentunit",
        (
            Query(
                f"sum by (guard) (rate({FAILED})) / sum by (guard) (rate({LET_THROUGH}))", "failed"
            ),
        ),
        runbook="high-failure-share",
        limit=0.1,
    ),
    Plan(
        "Latency",
        "Percentiles of the time of a call, with its retries and waits; no rejected calls. "
        "The points are single calls with their traces, where the service exports exemplars.",
        "s",
        (
            Query(_make_quantile(0.5), "p50"),
            Query(_make_quantile(0.9), "p90"),
            Query(_make_quantile(0.99), "p99", exemplar=True),
        ),
        runbook="latency-objective",
    ),
    Plan(
        "Retries",
        "Attempts after the first, and those that the retry budget refused, per second.",
        "ops",
        (
            Query(
                f"sum by (guard) (rate(resilience_retries_total{{{GUARDS}}}{WINDOW}))", "retries"
            ),
            Query(
                f"sum by (guard) "
                f"(rate(resilience_retry_budget_exhausted_total{{{GUARDS}}}{WINDOW}))",
                "refused by the budget",
            ),
        ),
        runbook="retry-storm",
    ),
    Plan(
        "Fallbacks by source",
        "Calls per second that the fallback answered: stale values, defaults, other calls; and "
        "fallbacks that failed.",
        "reqps",
        (
            Query(f"sum by (guard, source) (rate({FALLBACKS}))", "{{source}}"),
            Query(
                f"sum by (guard) (rate(resilience_fallback_failures_total{{{GUARDS}}}{WINDOW}))",
                "failed",
            ),
        ),
        kind="stack",
        runbook="stale-answers",
    ),
    Plan(
        "Time in each state",
        "Share of the time that the breaker was in each state, over all its instances.",
        "percentunit",
        (
            Query(
                f"sum by (guard, state) (rate({IN_STATES}))"
                f" / on (guard) group_left () sum by (guard) (rate({IN_STATES}))",
                "{{state}}",
            ),
        ),
        kind="stack",
        runbook="breaker-stuck-open",
    ),
    Plan(
        "Changes of the breaker",
        "How often the breaker changed, by the states before and after. Each worker process "
        "counts its own changes.",
        "short",
        (
            Query(
                f"sum by (guard, from, to) "
                f"(increase(resilience_breaker_transitions_total{{{GUARDS}}}{WINDOW}))",
                "{{from}} to {{to}}",
            ),
        ),
        width=12,
        runbook="breaker-flapping",
    ),
    Plan(
        "Calls in flight",
        "Calls in flight and the bulkhead's limit, over all instances; empty without a bulkhead.",
        "short",
        (
            Query(f"sum by (guard) (resilience_calls_in_flight{{{GUARDS}}})", "in flight"),
            Query(f"sum by (guard) (resilience_bulkhead_limit{{{GUARDS}}})", "limit"),
        ),
        width=12,
        runbook="bulkhead-full",
    ),
)


def make_resilience() -> Dashboard:
    """Return the dashboard."""
    board = Board(
        make_dashboard(
            "resilience", "Resilience", "What the guards of the stack do, and since when."
        )
    )
    board.add_row("All guards", [_as_number(plan) for plan in NUMBERS] + list(FLEET))
    board.add_row("$guard", GUARD, repeat="guard")
    return board.made


def _as_number(plan: Plan) -> Plan:
    return dataclasses.replace(plan, kind="number", width=4, height=4)
