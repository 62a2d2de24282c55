"""A selection of the scenarios under pyperf's own Runner.

``python -m benchmarks.pyperf_suite [--case PATTERN ...] [pyperf's options]``
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resilience_bench import Unsupported
from resilience_bench.scenarios.definition import BoundCase
from resilience_bench.scenarios.discovery import discover
from resilience_bench.scenarios.patterns import matches
from resilience_bench.worker.operations import NotInstalledError, Operation, open_operation

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

DEFAULT_CASES = (
    "control.call",
    "breaker.closed_success[pybreaker]",
    "breaker.closed_success[circuitbreaker]",
    "breaker.open_rejection[pybreaker]",
    "retry.first_try[tenacity]",
    "retry.async_first_try[tenacity]",
    "retry.recovers_after_two[tenacity]",
    "metrics.child_inc[prometheus_client]",
    "metrics.labels_keyword_inc[prometheus_client]",
    "composed.breaker_in_retry[tenacity+pybreaker,metric=child]",
)


def main() -> None:
    """Run the selected cases, one pyperf benchmark a case."""
    # Imported here, because asv imports every module of this folder where pyperf is not installed.
    import pyperf

    runner = pyperf.Runner(
        program_args=("-m", "benchmarks.pyperf_suite"), add_cmdline_args=_pass_cases_on
    )
    runner.argparser.add_argument("--case", action="append", help="pattern over case names")
    options = runner.parse_args()
    for number, bound in enumerate(_selected(options.case or DEFAULT_CASES)):
        # A worker builds the case that it measures; the others only keep their place in the order.
        if options.worker and options.worker_task == number:
            with asyncio.Runner() as loop, open_operation(bound, loop) as operation:
                _bench(runner, bound, operation)
        else:
            _bench(runner, bound, Operation(_not_built, bound.scenario.is_async))


def _selected(patterns: list[str] | tuple[str, ...]) -> list[BoundCase]:
    discovery = discover([Path(__file__).parent])
    chosen = [
        bound
        for bound in discovery.bound.values()
        if any(matches(pattern, bound.info.case) for pattern in patterns)
    ]
    return [bound for bound in chosen if _is_available(bound)]


def _is_available(bound: BoundCase) -> bool:
    try:
        with asyncio.Runner() as loop, open_operation(bound, loop):
            return True
    except (NotInstalledError, Unsupported):
        return False


def _bench(runner: Any, bound: BoundCase, operation: Operation) -> None:
    if operation.is_async:
        runner.bench_async_func(bound.name, operation.call)
    else:
        runner.bench_func(bound.name, _caught(operation) if operation.raises else operation.call)


def _caught(operation: Operation) -> Callable[[], None]:
    call, raises = operation.call, operation.raises

    def caught() -> None:
        try:
            call()
        except raises:
            pass

    return caught


def _not_built() -> None:
    message = "only the worker of this case builds it"
    raise RuntimeError(message)


def _pass_cases_on(command: list[str], options: argparse.Namespace) -> None:
    for pattern in options.case or ():
        command += ["--case", pattern]


if __name__ == "__main__":
    main()
