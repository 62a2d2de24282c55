"""Keeping an operation going: what is kept of it, in which order, and what is left as it was."""

from __future__ import annotations

import asyncio
import gc
import itertools

import pytest

from resilience_bench.worker import drift
from resilience_bench.worker.drift import LongRun, ThinnedSamples
from resilience_bench.worker.operations import Operation

SAMPLE_NS = 20_000


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 100, 1000])
def test_thinned_samples_are_spread_evenly_over_all(count: int) -> None:
    """However many there are, so many at most are kept, from the first to near the last."""
    thinned = ThinnedSamples(8)
    for sample in range(count):
        thinned.add(sample)
    kept = list(thinned._samples[: thinned._count])
    gaps = {after - before for before, after in itertools.pairwise(kept)}
    assert thinned.seen == count
    assert kept[0] == 0
    assert len(kept) == min(count, 8) or 4 <= len(kept) <= 8
    assert len(gaps) <= 1
    assert kept[-1] > count - 1 - max(gaps, default=1)


def test_cleared_samples_are_gone() -> None:
    """The next step begins without those of the step before."""
    thinned = ThinnedSamples(8)
    for sample in range(100):
        thinned.add(sample)
    thinned.clear()
    thinned.add(7)
    assert (thinned.low(), thinned.seen) == (7.0, 1)


@pytest.mark.parametrize(
    ("samples", "expected"), [([5], 5.0), ([1, 3], 1.2), (list(range(11)), 1.0), ([9, 1, 5], 1.8)]
)
def test_the_low_quantile_is_interpolated(samples: list[int], expected: float) -> None:
    """It is the one of numpy, without numpy."""
    thinned = ThinnedSamples(16)
    for sample in samples:
        thinned.add(sample)
    assert thinned.low() == pytest.approx(expected)


@pytest.mark.parametrize("is_async", [False, True])
def test_every_call_is_counted_and_every_point_is_whole(*, is_async: bool) -> None:
    """The calls grow from point to point, and there is a number for each of everything."""
    made = 0

    def call() -> None:
        nonlocal made
        made += 1

    async def call_async() -> None:
        call()

    with asyncio.Runner() as runner:
        operation = Operation(call_async if is_async else call, is_async)
        long_run = LongRun(operation, runner, SAMPLE_NS)
        before = made
        long_run.keep_going(0.3, lambda: None)
    points = long_run.points()
    assert points.calls[-1] == long_run.calls == made - before
    assert 1 <= len(points.calls) <= drift.STEPS
    assert all(fewer < more for fewer, more in itertools.pairwise(points.calls))
    for numbers in (points.operation_ns, points.reference_ns, points.blocks):
        assert len(numbers) == len(points.calls)
        assert all(number > 0 for number in numbers)


def test_the_collector_is_left_as_it_was() -> None:
    """It is off while samples are taken, also when the operation raises; afterwards it is on."""
    seen: list[bool] = []
    turns = itertools.count()

    def call() -> None:
        seen.append(gc.isenabled())
        if next(turns) > 20_000:
            raise ValueError("enough")

    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(call, is_async=False), runner, SAMPLE_NS)
        seen.clear()
        with pytest.raises(ValueError, match="enough"):
            long_run.keep_going(60.0, lambda: None)
    assert not any(seen)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_slow_operation_has_as_many_points_as_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that outlasts a step ends it; there is a point, and the next step begins."""
    clock = itertools.count(step=1_000_000)
    monkeypatch.setattr("resilience_bench.worker.timing.time.perf_counter_ns", clock.__next__)
    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(lambda: None, is_async=False), runner, SAMPLE_NS)
        long_run.keep_going(0.06, lambda: None)
    points = long_run.points()
    assert 5 <= len(points.calls) <= drift.STEPS
    assert {after - before for before, after in itertools.pairwise(points.calls)} <= {1, 2}


def test_a_leak_ends_the_run_when_it_has_shown_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps end early while memory grows fast, so that there are points before the run ends."""
    pages = itertools.count(step=1)
    monkeypatch.setattr(drift, "read_resident_bytes", lambda: next(pages) * drift.POINT_BYTES)
    monkeypatch.setattr(drift, "MEMORY_CHECK_NS", 0)
    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(lambda: None, is_async=False), runner, SAMPLE_NS)
        long_run.keep_going(3600.0, lambda: None)
    points = long_run.points()
    assert len(points.calls) >= 10
    assert points.resident_bytes[-1] >= drift.MOST_GROWTH_BYTES - 5 * drift.POINT_BYTES


def test_there_is_never_a_point_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory that goes up and down ends steps early again and again, but not without end."""
    # Before the run; then of each step at its start, within it, at its point, and after it.
    swinging = itertools.chain([0], itertools.cycle([0, drift.POINT_BYTES + 1, 0, 0]))
    monkeypatch.setattr(drift, "read_resident_bytes", lambda: next(swinging))
    monkeypatch.setattr(drift, "MEMORY_CHECK_NS", 0)
    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(lambda: None, is_async=False), runner, SAMPLE_NS)
        long_run.keep_going(3600.0, lambda: None)
    assert len(long_run.points().calls) == 2 * drift.STEPS


def test_a_run_is_ended_from_between() -> None:
    """Whoever is called between samples may end it; what was noted until then stays."""
    asked = itertools.count()

    def between() -> None:
        if next(asked) == 3:
            raise RuntimeError("the parent is gone")

    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(lambda: None, is_async=False), runner, SAMPLE_NS)
        with pytest.raises(RuntimeError, match="the parent is gone"):
            long_run.keep_going(3600.0, between)
    assert long_run.calls > 0


def test_without_proc_the_process_tells_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux the column is empty, and nothing fails."""
    monkeypatch.setattr(drift, "STATM", drift.Path("/nowhere"))
    with asyncio.Runner() as runner:
        long_run = LongRun(Operation(lambda: None, is_async=False), runner, SAMPLE_NS)
        long_run.keep_going(0.05, lambda: None)
    points = long_run.points()
    assert points.calls
    assert points.resident_bytes == ()
