"""Samples around real calls: a fixed number of calls, the same for control and operations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience_bench import scenario
from resilience_bench.scenarios.definition import Scenario
from resilience_bench.scenarios.loads import parse_load
from resilience_bench.worker.callers import Job
from resilience_bench.worker.operations import make_control
from resilience_bench.worker.throughput import (
    FEWEST_ROUNDS,
    LONGEST_FIXED_NS,
    MOST_FIXED_CALLS,
    SLOW_FACTOR,
    LoadGroup,
    LoadSubject,
)
from tests.worker.throughput_factories import (
    LIMIT_S,
    ROUNDS,
    bare,
    bound_to_work,
    counting,
    marks,
    measured,
    only,
)


@scenario
def slow(payload: Any) -> Any:
    """A guard that takes as long as many calls."""

    def operation() -> Any:
        time.sleep(0.002)
        return payload()

    return operation


@scenario
async def awaited(payload: Any) -> Any:
    """Nothing around the call of a coroutine function."""
    return payload


def work() -> None:
    """A call that takes no time to speak of."""


async def work_async() -> None:
    """A call that lets others run."""
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("one", "load", "called"),
    [
        (bare, "single", work),
        (slow, "single", work),
        (slow, "threads-3", work),
        (awaited, "single", work_async),
        (awaited, "tasks-3", work_async),
    ],
)
def test_control_and_operation_make_the_same_calls(
    one: Scenario, load: str, called: Callable[[], Any]
) -> None:
    """However slow the operation is: so the cold first call weighs the same in both."""
    reported = measured(bound_to_work(one, load, called, is_async=called is work_async))
    assert reported.failed == {}
    samples = only(reported.samples)
    callers = parse_load(load).callers
    [calls] = {*reported.control.calls, *samples.calls}
    assert callers <= calls <= callers * MOST_FIXED_CALLS
    assert calls % callers == 0
    assert len(samples.calls) == len(reported.control.calls) == ROUNDS
    [fewest] = {*samples.fewest, *samples.most}
    assert fewest == calls // callers
    assert marks(reported) == []


def test_readers_have_windows_of_time() -> None:
    """They read until the others have done, so that a number of calls would not end them."""
    reported = measured(bound_to_work(counting(), "mixed-2-1", work))
    assert reported.failed == {}
    assert len(only(reported.samples).reads) == ROUNDS
    assert only(reported.subjects).loop is None


class Scripted:
    """One caller by whose clock each call takes equally long, and a release some more."""

    def __init__(self, call_ns: int, release_ns: int) -> None:
        self.call_ns, self.release_ns = call_ns, release_ns

    def run_together(self, job: Job) -> tuple[int, list[Any]]:
        """Make the calls; tell when they would have ended."""
        calls, _ = job(0, 0)
        return 0, [(calls, self.release_ns + calls * self.call_ns)]

    def close(self) -> None:
        """End nothing."""


@pytest.mark.parametrize(
    ("call_ns", "window_ns", "calls"),
    [
        (1_000, 400_000, 20),
        (80_000, 400_000, 5),
        (300_000, 400_000, 1),
        (5_000_000, 400_000, 1),
        (0, 400_000, 20),
        (1_000_000, 50_000_000, 3),
        (400_000, 2_000_000, 5),
    ],
)
def test_as_many_bare_calls_as_fit_into_a_window(call_ns: int, window_ns: int, calls: int) -> None:
    """At least one, at most some, and not for longer than a few milliseconds."""
    control = LoadSubject("", make_control(bound_to_work(bare, "single", work)))
    load = parse_load("single")
    with asyncio.Runner() as runner:
        group = LoadGroup(
            load,
            "real",
            Scripted(call_ns, release_ns=70_000),
            runner,
            window_ns,
            LIMIT_S,
            lambda _name: None,
        )
        group.measure([control], ROUNDS)
    assert group.fixed_calls == calls
    assert group.release_ns == 70_000
    assert control.calls == [calls] * ROUNDS
    assert control.elapsed_ns == [max(calls * call_ns, 1)] * ROUNDS
    assert calls == 1 or calls * call_ns <= LONGEST_FIXED_NS


def test_an_operation_that_is_much_slower_has_fewer_samples() -> None:
    """Its difference is large, and its samples would take most of the time of a run."""
    rounds = 4 * FEWEST_ROUNDS
    names = ("", "slower", "slow")
    control, slower, slow = (
        LoadSubject(name, make_control(bound_to_work(bare, "single", work))) for name in names
    )
    clocks = {"": 10_000, "slower": 10_000 * SLOW_FACTOR, "slow": 25_000 * SLOW_FACTOR}
    callers = Scripted(10_000, release_ns=0)

    def start(name: str) -> None:
        callers.call_ns = clocks[name]

    with asyncio.Runner() as runner:
        group = LoadGroup(parse_load("single"), "real", callers, runner, 100_000, LIMIT_S, start)
        assert group.measure([control, slower, slow], rounds) == {}
    counts = [len(subject.calls) for subject in (control, slower, slow)]
    assert counts == [rounds, rounds, 1 + rounds * 10 // 25]
    assert {*control.calls, *slower.calls, *slow.calls} == {group.fixed_calls}


def test_a_control_that_fails_is_reported() -> None:
    """It fails while its calls are counted, not with a traceback."""
    calls = [0]

    def failing() -> None:
        calls[0] += 1
        if calls[0] > 1:
            raise ConnectionError("gone")

    reported = LoadSubject("", make_control(bound_to_work(bare, "single", failing)))
    with asyncio.Runner() as runner:
        group = LoadGroup(
            parse_load("single"), "real", Scripted(1, 0), runner, 1, LIMIT_S, lambda _name: None
        )
        failed = group.measure([reported], ROUNDS)
    assert failed == {"": "under this load it raised ConnectionError: gone"}
