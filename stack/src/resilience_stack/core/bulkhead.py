"""A limit of calls in flight, shared by threads and tasks."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter

from resilience_stack.core.deadline import NEVER

__all__ = ["BulkheadFullError", "Slots"]


class BulkheadFullError(Exception):
    """A guard has as many calls in flight as its policy allows: the function was not called."""


class Slots:
    """The places of a bulkhead: one for each call in flight.

    Taking a free place and giving it back are one atomic step each, without a lock. Only who finds
    none waits in a queue, first come, first served.

    Attributes:
        free: The free places, each of them None.
        waiting: The queue; empty at most times.
    """

    def __init__(self, limit: int, wait_s: float, guard: str) -> None:
        self.limit = limit
        self._wait_s = wait_s
        self.free: deque[None] = deque([None] * limit)
        self.waiting: deque[_Waiter] = deque()
        self._lock = threading.Lock()
        self._full = f"guard {guard!r} has {limit} calls in flight, its limit"

    @property
    def in_flight(self) -> int:
        """How many places are taken."""
        return self.limit - len(self.free)

    def enter(self, ends_s: float = NEVER) -> None:
        """Take a place, waiting for one if need be.

        Args:
            ends_s: When the call has to end, by ``time.perf_counter``.

        Raises:
            BulkheadFullError: If none gets free in time.
        """
        if self.take():
            return
        if not self._wait_s:  # a refusal has to be cheap: nobody queues
            raise BulkheadFullError(self._full)
        done = threading.Event()
        waiter = self._queue(done.set)
        try:
            if not waiter.has_place and (wait_s := self._wait_within(ends_s)) > 0:
                done.wait(wait_s)
        except BaseException:  # of a signal's handler
            self._give_up(waiter)
            raise
        self._leave_queue(waiter)

    async def enter_async(self, ends_s: float = NEVER) -> None:
        """Take a place as `enter` does, without holding up the event loop.

        Raises:
            BulkheadFullError: If none gets free in time.
        """
        if self.take():
            return
        if not self._wait_s:
            raise BulkheadFullError(self._full)
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        waiter = self._queue(lambda: loop.call_soon_threadsafe(done.set))
        try:
            if not waiter.has_place and (wait_s := self._wait_within(ends_s)) > 0:
                async with asyncio.timeout(wait_s):
                    await done.wait()
        except TimeoutError:
            pass
        except BaseException:
            self._give_up(waiter)
            raise
        self._leave_queue(waiter)

    def leave(self) -> None:
        """Give a place back."""
        self.free.append(None)
        if self.waiting:
            self.hand_out()

    def hand_out(self) -> None:
        """Give free places to those who wait."""
        with self._lock:
            self._hand_out()

    def _wait_within(self, ends_s: float) -> float:
        return min(self._wait_s, ends_s - perf_counter())

    def take(self) -> bool:
        """Take a free place; whether there was one, and nobody is waiting for it."""
        if self.waiting:
            return False
        try:
            self.free.pop()
        except IndexError:
            return False
        return True

    def _queue(self, wake: Callable[[], object]) -> _Waiter:
        waiter = _Waiter(wake)
        with self._lock:
            self.waiting.append(waiter)
            # A place may have been given back since nobody was in the queue.
            self._hand_out()
        return waiter

    def _hand_out(self) -> None:
        """Give free places to those who wait; the lock is held."""
        while self.waiting:
            try:
                self.free.pop()
            except IndexError:
                return
            waiter = self.waiting.popleft()
            waiter.has_place = True
            try:
                waiter.wake()
            except RuntimeError:  # its event loop is closed: nobody waits there any more
                waiter.has_place = False
                self.free.append(None)

    def _withdraw(self, waiter: _Waiter) -> bool:
        """Take a waiter out of the queue; whether it was given a place. The lock is held."""
        if not waiter.has_place and waiter in self.waiting:
            self.waiting.remove(waiter)
        return waiter.has_place

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the queue because of an exception; a place that was given goes to the next."""
        with self._lock:
            given = self._withdraw(waiter)
        if given:
            self.leave()

    def _leave_queue(self, waiter: _Waiter) -> None:
        with self._lock:
            given = self._withdraw(waiter)
        if not given:
            raise BulkheadFullError(self._full)


class _Waiter:
    """Somebody who waits for a place."""

    __slots__ = ("has_place", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.has_place = False
