"""Callers: all set out together, each sends its result, and what goes wrong is reported."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from resilience_bench.scenarios.loads import TASKS, Load, parse_load
from resilience_bench.worker.callers import (
    ENDING_S,
    CallerFailedError,
    Callers,
    Job,
    Tasks,
    make_callers,
    run_and_measure_lag,
)

LIMIT_S = 600.0
PATIENCE_S = 300.0
LOADS = [
    "single",
    "threads-1",
    "threads-4",
    "mixed-3-2",
    "tasks-1",
    "tasks-4",
    "processes-1",
    "processes-3",
]
SEVERAL = [load for load in LOADS if load[-1] != "1" and load != "single"]


@contextmanager
def callers_of(name: str, limit_s: float = LIMIT_S) -> Iterator[tuple[Callers, Load]]:
    """The callers of a load, closed afterwards."""
    load = parse_load(name)
    with asyncio.Runner() as runner:
        callers = make_callers(load, runner, limit_s)
        try:
            yield callers, load
        finally:
            callers.close()


def job_of(load: Load, work: Callable[[int, int], Any]) -> Job:
    """The work as a job, which is a coroutine function for tasks."""

    async def job(caller: int, released_ns: int) -> Any:
        return work(caller, released_ns)

    return job if load.kind == TASKS else work


def alive() -> list[str]:
    """The names of the callers' threads that run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("caller-")]


@pytest.mark.parametrize("name", LOADS)
def test_every_caller_sets_out_after_the_release_and_tells_its_result(name: str) -> None:
    """All jobs are done, each once, in the order of the callers, again and again."""
    with callers_of(name) as (callers, load):
        expected = list(range(load.callers + load.readers))
        job = job_of(
            load, lambda caller, released_ns: [caller, released_ns, time.perf_counter_ns()]
        )
        for _ in range(3):
            before_ns = time.perf_counter_ns()
            released_ns, reported = callers.run_together(job)
            assert [message[0] for message in reported] == expected
            assert {each[1] for each in reported} == {released_ns}
            assert all(before_ns <= released_ns <= each[2] for each in reported)


@pytest.mark.parametrize("name", SEVERAL)
def test_all_callers_are_at_it_at_the_same_time(name: str) -> None:
    """A job that waits for all the others comes to its end."""
    with callers_of(name) as (callers, load):
        count = load.callers + load.readers
        asynchronous = asyncio.Barrier(count)
        barriers = {
            "processes": multiprocessing.get_context("fork").Barrier,
            "threads": threading.Barrier,
            "mixed": threading.Barrier,
        }

        async def meets(_caller: int, _released_ns: int) -> bool:
            await asyncio.wait_for(asynchronous.wait(), PATIENCE_S)
            return True

        def waits(_caller: int, _released_ns: int) -> bool:
            barrier.wait(PATIENCE_S)
            return True

        if load.kind != TASKS:
            barrier = barriers[load.kind](count)
        _, reported = callers.run_together(meets if load.kind == TASKS else waits)
    assert reported == [True] * count


@pytest.mark.parametrize("name", LOADS)
def test_what_a_caller_raises_is_raised_again(name: str) -> None:
    """One caller's error ends the job of all, and the next job knows nothing of it."""
    with callers_of(name) as (callers, load):

        def fails(caller: int, _released_ns: int) -> int:
            if caller == 0:
                raise KeyError("idle_for")
            return caller

        expected: tuple[type[Exception], str] = (KeyError, "'idle_for'")
        if load.kind == "processes":
            expected = CallerFailedError, "it raised KeyError: 'idle_for'"
        with pytest.raises(expected[0], match=expected[1]):
            callers.run_together(job_of(load, fails))
        _, reported = callers.run_together(job_of(load, lambda caller, _released_ns: caller))
    assert reported == list(range(load.callers + load.readers))


def test_tasks_have_all_ended_when_one_has_failed() -> None:
    """No task goes on calling beside those that are released next."""
    ended: list[int] = []

    async def job(caller: int, _released_ns: int) -> None:
        if caller == 0:
            raise KeyError(caller)
        for _ in range(10):
            await asyncio.sleep(0)
        ended.append(caller)

    with callers_of("tasks-3") as (callers, _), pytest.raises(KeyError):
        callers.run_together(job)
    assert ended == [1, 2]


@pytest.mark.parametrize("name", ["single", "tasks-2"])
def test_coroutines_are_run_in_the_runners_loop(name: str) -> None:
    """One caller can await as well as several tasks: it is no other kind of operation."""

    async def job(caller: int, _released_ns: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return caller, id(asyncio.get_running_loop())

    load = parse_load(name)
    with asyncio.Runner() as runner:
        callers = make_callers(load, runner, LIMIT_S)
        _, reported = callers.run_together(job)
        loop = id(runner.get_loop())
    assert reported == [(caller, loop) for caller in range(load.callers)]


def test_closing_ends_the_threads() -> None:
    """Threads wait for their next job until they are let go, and are gone afterwards."""
    with callers_of("mixed-2-1"):
        assert sorted(alive()) == ["caller-1", "caller-2", "caller-3"]
    assert alive() == []


def test_threads_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were started are let go, and the error is the interpreter's own."""
    starts = iter(range(2))
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if next(starts, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started)
    with pytest.raises(RuntimeError, match="can't start new thread"), callers_of("threads-4"):
        pass
    assert alive() == []


@pytest.mark.parametrize("possible", [0, 2])
def test_processes_that_cannot_be_started(possible: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported before anything is measured, and no process is left."""
    fork = os.fork
    children: list[int] = []

    def forked() -> int:
        if len(children) == possible:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        child = fork()
        children.append(child)
        return child

    monkeypatch.setattr(os, "fork", forked)
    with (
        pytest.raises(RuntimeError, match=r"can't start new process: .*unavailable"),
        callers_of("processes-3"),
    ):
        pass
    assert len(children) == possible
    for child in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, 0)


def test_a_process_that_ends_early_is_noticed() -> None:
    """Nobody waits for what a process cannot say any more."""

    def leaves(caller: int, _released_ns: int) -> int:
        if caller == 1:
            os._exit(0)
        return caller

    expected = "a process ended before it reported its result"
    with callers_of("processes-2") as (callers, _):
        with pytest.raises(CallerFailedError, match=expected):
            callers.run_together(leaves)
        assert callers.run_together(lambda caller, _released_ns: caller)[1] == [0, 1]


def test_a_process_that_hangs_says_where_it_stood(capfd: pytest.CaptureFixture[str]) -> None:
    """It ends itself after its limit, whatever it is waiting for."""
    lock = threading.Lock()
    lock.acquire()

    def hangs_for_ever(_caller: int, _released_ns: int) -> None:
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left_s <= LIMIT_S + ENDING_S
        signal.setitimer(signal.ITIMER_REAL, 0.01)  # it is there: its time may be up
        lock.acquire()

    with (
        callers_of("processes-1") as (callers, _),
        pytest.raises(CallerFailedError, match="ended before"),
    ):
        callers.run_together(hangs_for_ever)
    assert "in hangs_for_ever" in capfd.readouterr().err


def test_results_may_be_large() -> None:
    """What a process tells of a hundred thousand calls arrives as a whole."""
    with callers_of("processes-2") as (callers, _):
        _, reported = callers.run_together(lambda caller, _released_ns: [caller] * 100_000)
    assert [len(message) for message in reported] == [100_000, 100_000]


def test_only_tasks_have_a_lag() -> None:
    """Threads and processes share no event loop that one of them could hold up."""
    for name in ("single", "threads-2", "processes-1"):
        with callers_of(name) as (callers, _):
            (_, reported), lags_ns = run_and_measure_lag(
                callers, lambda caller, _released_ns: caller
            )
            assert (len(reported), lags_ns) == (parse_load(name).callers, ())


def test_a_tick_that_is_held_up_to_the_end_is_late() -> None:
    """Tasks that never let go of the loop show as one long lag, not as none."""

    async def holds_the_loop(_caller: int, _released_ns: int) -> None:
        time.sleep(0.01)  # noqa: ASYNC251 - that is the point

    with callers_of("tasks-2") as (callers, _):
        assert isinstance(callers, Tasks)
        _, lags_ns = run_and_measure_lag(callers, holds_the_loop)
    assert len(lags_ns) == 1
    assert lags_ns[0] > 0


def test_a_loop_that_is_free_ticks_on() -> None:
    """A tick that comes on time is a lag as well, and none is below zero."""

    async def waits_for_a_while(_caller: int, _released_ns: int) -> None:
        await asyncio.sleep(0.05)

    with callers_of("tasks-2") as (callers, _):
        _, lags_ns = run_and_measure_lag(callers, waits_for_a_while)
    assert lags_ns
    assert min(lags_ns) >= 0
