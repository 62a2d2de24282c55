"""Windows, samples and chunks of cases under load."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from resilience_bench import (
    FAILS,
    PayloadError,
    scenario,
)
from resilience_bench.scenarios.definition import Scenario
from resilience_bench.scenarios.loads import Load, parse_load
from resilience_bench.worker import throughput
from resilience_bench.worker.callers import make_callers
from resilience_bench.worker.operations import make_control, open_operation
from resilience_bench.worker.throughput import (
    LoadGroup,
    LoadSubject,
    choose_long_window_ns,
    group_by_control,
)
from tests.worker.throughput_factories import (
    LIMIT_S,
    ROUNDS,
    WINDOW_NS,
    bare,
    bound,
    counting,
    marks,
    measured,
    only,
    other,
)


@scenario
async def bare_async(payload: Any) -> Any:
    """Nothing around the call of a coroutine function."""
    return payload


@scenario(outcomes=(FAILS,), raises=PayloadError)
def failing(payload: Any) -> Any:
    """Nothing around a call that fails."""
    return payload


def test_cases_with_one_control_are_measured_side_by_side() -> None:
    """Load, payload and the work of the payload make a group; so no control is measured twice."""
    cases = [
        bound(bare),
        bound(failing),
        bound(other),
        bound(other, "threads-8"),
        bound(other, "threads-4", "io"),
        bound(bare, "threads-8"),
        bound(bare_async, "tasks-4"),
    ]
    reported = [
        (load, payload, [each.name.partition(".")[2] for each in group])
        for load, payload, group in group_by_control(cases)
    ]
    assert reported == [
        (Load("threads", 4), "noop", ["bare[threads-4]", "other[threads-4]"]),
        (Load("threads", 4), "noop", ["failing[threads-4]"]),
        (Load("threads", 8), "noop", ["other[threads-8]", "bare[threads-8]"]),
        (Load("threads", 4), "io", ["other[threads-4,io]"]),
        (Load("tasks", 4), "noop", ["bare_async[tasks-4]"]),
    ]


@pytest.mark.parametrize(
    ("one", "load", "payload"),
    [
        (bare, "single", "io"),
        (bare_async, "single", "io"),
        (bare, "threads-3", "noop"),
        (bare, "threads-3", "cpu"),
        (failing, "threads-3", "io"),
        (bare_async, "tasks-3", "noop"),
        (bare_async, "tasks-3", "io"),
        (bare, "processes-2", "noop"),
        (counting(), "mixed-2-1", "noop"),
    ],
)
def test_a_sample_is_a_window_of_all_callers(one: Scenario, load: str, payload: str) -> None:
    """There is one a round, for control and case; what callers did adds up to what was counted."""
    reported = measured(bound(one, load, payload))
    assert reported.failed == {}
    callers = parse_load(load).callers
    for samples in (reported.control, only(reported.samples)):
        assert samples.callers == callers
        assert len(samples.calls) == len(samples.elapsed_ns) == ROUNDS
        assert all(each > 0 for each in samples.elapsed_ns)
        for calls, fewest, most in zip(samples.calls, samples.fewest, samples.most, strict=True):
            assert 0 <= fewest <= most
            assert callers * fewest <= calls <= callers * most
        assert samples.release_ns > 0
        assert samples.clock_ns >= 0
        assert (samples.longest_ns > 0) is bool(samples.latencies)
        assert bool(samples.lags_ns) is load.startswith("tasks")
        assert len(samples.reads) == (ROUNDS if load.startswith("mixed") else 0)
    subject = only(reported.subjects)
    samples = only(reported.samples)
    assert subject.total == sum(samples.calls) + sum(samples.latencies.values())
    tally = only(reported.tallies)
    assert tally.payload_runs == tally.promised_runs == tally.calls > 0
    assert marks(reported) == []


def test_latencies_are_left_out_where_nobody_asks() -> None:
    """A gate needs rates only; every call of them is counted all the same."""
    reported = measured(bound(counting()), timed_ns=0)
    samples = only(reported.samples)
    assert (samples.latencies, samples.longest_ns, samples.clock_ns) == ({}, 0, 0.0)
    assert only(reported.subjects).total == sum(samples.calls)
    assert marks(reported) == []


def test_the_measured_cases_are_reported_first() -> None:
    """A worker that hangs names its case, each time before its turn, in whatever order."""
    reported = measured(bound(bare), bound(other))
    names = ["", *reported.subjects]
    for start in range(0, len(names) * (1 + ROUNDS), len(names)):
        assert sorted(reported.started[start : start + len(names)]) == sorted(names)
    assert reported.started[len(names) * (1 + ROUNDS)] == ""
    assert reported.started[-1] == names[-1]


def test_the_collector_is_off_while_rates_are_measured() -> None:
    """It neither runs inside a sample nor stays off."""
    states: set[bool] = set()

    @scenario
    def asks(payload: Any) -> Any:
        def operation() -> Any:
            states.add(gc.isenabled())
            return payload()

        return operation

    with asyncio.Runner() as runner, open_operation(bound(asks), runner) as operation:
        callers = make_callers(parse_load("threads-2"), runner, LIMIT_S)
        group = LoadGroup(
            parse_load("threads-2"), "noop", callers, runner, WINDOW_NS, LIMIT_S, lambda _name: None
        )
        group.measure([LoadSubject("asks", operation)], ROUNDS)
        callers.close()
    assert states == {False}
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("call_ns", "chunk"), [(1, 1000), (50, 400), (100, 200), (9_000, 2), (1_000_000, 1)]
)
def test_a_chunk_lasts_as_long_whatever_the_operation(
    call_ns: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fast calls look at the clock now and then; slow ones after each call."""
    subject = LoadSubject("scripted", make_control(bound(bare)))
    monkeypatch.setattr(
        throughput, "make_sampler", lambda _operation, _runner: lambda calls, _warm: calls * call_ns
    )
    with asyncio.Runner() as runner:
        callers = make_callers(parse_load("single"), runner, LIMIT_S)
        group = LoadGroup(
            parse_load("single"), "noop", callers, runner, WINDOW_NS, LIMIT_S, lambda _name: None
        )
        group.measure([subject], 0)
    assert subject.chunk == chunk


def test_coroutines_that_never_wait_have_chunks_as_well() -> None:
    """Entering the event loop is not taken for their work: or every call would be a turn of it."""
    reported = measured(bound(bare_async, "tasks-2"))
    assert only(reported.subjects).chunk > 1


@pytest.mark.parametrize(
    ("load", "payload", "least_ns", "expected_ns"),
    [
        ("threads-2", "io", 10, 10),
        ("processes-4", "noop", 10, 10),
        ("threads-2", "noop", 30_000_000, 30_000_000),
        ("threads-8", "noop", 10_000_000, 80_000_000),
        ("mixed-4-4", "noop", 10_000_000, 80_000_000),
        ("threads-32", "cpu", 10_000_000, 100_000_000),
        ("threads-32", "cpu", 150_000_000, 150_000_000),
    ],
)
def test_calls_are_timed_in_a_window_in_which_every_thread_had_turns(
    load: str, payload: str, least_ns: int, expected_ns: int
) -> None:
    """Threads that share the interpreter's lock wait for each other's turns, but not for ever."""
    assert choose_long_window_ns(parse_load(load), payload, least_ns) == expected_ns


@pytest.mark.parametrize(
    ("load", "expected_ns"), [("threads-32", 10), ("tasks-1", 50_000), ("tasks-1000", 50_000_000)]
)
def test_a_window_is_long_enough_to_start_all_tasks(load: str, expected_ns: int) -> None:
    """A thousand tasks would otherwise find it closed before their first call."""
    assert throughput.choose_window_ns(parse_load(load), 10) == expected_ns
