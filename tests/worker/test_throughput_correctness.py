"""Defects that only show under load: lost counts, calls let through, too many probes."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import struct
import threading
from collections.abc import Callable
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
from resilience_bench.scenarios.definition import BoundCase, Scenario
from resilience_bench.scenarios.discovery import discover
from resilience_bench.worker import payloads, tallies
from tests.worker.throughput_factories import (
    ROUNDS,
    Measured,
    bound,
    counting,
    marks,
    measured,
    only,
    other,
    raising,
)

BREAKERS = Path(__file__).resolve().parents[2] / "benchmarks" / "breaker.py"


@pytest.mark.parametrize("load", ["single", "threads-8", "mixed-2-2"])
def test_a_counter_that_keeps_count_has_no_mark(load: str) -> None:
    """Calls of all windows are in the tally, with those that were timed one by one."""
    reported = measured(bound(counting(), load, "cpu"))
    tally = only(reported.tallies)
    assert tally.counted == tally.promised_count
    assert tally.promised_count == tally.calls + only(reported.subjects).total
    assert marks(reported) == []


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
    reported = measured(bound(counting(increments), load))
    tally = only(reported.tallies)
    assert tally.payload_runs == tally.promised_runs
    missing = abs(tally.promised_count - tally.counted)
    # Each of the two counters may have been read between two tenth calls.
    assert abs(missing - tally.promised_count / 10) <= 2
    [mark] = marks(reported)
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
    reported = measured(bound(rejecting(lambda _call: True)))
    tally = only(reported.tallies)
    assert (tally.payload_runs, tally.promised_runs, tally.counted) == (0, 0, None)
    assert tally.calls > 0
    assert marks(reported) == []


def test_an_open_breaker_that_lets_calls_through_is_found() -> None:
    """Calls that reach the payload all the same are counted and marked."""
    reported = measured(bound(rejecting(lambda call: call % 10 != 0)))
    tally = only(reported.tallies)
    assert tally.payload_runs == tally.calls // 10
    assert marks(reported) == [
        f"the payload ran {tally.payload_runs:,} times where none was promised"
    ]


def test_an_operation_that_does_not_run_its_payload_is_found() -> None:
    """A cache is fast, and it is wrong."""

    @scenario
    def cached(payload: Any) -> Any:
        calls = itertools.count()
        return lambda: payload() if next(calls) % 2 else RESULT

    reported = measured(bound(cached))
    tally = only(reported.tallies)
    runs, promised = tally.payload_runs, tally.promised_runs
    assert runs < promised
    assert marks(reported) == [f"the payload ran {runs:,} times where {promised:,} were promised"]


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


def measure_probes(case: BoundCase, probes: int, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Measure with longer and longer work, until it outlasts the release of all callers."""
    for io_s in (0.05, 0.5, 5):
        monkeypatch.setattr(payloads, "IO_S", io_s)
        reported = measured(case)
        if only(reported.tallies).probes == probes:
            break
    return reported


@pytest.mark.parametrize("admits", [1, 3, 8])
def test_probes_at_once_are_counted(admits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight callers that find a breaker half-open, so many reach the payload."""
    reported = measure_probes(bound(recovering(admits), "threads-8", "io"), admits, monkeypatch)
    assert reported.failed == {}
    tally, samples = only(reported.tallies), only(reported.samples)
    assert tally.probes == admits
    assert tally.calls == tallies.BURSTS * 8
    assert (tally.counted, tally.promised_count) == (None, None)
    assert marks(reported) == ([] if admits == 1 else [f"{admits} probes at once"])
    for value in (samples, reported.control):
        assert value.calls == (8,) * ROUNDS
        assert value.fewest == value.most == (1,) * ROUNDS
        # Whoever is released first is at its call while the others are released.
        assert value.release_ns == 0
        assert (value.latencies, value.clock_ns) == ({}, 0.0)


@pytest.mark.parametrize(("library", "probes"), [("pybreaker", 1), ("circuitbreaker", 8)])
def test_half_open_breakers_of_libraries(
    library: str, probes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of pybreaker lets one probe through at a time, circuitbreaker has no limit."""
    found = discover([BREAKERS]).bound[f"breaker.trip_and_recover[{library}]"]
    reported = measure_probes(found.with_load("threads-8", "io"), probes, monkeypatch)
    assert reported.failed == {}
    assert only(reported.tallies).probes == probes


def test_processes_that_share_a_counter_are_counted_together() -> None:
    """What the library counts, and how often the payload ran, is reported for all processes."""

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

    reported = measured(bound(shares, "processes-2"))
    tally = only(reported.tallies)
    assert tally.counted == tally.promised_count > tally.calls
    assert tally.payload_runs == tally.promised_runs == tally.calls > 0


def test_what_raises_under_threads_has_failed_and_the_others_go_on() -> None:
    """Alone it is all right; under the load the reason is reported, and the rest is measured."""
    reported = measured(bound(raising(after=5)), bound(other))
    [(name, reason)] = reported.failed.items()
    assert name.endswith("raises[threads-4]")
    assert reason == "under this load it raised KeyError: 'idle_for'"
    [(name, samples)] = reported.samples.items()
    assert name.endswith("other[threads-4]")
    assert len(samples.calls) == ROUNDS
