"""The ``benchmark`` fixture of a suite that is compared: it hands the callable over to be measured.

It takes what the fixtures of pytest-benchmark and pytest-codspeed take.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resilience_bench.worker.operations import Operation
from resilience_bench.worker.timing import Sampler

if TYPE_CHECKING:
    import pytest

Arguments = tuple[Sequence[Any], Mapping[str, Any]]


@dataclass(slots=True)
class Work:
    """What a test has measured; ``rounds`` of ``iterations`` calls and no more, unless None.

    ``sample`` is the sampler of a work with a setup of its own, which is not timed.
    """

    call: Callable[[], Any]
    rounds: int | None = None
    iterations: int = 1
    warmup_rounds: int = 0
    sample: Sampler | None = None

    @property
    def operation(self) -> Operation:
        """The work as an operation."""
        return Operation(self.call, is_async=False)

    def call_all(self) -> Any:
        """Call as often as the test says, once without a limit; return the last result."""
        result = None
        for _ in range((self.warmup_rounds + (self.rounds or 1)) * self.iterations):
            result = self.call()
        return result


Measure = Callable[[Work], Any]
"""Measures a work, and returns what a call of it returned."""


class BenchmarkFixture:
    """What a test receives as ``benchmark``: like pytest-benchmark's with ``--benchmark-disable``.

    There are no statistics while the test runs, so ``stats`` is None.
    """

    disabled = True
    enabled = False
    stats = None

    def __init__(self, item: pytest.Function, measure: Measure) -> None:
        self.name = item.name
        self.fullname = item.nodeid
        callspec = getattr(item, "callspec", None)
        self.param = callspec.id if callspec else None
        self.params = callspec.params if callspec else None
        self.group: str | None = None
        self.extra_info: dict[str, Any] = {}
        self._measure = measure
        self._mode = ""
        self._cleanup_callbacks: list[Callable[[], object]] = []  # of pytest-benchmark's weave

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Measure calls of a function, and return what the first one returned."""
        self._begin("benchmark(...)")
        call = functools.partial(function, *args, **kwargs) if args or kwargs else function
        return self._measure(Work(call))

    def pedantic(  # noqa: PLR0913, PLR0917 - the signature of pytest-benchmark
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Arguments | None] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Measure a target; without a setup it is called as often as it says, and no more."""
        self._begin("benchmark.pedantic(...)")
        for name, value, least in (
            ("rounds", rounds, 1),
            ("iterations", iterations, 1),
            ("warmup_rounds", warmup_rounds, 0),
        ):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}, expected an integer of {least} or more")
        prepared = _PreparedCalls(target, (args, kwargs or {}), setup, teardown)
        if setup:
            if iterations > 1:
                raise ValueError(f"iterations is {iterations}, expected 1 with a setup")
            return self._measure(Work(prepared, sample=prepared.sample))
        if teardown:
            sample: Sampler | None = prepared.sample
            return self._measure(Work(prepared, rounds, iterations, warmup_rounds, sample))
        call = functools.partial(target, *args, **(kwargs or {}))
        return self._measure(Work(call, rounds, iterations, warmup_rounds))

    def undo(self) -> None:
        """Undo what a test wove the fixture into."""
        while self._cleanup_callbacks:
            self._cleanup_callbacks.pop()()

    def _begin(self, mode: str) -> None:
        if self._mode:
            raise RuntimeError(f"a test has one benchmark; {self._mode} was called before {mode}")
        self._mode = mode


@dataclass(slots=True)
class _PreparedCalls:
    """Calls of a target, each between its setup and its teardown."""

    target: Callable[..., Any]
    given: Arguments
    setup: Callable[[], Arguments | None] | None
    teardown: Callable[..., Any] | None

    def __call__(self) -> Any:
        return self._call()[1]

    def sample(self, calls: int, warm: int) -> int:
        """Return the ns that the target took in a number of calls, see `Sampler`."""
        for _ in range(warm):
            self._call()
        return sum(self._call()[0] for _ in range(calls))

    def _call(self) -> tuple[int, Any]:
        made = self.setup() if self.setup else None
        if made and any(self.given):
            raise TypeError("expected no args and no kwargs, because the setup returns them")
        args, kwargs = made or self.given
        start = time.perf_counter_ns()
        result = self.target(*args, **kwargs)
        elapsed = time.perf_counter_ns() - start
        if self.teardown:
            self.teardown(*args, **kwargs)
        return elapsed, result
