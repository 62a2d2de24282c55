"""Scenarios and measurements under load."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from resilience_bench import (
    Counted,
    scenario,
)
from resilience_bench._model import LoadSamples, Tally
from resilience_bench.scenarios.definition import BoundCase, Scenario
from resilience_bench.scenarios.loads import parse_load
from resilience_bench.scenarios.payload_definition import Payload
from resilience_bench.stats import correctness as tallying
from resilience_bench.worker.callers import make_callers
from resilience_bench.worker.operations import make_control, open_operation
from resilience_bench.worker.tallies import count_runs
from resilience_bench.worker.throughput import LoadGroup, LoadSubject

WINDOW_NS = 5_000_000

LIMIT_S = 600.0

ROUNDS = 3


def bound(one: Scenario, load: str = "threads-4", payload: str = "noop") -> BoundCase:
    """The only case of a scenario, under a load."""
    [only] = one.bind("file.py")
    return only.with_load(load, payload)


def bound_to_work(
    one: Scenario, load: str, work: Callable[[], Any], *, is_async: bool = False
) -> BoundCase:
    """The only case of a scenario around a payload that does real work, with that work."""

    async def real_async() -> Any:
        return work

    def real() -> Any:
        return work

    payload = Payload(real_async if is_async else real)
    [only] = one.bind("file.py", {(payload.name, payload.is_async): payload})
    return replace(only.with_load(load, payload.name), work=work, answer=None)


@dataclass(slots=True)
class Measured:
    """The statuses of cases that were measured side by side."""

    control: LoadSamples
    failed: dict[str, str]
    started: list[str]
    samples: dict[str, LoadSamples] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    subjects: dict[str, LoadSubject] = field(default_factory=dict)


def measured(
    *cases: BoundCase, timed_ns: int = 3 * WINDOW_NS, window_ns: int = WINDOW_NS
) -> Measured:
    """Measure cases with one control, as a worker does."""
    case = cases[0].info.case
    load = parse_load(case.load)
    started: list[str] = []
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        callers = make_callers(load, runner, LIMIT_S)
        stack.callback(callers.close)
        group = LoadGroup(load, case.payload, callers, runner, window_ns, LIMIT_S, started.append)
        control = LoadSubject("", make_control(cases[0]))
        subjects = {
            each.name: LoadSubject(each.name, stack.enter_context(open_operation(each, runner)))
            for each in cases
        }
        failed = group.measure([control, *subjects.values()], ROUNDS)
        reported = Measured(
            group.samples(control, timed_ns=timed_ns), failed, started, subjects=subjects
        )
        for each in cases:
            if each.name not in failed:
                reported.samples[each.name] = group.samples(subjects[each.name], timed_ns=timed_ns)
                reported.tallies[each.name] = count_runs(group, each, subjects[each.name])
    return reported


def only(reported: dict[str, Any]) -> Any:
    """The only value."""
    [value] = reported.values()
    return value


def marks(reported: Measured) -> list[str]:
    """What is said of the only case's tally."""
    return list(map(tallying.describe_defect, tallying.find_defects([only(reported.tallies)])))


@scenario
def bare(payload: Any) -> Any:
    """Nothing around the call."""
    return payload


@scenario
def other(payload: Any) -> Any:
    """Another case of the same control."""
    return payload


def counting(increments: Callable[[int], int] = lambda _call: 1) -> Scenario:
    """A scenario whose counter goes up, at its n-th call, by what a function says."""

    @scenario
    def counts(payload: Any) -> Counted:
        lock, calls, total = threading.Lock(), itertools.count(1), [0]

        def operation() -> Any:
            with lock:
                total[0] += increments(next(calls))
            return payload()

        return Counted(operation, lambda: total[0])

    registered: Scenario = counts
    return registered


def raising(after: int) -> Scenario:
    """A scenario whose operation raises what nobody expects, from its n-th call in a caller on."""

    @scenario
    def raises(payload: Any) -> Any:
        calls = itertools.count(1)

        def operation() -> Any:
            if threading.current_thread() is not threading.main_thread() and next(calls) > after:
                raise KeyError("idle_for")
            return payload()

        return operation

    registered: Scenario = raises
    return registered
