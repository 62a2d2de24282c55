"""Rates under load: what callers do together, what is counted of it, and what spoils it."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import io
import itertools
import mmap
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from resilience_bench import (
    FAILS,
    REJECTION,
    RESULT,
    RETURNS,
    Counted,
    PayloadError,
    Probed,
    scenario,
)
from resilience_bench._model import LoadSamples, Tally
from resilience_bench.scenarios.definition import BoundCase, Scenario
from resilience_bench.scenarios.discovery import discover
from resilience_bench.scenarios.loads import Load, parse_load
from resilience_bench.stats import correctness as tallying
from resilience_bench.worker import __main__ as program
from resilience_bench.worker import payloads, throughput
from resilience_bench.worker.callers import make_callers
from resilience_bench.worker.operations import make_control, open_operation
from resilience_bench.worker.protocol import (
    EndMessage,
    LoadMessage,
    Message,
    Plan,
    StartMessage,
    StatusMessage,
    TallyMessage,
    decode,
)
from resilience_bench.worker.throughput import (
    LoadGroup,
    LoadSubject,
    choose_long_window_ns,
    count_runs,
    group_by_control,
)

WINDOW_NS = 5_000_000
LIMIT_S = 60.0
ROUNDS = 3
BREAKERS = Path(__file__).resolve().parents[2] / "benchmarks" / "breaker.py"


@pytest.fixture(autouse=True)
def _unwatched() -> Iterator[None]:
    """A group has this process ended if it hangs; nobody has it ended later."""
    yield
    faulthandler.cancel_dump_traceback_later()


def bound(one: Scenario, load: str = "threads-4", payload: str = "noop") -> BoundCase:
    """The only case of a scenario, under a load."""
    [only] = one.bind("file.py")
    return only.with_load(load, payload)


@dataclass(slots=True)
class Measured:
    """What became of cases that were measured side by side."""

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
        told = Measured(
            group.samples(control, timed_ns=timed_ns), failed, started, subjects=subjects
        )
        for each in cases:
            if each.name not in failed:
                told.samples[each.name] = group.samples(subjects[each.name], timed_ns=timed_ns)
                told.tallies[each.name] = count_runs(group, each, subjects[each.name])
    return told


def only(told: dict[str, Any]) -> Any:
    """The only value."""
    [value] = told.values()
    return value


def marks(told: Measured) -> list[str]:
    """What is said of the only case's tally."""
    return list(map(tallying.describe_defect, tallying.find_defects([only(told.tallies)])))


@scenario
def bare(payload: Any) -> Any:
    """Nothing around the call."""
    return payload


@scenario
async def bare_async(payload: Any) -> Any:
    """Nothing around the call of a coroutine function."""
    return payload


@scenario
def other(payload: Any) -> Any:
    """Another case of the same control."""
    return payload


@scenario(outcomes=(FAILS,), raises=PayloadError)
def failing(payload: Any) -> Any:
    """Nothing around a call that fails."""
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
    told = [
        (load, payload, [each.name.partition(".")[2] for each in group])
        for load, payload, group in group_by_control(cases)
    ]
    assert told == [
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
    told = measured(bound(one, load, payload))
    assert told.failed == {}
    callers = parse_load(load).callers
    for samples in (told.control, only(told.samples)):
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
    subject = only(told.subjects)
    samples = only(told.samples)
    assert subject.total == sum(samples.calls) + sum(samples.latencies.values())
    tally = only(told.tallies)
    assert tally.payload_runs == tally.promised_runs == tally.calls > 0
    assert marks(told) == []


def test_latencies_are_left_out_where_nobody_asks() -> None:
    """A gate needs rates only; every call of them is counted all the same."""
    told = measured(bound(counting()), timed_ns=0)
    samples = only(told.samples)
    assert (samples.latencies, samples.longest_ns, samples.clock_ns) == ({}, 0, 0.0)
    assert only(told.subjects).total == sum(samples.calls)
    assert marks(told) == []


def test_who_is_measured_is_told_before() -> None:
    """A worker that hangs names its case: it is said again and again, in turns."""
    told = measured(bound(bare), bound(other))
    names = ["", *told.subjects]
    assert told.started[: len(names) * (1 + ROUNDS)] == names * (1 + ROUNDS)
    assert told.started[len(names) * (1 + ROUNDS)] == ""
    assert told.started[-1] == names[-1]


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
    told = measured(bound(bare_async, "tasks-2"))
    assert only(told.subjects).chunk > 1


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


@pytest.mark.parametrize("load", ["single", "threads-8", "mixed-2-2"])
def test_a_counter_that_keeps_count_has_no_mark(load: str) -> None:
    """Calls of all windows are in the tally, with those that were timed one by one."""
    told = measured(bound(counting(), load, "cpu"))
    tally = only(told.tallies)
    assert tally.counted == tally.promised_count
    assert tally.promised_count == tally.calls + only(told.subjects).total
    assert marks(told) == []


@pytest.mark.parametrize(
    ("increments", "said"),
    [
        (lambda call: 0 if call % 10 == 0 else 1, "loses counts"),
        (lambda call: 2 if call % 10 == 0 else 1, "counts too much"),
    ],
)
@pytest.mark.parametrize("load", ["threads-4", "mixed-2-1"])
def test_a_counter_that_does_not_keep_count_is_found(
    load: str, increments: Callable[[int], int], said: str
) -> None:
    """Every tenth increment that is lost, or one too many, shows in the tally and is marked."""
    told = measured(bound(counting(increments), load))
    tally = only(told.tallies)
    assert tally.payload_runs == tally.promised_runs
    missing = abs(tally.promised_count - tally.counted)
    # Each of the two counters may have been read between two tenth calls.
    assert abs(missing - tally.promised_count / 10) <= 2
    [mark] = marks(told)
    assert mark.startswith(f"{said}: ")


class Rejected(Exception):  # noqa: N818
    """What the breakers here raise."""


class Adapter:
    """The library of the breakers here."""

    rejection = Rejected


def rejecting(rejects: Callable[[int], bool]) -> Scenario:
    """An open breaker that rejects its n-th call if a function says so."""

    @scenario(library={"x": Adapter}, outcomes=(FAILS,), payload_calls=0, raises=REJECTION)
    def rejection(library: Adapter, payload: Any) -> Any:
        calls = itertools.count(1)

        def operation() -> Any:
            if rejects(next(calls)):
                raise Rejected
            with contextlib.suppress(PayloadError):
                payload()
            raise Rejected

        return operation

    registered: Scenario = rejection
    return registered


def test_an_open_breaker_that_rejects_has_no_mark() -> None:
    """Its payload never runs, and none was promised to."""
    told = measured(bound(rejecting(lambda _call: True)))
    tally = only(told.tallies)
    assert (tally.payload_runs, tally.promised_runs, tally.counted) == (0, 0, None)
    assert tally.calls > 0
    assert marks(told) == []


def test_an_open_breaker_that_lets_calls_through_is_found() -> None:
    """Calls that reach the payload all the same are counted and marked."""
    told = measured(bound(rejecting(lambda call: call % 10 != 0)))
    tally = only(told.tallies)
    assert tally.payload_runs == tally.calls // 10
    assert marks(told) == [f"the payload ran {tally.payload_runs:,} times where none was promised"]


def test_an_operation_that_does_not_run_its_payload_is_found() -> None:
    """A cache is fast, and it is wrong."""

    @scenario
    def cached(payload: Any) -> Any:
        calls = itertools.count()
        return lambda: payload() if next(calls) % 2 else RESULT

    told = measured(bound(cached))
    tally = only(told.tallies)
    runs, promised = tally.payload_runs, tally.promised_runs
    assert runs < promised
    assert marks(told) == [f"the payload ran {runs:,} times where {promised:,} were promised"]


def recovering(admits: int) -> Scenario:
    """A breaker that lets so many probes through at a time once it was opened."""

    @scenario(library={"x": Adapter}, outcomes=(FAILS, RETURNS), probes=True)
    def recovers(library: Adapter, payload: Any) -> Probed:
        gate = threading.Semaphore(admits)

        def trip() -> None:
            with contextlib.suppress(PayloadError):
                payload()

        def probe() -> Any:
            if not gate.acquire(blocking=False):
                raise Rejected
            try:
                return payload()
            finally:
                gate.release()

        return Probed(trip, probe)

    registered: Scenario = recovers
    return registered


@pytest.fixture
def _long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that outlasts the release of all callers, on any machine."""
    monkeypatch.setattr(payloads, "IO_S", 0.05)


@pytest.mark.usefixtures("_long_work")
@pytest.mark.parametrize("admits", [1, 3, 8])
def test_probes_at_once_are_counted(admits: int) -> None:
    """Of eight callers that find a breaker half-open, so many reach the payload."""
    told = measured(bound(recovering(admits), "threads-8", "io"))
    assert told.failed == {}
    tally, samples = only(told.tallies), only(told.samples)
    assert tally.probes == admits
    assert tally.calls == throughput.BURSTS * 8
    assert (tally.counted, tally.promised_count) == (None, None)
    assert marks(told) == ([] if admits == 1 else [f"{admits} probes at once"])
    for each in (samples, told.control):
        assert each.calls == (8,) * ROUNDS
        assert each.fewest == each.most == (1,) * ROUNDS
        # Whoever is released first is at its call while the others are released.
        assert each.release_ns == 0
        assert (each.latencies, each.clock_ns) == ({}, 0.0)


@pytest.mark.usefixtures("_long_work")
@pytest.mark.parametrize(("library", "probes"), [("pybreaker", 1), ("circuitbreaker", 8)])
def test_half_open_breakers_of_libraries(library: str, probes: int) -> None:
    """The lock of pybreaker lets one probe through at a time, circuitbreaker has no limit."""
    found = discover([BREAKERS]).bound[f"breaker.trip_and_recover[{library}]"]
    told = measured(found.with_load("threads-8", "io"))
    assert told.failed == {}
    assert only(told.tallies).probes == probes


def test_processes_that_share_a_counter_are_counted_together() -> None:
    """What the library counts, and how often the payload ran, is told of all processes."""

    @scenario(across_processes=True)
    def shares(payload: Any) -> Counted:
        page = mmap.mmap(-1, mmap.PAGESIZE)
        slot = struct.Struct("q")
        places: dict[int, int] = {}

        def operation() -> Any:
            # Each process counts in a place of its own.
            me = places.setdefault(threading.get_native_id(), 8 * (threading.get_native_id() % 512))
            slot.pack_into(page, me, slot.unpack_from(page, me)[0] + 1)
            return payload()

        return Counted(operation, lambda: sum(each for (each,) in slot.iter_unpack(page)))

    told = measured(bound(shares, "processes-2"))
    tally = only(told.tallies)
    assert tally.counted == tally.promised_count > tally.calls
    assert tally.payload_runs == tally.promised_runs == tally.calls > 0


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


def test_what_raises_under_threads_has_failed_and_the_others_go_on() -> None:
    """Alone it is all right; under the load the reason is told, and the rest is measured."""
    told = measured(bound(raising(after=5)), bound(other))
    [(name, reason)] = told.failed.items()
    assert name.endswith("raises[threads-4]")
    assert reason == "under this load it raised KeyError: 'idle_for'"
    [(name, samples)] = told.samples.items()
    assert name.endswith("other[threads-4]")
    assert len(samples.calls) == ROUNDS


# What a worker says of all this.

HEAD = """
import itertools, os, threading, time
from resilience_bench import Counted, scenario

def in_caller():
    return threading.current_thread().name.startswith("caller-")
"""
FILE = f"""{HEAD}
@scenario
def good(payload):
    return payload

@scenario
def good_again(payload):
    return lambda: payload()

@scenario
def raising(payload):
    def operation():
        if in_caller():
            raise KeyError("idle_for")
        return payload()
    return operation

@scenario
def leaking(payload):
    lock, calls, total = threading.Lock(), itertools.count(1), [0]
    def operation():
        with lock:
            total[0] += not in_caller() or next(calls) % 10 != 0
        return payload()
    return Counted(operation, lambda: total[0])

@scenario(across_processes=True)
def raising_in_a_process(payload):
    here = os.getpid()
    def operation():
        if os.getpid() != here:
            raise KeyError("idle_for")
        return payload()
    return operation

@scenario
async def awaited(payload):
    return payload
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario file with good and bad cases."""
    path = tmp_path_factory.mktemp("scenarios") / "cases.py"
    path.write_text(FILE)
    return path


def plan(file: Path, load: str, *scenarios: str, payload: str = "noop", **more: Any) -> Plan:
    """A small plan for cases of the file under one load."""
    label = load if payload == "noop" else f"{load},{payload}"
    names = [f"cases.{each}" for each in scenarios]
    under = tuple((f"{name}[{label}]", name, load, payload) for name in names)
    parts: dict[str, Any] = {"rounds": 2, "window_ns": WINDOW_NS, "case_limit_s": LIMIT_S}
    return Plan(
        "load", (str(file),), tuple(name for name, *_ in under), under=under, **(parts | more)
    )


def said(a_plan: Plan) -> list[Message]:
    """What a worker in this process says that carries out a plan."""
    channel = io.StringIO()
    program._Worker(a_plan, channel).run()
    return [decode(line) for line in channel.getvalue().splitlines()]


def statuses(messages: Iterable[Message]) -> dict[str, tuple[str, str]]:
    """Status and reason of each case, by its scenario; the last one counts."""
    return {
        each.case.partition("[")[0].removeprefix("cases."): (each.status, each.reason)
        for each in messages
        if isinstance(each, StatusMessage)
    }


def operations(messages: Iterable[Message]) -> list[str]:
    """The scenarios of which samples were told."""
    return [
        each.name.partition("[")[0].removeprefix("cases.")
        for each in messages
        if isinstance(each, LoadMessage) and each.kind == "operation"
    ]


def test_a_worker_tells_samples_and_tallies_of_each_case(file: Path) -> None:
    """The control once for all its cases, then the cases; the rest of the plan is done as well."""
    messages = said(plan(file, "threads-2", "good", "leaking", "good_again"))
    kinds = [type(each) for each in messages if not isinstance(each, StartMessage)]
    assert kinds == [StatusMessage] * 3 + [LoadMessage] + [LoadMessage, TallyMessage] * 3 + [
        EndMessage
    ]
    assert operations(messages) == ["good", "leaking", "good_again"]
    [tally] = [
        each.tally for each in messages if isinstance(each, TallyMessage) and "leaking" in each.case
    ]
    assert [defect.kind for defect in tallying.find_defects([tally])] == ["lost counts"]
    keys = {each.control for each in messages if isinstance(each, StatusMessage)}
    assert keys == {"1xreturns threads-2 noop"}
    assert isinstance(messages[-1], EndMessage)


@pytest.mark.parametrize(
    ("load", "scenario_name"), [("threads-2", "raising"), ("processes-2", "raising_in_a_process")]
)
def test_a_worker_tells_what_failed_and_measures_the_rest(
    load: str, scenario_name: str, file: Path
) -> None:
    """The reason says that it is the load's: alone the operation does what it should."""
    messages = said(plan(file, load, "good", scenario_name, "good_again"))
    assert statuses(messages) == {
        "good": ("ready", ""),
        scenario_name: ("failed", "under this load it raised KeyError: 'idle_for'"),
        "good_again": ("ready", ""),
    }
    assert operations(messages) == ["good", "good_again"]


def test_an_error_of_a_later_pass_is_the_loads_as_well(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What raises seldom may do so only while calls are timed or counted."""

    def raises(_group: LoadGroup, case: BoundCase, _subject: LoadSubject) -> Tally:
        if case.name.startswith("cases.good["):
            raise KeyError("idle_for")
        return Tally(1, 1, 1)

    monkeypatch.setattr(throughput, "count_runs", raises)
    messages = said(plan(file, "threads-2", "good", "good_again"))
    expected = ("failed", "under this load it raised KeyError: 'idle_for'")
    assert statuses(messages) == {"good": expected, "good_again": ("ready", "")}
    assert operations(messages) == ["good_again"]


def test_without_its_control_nothing_is_told_of_a_case(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate says nothing without the rate that could be reached."""

    def raises(_self: LoadGroup, subject: LoadSubject) -> int:
        if not subject.name:
            raise MemoryError("no more")
        return 1

    monkeypatch.setattr(LoadGroup, "_choose_chunk", raises)
    messages = said(plan(file, "threads-2", "good"))
    reason = "its control: under this load it raised MemoryError: no more"
    assert statuses(messages) == {"good": ("failed", reason)}
    assert operations(messages) == []
    assert isinstance(messages[-1], EndMessage)


def test_readers_need_a_counter(file: Path) -> None:
    """Without one a mixed load is not available; what has one is measured."""
    messages = said(plan(file, "mixed-1-1", "good", "leaking"))
    assert statuses(messages) == {
        "good": ("not available", "it has no counter that readers could read"),
        "leaking": ("ready", ""),
    }
    assert operations(messages) == ["leaking"]


def test_threads_that_cannot_be_started_are_not_available(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names the load; other loads of the plan are measured."""

    def refuses(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    wanted = plan(file, "threads-64", "good", "good_again")
    more = plan(file, "tasks-2", "awaited")
    both = Plan(
        "load",
        wanted.paths,
        wanted.cases + more.cases,
        under=wanted.under + more.under,
        rounds=1,
        window_ns=WINDOW_NS,
        case_limit_s=LIMIT_S,
    )
    messages = said(both)
    refused = ("not available", "threads-64: can't start new thread")
    assert statuses(messages) == {
        "good": refused,
        "good_again": refused,
        "awaited": ("ready", ""),
    }
    assert operations(messages) == ["awaited"]


def test_one_caller_awaits_a_coroutine_around_work(file: Path) -> None:
    """A payload that waits is a load of its own, also for one caller of a coroutine."""
    messages = said(plan(file, "single", "awaited", payload="io"))
    assert statuses(messages) == {"awaited": ("ready", "")}
    assert operations(messages) == ["awaited"]


def test_a_case_that_is_gone_is_told(file: Path) -> None:
    """A file that changed meanwhile costs the cases that it no longer has."""
    messages = said(plan(file, "threads-2", "vanished", "good"))
    assert statuses(messages)["vanished"] == ("failed", "its file no longer defines it")
    assert operations(messages) == ["good"]


def test_a_window_that_is_shorter_than_its_release() -> None:
    """What it took is never below zero, though the release is taken off."""
    told = measured(bound(bare, "threads-2"), window_ns=1)
    assert all(each >= 1 for each in told.control.elapsed_ns)
