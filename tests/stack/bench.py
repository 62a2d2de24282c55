"""What the tests of the stack share: a manager on a bench of its own, and things to guard."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from resilience_stack import Fallback, Guard, Policy, ResilienceManager, Retry

PATIENCE_S = 300.0
"""A test that waits longer for another thread has found a deadlock."""
OUTCOMES = ("success", "failure", "rejected")


class Flaky:
    """A function that fails the first so many times, and counts its calls."""

    def __init__(self, failures: int, error: type[BaseException] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        """Fail while there are failures left."""
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(self.calls)
        return "done"

    async def awaited(self) -> str:
        """Do the same after a turn of the event loop."""
        await asyncio.sleep(0)
        return self()


class Bench:
    """A manager with a registry and a clock of its own, whose sleeps are noted and not slept."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.registry = CollectorRegistry()
        self.slept: list[float] = []
        self.manager = ResilienceManager(
            self.registry, sleep=self.slept.append, async_sleep=self.sleep_async
        )

    async def sleep_async(self, seconds: float) -> None:
        """Note a sleep."""
        self.slept.append(seconds)

    def guard(
        self, name: str = "database", *, fallback: Fallback | None = None, **settings: Any
    ) -> Guard:
        """Make a guard; what is no setting of the policy is one of its only retry."""
        names = {field.name for field in dataclasses.fields(Policy)}
        policy = {key: value for key, value in settings.items() if key in names}
        retry = {key: value for key, value in settings.items() if key not in names}
        if retry:
            policy["retries"] = (Retry(**retry),)
        return self.manager.guard(name, Policy(**policy), fallback)

    def sample(self, name: str, guard: str = "database", **labels: str) -> float | None:
        """Read one value from the registry."""
        return self.registry.get_sample_value(f"resilience_{name}", {"guard": guard, **labels})

    def calls(self, guard: str = "database") -> tuple[float | None, ...]:
        """Calls that succeeded, failed, and were rejected."""
        return tuple(self.sample("calls_total", guard, outcome=outcome) for outcome in OUTCOMES)

    def transitions(self) -> dict[str, float]:
        """Changes of the breaker by the state that was reached."""
        reached = {"open": 0.0, "half-open": 0.0, "closed": 0.0}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name == "resilience_breaker_transitions_total":
                    reached[sample.labels["to"]] += sample.value
        return reached


def exhaust(guarded: Callable[[], object], times: int = 1) -> None:
    """Call what fails, so many times."""
    for _ in range(times):
        with pytest.raises(ConnectionError):
            guarded()


def plain(guard: Guard, function: Flaky) -> str:
    """Call through the guard."""
    return guard.call(function)


def awaited(guard: Guard, function: Flaky) -> str:
    """Call through the guard in an event loop of its own."""
    return asyncio.run(guard.call_async(function.awaited))


BOTH = pytest.mark.parametrize("call", [plain, awaited])
"""Each test with this is run for functions and for coroutine functions."""
Call = Callable[[Guard, Flaky], str]


def in_threads(*works: Callable[[], object]) -> list[Any]:
    """Begin all at once, one a thread; return what they return, or raise what one raises."""
    barrier = Barrier(len(works))

    def begin(work: Callable[[], object]) -> object:
        barrier.wait(PATIENCE_S)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(begin, work) for work in works]
        return [future.result(PATIENCE_S) for future in futures]


def in_tasks(*works: Callable[[], Coroutine[Any, Any, object]]) -> list[Any]:
    """Run all at once, one a task of one event loop; return what they return or raise."""

    async def gathered() -> list[Any]:
        return await asyncio.wait_for(
            asyncio.gather(*(work() for work in works), return_exceptions=True), PATIENCE_S
        )

    return asyncio.run(gathered())
