"""Scenario files as files of tests: each case is a test that takes pytest-benchmark's fixture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from resilience_bench.scenarios.definition import BoundCase, Unsupported
from resilience_bench.scenarios.discovery import discover
from resilience_bench.worker.operations import (
    NotCallableError,
    NotInstalledError,
    Operation,
    open_operation,
)
from resilience_bench.worker.verification import BrokenCaseError, check


class ScenarioFile(pytest.Module):
    """A scenario file; each of its cases is a test that takes pytest-benchmark's fixture."""

    def _getobj(self) -> ModuleType:
        # What pytest would import; the scenario file itself is imported by `discover`.
        return ModuleType(self.path.stem)

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield one test per case, named like the case without its family."""
        discovery = discover([self.path])
        for problem in discovery.problems:
            raise self.CollectError(str(problem))
        for bound in discovery.bound.values():
            name = bound.name.partition(".")[2]
            yield pytest.Function.from_parent(self, name=name, callobj=_make_test(bound))


def _make_test(bound: BoundCase) -> Callable[[Any], None]:
    def measure(benchmark: Any) -> None:
        benchmark.group = bound.info.case.group
        benchmark.name = bound.info.case.label or bound.name
        try:
            with asyncio.Runner() as runner:
                check(bound, runner)
                with open_operation(bound, runner) as operation:
                    benchmark(make_plain_call(operation, runner))
        except (NotInstalledError, Unsupported) as error:
            pytest.skip(str(error))
        except (BrokenCaseError, NotCallableError) as error:
            pytest.fail(str(error), pytrace=False)

    return measure


def make_plain_call(operation: Operation, runner: asyncio.Runner) -> Callable[[], Any]:
    """Return the operation as a plain function that neither raises nor awaits."""
    call = operation.call
    if operation.is_async:
        awaited, run = call, runner.get_loop().run_until_complete
        call = lambda: run(awaited())  # noqa: E731 - one frame, no more
    if not operation.raises:
        return call
    raising, raises = call, operation.raises

    def caught() -> None:
        try:
            raising()
        except raises:
            pass

    return caught
