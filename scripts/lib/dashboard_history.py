"""The dashboard *Benchmarks over time*: the figures of each run, as Prometheus kept them."""

from __future__ import annotations

from typing import Final

from dashboard_parts import GUARDS, Board, Plan, Query, make_choice, make_dashboard
from dashboard_performance import SUITE, add_suite_variables
from grafana_foundation_sdk.builders.dashboard import Dashboard

CASES: Final = f'{SUITE}, family=~"$family"'
AGE: Final = 'time() - resilience_bench_run_timestamp_seconds{instance=~"$machine"}'
BUCKETS: Final = (
    f'resilience_call_seconds_bucket{{{GUARDS}, outcome!="rejected"}}[$__rate_interval]'
)


def _show(metric: str) -> tuple[Query, ...]:
    return (Query(f"{metric}{{{CASES}}}", "{{case}}"),)


RUNS: Final = (
    Plan(
        "Age of the results",
        "Time since the last run ended, on each machine. Old results say little about today.",
        "s",
        (Query(AGE, "{{instance}}"),),
        kind="number",
        width=6,
        height=5,
        limit=7 * 86400,
    ),
    Plan(
        "Cases",
        "Cases that the last run measured on each machine.",
        "short",
        (
            Query(
                'count by (instance) (resilience_bench_latency_seconds{instance=~"$machine"})',
                "{{instance}}",
            ),
        ),
        kind="number",
        width=6,
        height=5,
    ),
    Plan(
        "Runs",
        "What was measured: commit, Python and processor. A change of these explains a step.",
        "short",
        (
            Query(
                'resilience_bench_run_info{instance=~"$machine"}', "{{commit}} {{python}} {{cpu}}"
            ),
        ),
        width=12,
        height=5,
    ),
)
LATENCY: Final = (
    Plan(
        "Latency, as a ratio to the reference",
        "Time of one call divided by that of a fixed piece of Python: comparable between days.",
        "none",
        _show("resilience_bench_latency_ratio"),
        width=12,
    ),
    Plan(
        "Overhead",
        "Time of one call beyond the bare call, with the 95 % interval.",
        "s",
        (
            *_show("resilience_bench_overhead_seconds"),
            Query(f"resilience_bench_overhead_low_seconds{{{CASES}}}", "{{case}} low"),
            Query(f"resilience_bench_overhead_high_seconds{{{CASES}}}", "{{case}} high"),
        ),
        width=12,
    ),
)
COUNTS: Final = (
    Plan(
        "Instructions",
        "Processor instructions of one call: nearly without noise, comparable between machines.",
        "short",
        _show("resilience_bench_instructions"),
    ),
    Plan(
        "Memory",
        "The most memory that one call holds at a time.",
        "bytes",
        _show("resilience_bench_peak_bytes"),
    ),
    Plan(
        "Scaling",
        "Calls per second under load, divided by those of the bare call.",
        "percentunit",
        _show("resilience_bench_scaling_ratio"),
    ),
)
PRODUCTION: Final = (
    Plan(
        "p99 latency in production",
        "99 % of the calls of a guard take no longer. Look whether a step of the suite shows here.",
        "s",
        (
            Query(
                f"histogram_quantile(0.99, sum by (job, guard, le) (rate({BUCKETS})))",
                "{{job}} {{guard}}",
                exemplar=True,
            ),
        ),
        width=24,
        runbook="latency-objective",
    ),
)


def make_history() -> Dashboard:
    """Return the dashboard."""
    made = make_dashboard(
        "benchmarks-over-time",
        "Benchmarks over time",
        "Results that resilience-bench exported as metrics, run after run.",
    )
    made.time("now-90d", "now")
    add_suite_variables(made)
    query = 'label_values(resilience_bench_latency_seconds{library=~"$library"}, family)'
    made.with_variable(make_choice("family", query))
    board = Board(made)
    board.add_row("Runs", RUNS)
    board.add_row("Latency", LATENCY)
    board.add_row("Counts and load", COUNTS)
    board.add_row("Beside production", PRODUCTION)
    return board.made
