"""An open loop: every request is served once, and waits from its arrival on."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from resilience_bench.worker import open_loop
from resilience_bench.worker.open_loop import OpenLoop, draw_arrivals_ns


def finished(loop: OpenLoop) -> OpenLoop:
    """The loop after its end."""
    loop.prepare()
    loop.begin()
    loop.end()
    return loop


def test_arrivals_are_fixed_by_the_seed() -> None:
    """In rising order, within the time, about as many as the rate says, and random."""
    arrivals_ns = draw_arrivals_ns(500.0, 4.0, seed=3)
    assert arrivals_ns == draw_arrivals_ns(500.0, 4.0, seed=3)
    assert arrivals_ns != draw_arrivals_ns(500.0, 4.0, seed=4)
    assert arrivals_ns == sorted(arrivals_ns)
    assert 0 <= arrivals_ns[0] <= arrivals_ns[-1] < 4e9
    assert 1800 < len(arrivals_ns) < 2200
    gaps = {after - before for before, after in itertools.pairwise(arrivals_ns)}
    assert len(gaps) > 1000


def test_each_request_is_served_once_whoever_serves_it() -> None:
    """Callers serve one request more each, before the first one arrives."""
    numbers, lock, served = itertools.count(), threading.Lock(), []

    def serve() -> str:
        with lock:
            served.append(next(numbers))
        return "L"

    loop = finished(OpenLoop(serve, [number * 100_000 for number in range(200)], callers=8))
    assert len(served) == 200 + 8
    assert loop.answers == ["L"] * 200
    assert min(loop.latencies_us) >= 0


def test_a_stall_is_seen_by_all_requests_that_it_delays() -> None:
    """One caller, and ten requests at once: each waits for all before it."""

    def serve() -> str:
        time.sleep(0.005)
        return "L"

    loop = finished(OpenLoop(serve, [0] * 10, callers=1))
    assert list(loop.latencies_us) == sorted(loop.latencies_us)
    assert all(
        latency_us >= 5000 * number for number, latency_us in enumerate(loop.latencies_us, 1)
    )


def test_a_request_that_nobody_can_serve_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not served late, and has waited for as long as it was not given up."""
    monkeypatch.setattr(open_loop, "PATIENCE_NS", 10_000_000)
    served = []

    def serve() -> str:
        served.append(1)
        time.sleep(0.02)
        return "L"

    loop = finished(OpenLoop(serve, [0] * 5, callers=1))
    assert loop.answers[1:] == ["U"] * 4
    assert len(served) == 1 + loop.answers.count("L")
    assert all(latency_us >= 10_000 for latency_us in loop.latencies_us[1:])


def test_a_request_that_never_ends_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop ends without it; the others are served by other callers."""
    monkeypatch.setattr(open_loop, "END_S", 0.2)
    begun, ends = itertools.count(), threading.Event()

    def serve() -> str:
        if next(begun) == 2:
            ends.wait()
        return "L"

    loop = finished(OpenLoop(serve, [0, 1_000_000, 2_000_000, 3_000_000], callers=2))
    answers = list(loop.answers)
    ends.set()
    assert answers.count("U") == 1
    assert answers.count("L") == 3
    assert loop.latencies_us[answers.index("U")] > 0
