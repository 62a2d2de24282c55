"""Those who wait for a place in a bulkhead and leave in another way than by getting it."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType

import pytest

from resilience_stack import Bulkhead, Guard
from tests.stack.bench import PATIENCE_S, Bench


class OverTimeError(Exception):
    """What a signal's handler raises, as a supervisor's time limit does."""


def raise_over_time(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by an exception in the main thread."""
    raise OverTimeError


class Holder:
    """A call in a thread that holds the only place of a guard."""

    def __init__(self, guard: Guard) -> None:
        self.inside, self._leave = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._call, args=(guard,))
        self._thread.start()
        assert self.inside.wait(PATIENCE_S)

    def _call(self, guard: Guard) -> None:
        def hold() -> None:
            self.inside.set()
            self._leave.wait(PATIENCE_S)

        try:
            guard.call(hold)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def leave(self) -> None:
        """End the call."""
        self._leave.set()
        self._thread.join(PATIENCE_S)


def test_a_signal_while_waiting_leaks_no_place(bench: Bench) -> None:
    """Who waited has left the queue: the place that gets free is free."""
    guard = bench.guard(retries=(), bulkhead=Bulkhead(1, wait_s=PATIENCE_S))
    holder = Holder(guard)
    before = signal.signal(signal.SIGALRM, raise_over_time)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(OverTimeError):
            guard.call(lambda: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        holder.leave()
    assert guard.in_flight == 0
    assert guard.call(lambda: "in") == "in"


def test_a_closed_event_loop_in_the_queue_harms_nobody(bench: Bench) -> None:
    """Who leaves has no error of it, and the place that it cannot be given is free."""
    guard = bench.guard(retries=(), bulkhead=Bulkhead(1, wait_s=PATIENCE_S))
    holder = Holder(guard)
    loop = asyncio.new_event_loop()
    task = loop.create_task(guard.call_async(asyncio.sleep, 0))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    holder.leave()
    assert holder.error is None
    assert guard.in_flight == 0
    del task
