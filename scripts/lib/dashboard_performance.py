"""The dashboard *Resilience and performance*: what the layer costs, beside what production sees."""

from __future__ import annotations

from typing import Final

from dashboard_parts import GUARDS, Board, Plan, Query, make_choice, make_dashboard
from grafana_foundation_sdk.builders.dashboard import Dashboard

SUITE: Final = 'instance=~"$machine", library=~"$library"'
"""What selects the figures of the chosen libraries, from the machines that measured them."""
ONE_CALL: Final = f'{SUITE}, family="composed", load="single", payload="noop"'
OVERHEAD: Final = f'max(resilience_bench_overhead_seconds{{{ONE_CALL}, scenario="guarded"}})'
CALLS: Final = f"resilience_calls_total{{{GUARDS}}}[$__rate_interval]"
BUCKETS: Final = (
    f'resilience_call_seconds_bucket{{{GUARDS}, outcome!="rejected"}}[$__rate_interval]'
)
MEDIAN: Final = f"histogram_quantile(0.5, sum by (job, guard, le) (rate({BUCKETS})))"
P99: Final = f"histogram_quantile(0.99, sum by (job, guard, le) (rate({BUCKETS})))"

COSTS: Final = (
    Plan(
        "Overhead of a call",
        "Time that breaker, retry and metrics add to a call that does nothing; from the suite.",
        "s",
        (
            Query(
                f"max by (library, scenario) (resilience_bench_overhead_seconds{{{ONE_CALL}}})",
                "{{library}} {{scenario}}",
            ),
        ),
        kind="bars",
        height=10,
    ),
    Plan(
        "Share of real calls",
        "Overhead divided by the time of the bare call, by what is called; from the suite. A "
        "share below zero is noise.",
        "percentunit",
        (
            Query(
                "max by (library, payload) (resilience_bench_share_ratio"
                f'{{{SUITE}, scenario="guarded", load="single"}})',
                "{{library}} {{payload}}",
            ),
        ),
        kind="bars",
        height=10,
    ),
    Plan(
        "Scaling",
        "Calls per second under load, divided by those of the bare call; from the suite. Below 1, "
        "the layer makes threads wait for each other.",
        "percentunit",
        (
            Query(
                "min by (library, scenario, load) (resilience_bench_scaling_ratio"
                f'{{{SUITE}, payload="io"}})',
                "{{library}} {{scenario}} {{load}}",
            ),
        ),
        kind="bars",
        height=10,
    ),
)
PRODUCTION: Final = (
    Plan(
        "Calls",
        "Guarded calls per second.",
        "reqps",
        (Query(f"sum by (job, guard) (rate({CALLS}))", "{{job}} {{guard}}"),),
    ),
    Plan(
        "Median latency",
        "Half of the calls take no longer, retries and waits included.",
        "s",
        (Query(MEDIAN, "{{job}} {{guard}}"),),
        runbook="latency-objective",
    ),
    Plan(
        "p99 latency",
        "99 % of the calls take no longer, retries and waits included.",
        "s",
        (Query(P99, "{{job}} {{guard}}", exemplar=True),),
        runbook="latency-objective",
    ),
)
BOTH: Final = (
    Plan(
        "Share of a call in production",
        "The suite's overhead of a guarded call, divided by the median latency in production. The "
        "suite's machine and production differ: read it as an order of magnitude.",
        "percentunit",
        (Query(f"scalar({OVERHEAD}) / {MEDIAN}", "{{job}} {{guard}}"),),
        width=12,
        runbook="latency-objective",
    ),
    Plan(
        "Processors in use by the layer",
        "The suite's overhead of a guarded call, times the calls per second in production: how "
        "many processors the layer keeps busy.",
        "short",
        (Query(f"sum by (job, guard) (rate({CALLS})) * scalar({OVERHEAD})", "{{job}} {{guard}}"),),
        width=12,
    ),
)


def make_performance() -> Dashboard:
    """Return the dashboard."""
    made = make_dashboard(
        "resilience-and-performance",
        "Resilience and performance",
        "What the resilience layer costs, from results that resilience-bench exported, beside "
        "what production sees.",
    )
    add_suite_variables(made)
    board = Board(made)
    board.add_row("What the layer costs, from the suite", COSTS)
    board.add_row("What production sees", PRODUCTION)
    board.add_row("Both together", BOTH)
    return board.made


def add_suite_variables(made: Dashboard) -> None:
    """Add what chooses among the suite's results: the machine that measured, the library."""
    info, metric = "resilience_bench_run_info", "resilience_bench_latency_seconds"
    made.with_variable(make_choice("machine", f"label_values({info}, instance)"))
    made.with_variable(
        make_choice("library", f'label_values({metric}{{instance=~"$machine"}}, library)')
    )
