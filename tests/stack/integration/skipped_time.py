"""A clock of the tests that skips what a caller would wait: waits are exact and take no time.

What waits is real: the stack, the driver and its sockets. Only how long a wait for
a silent server takes is made up: the clock goes on by just what the waiting code asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import select
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from psycopg import waiting

from tests.stack.bench import PATIENCE_S

__all__ = ["SkippingLoop", "ThreadClock"]

WAIT, WAIT_TO_CONNECT = waiting.wait, waiting.wait_conn


def replace_clock(patch: pytest.MonkeyPatch, read: Callable[[], float]) -> None:
    """Let every module of the stack that looks at a clock while a call runs look at this one."""
    importlib.import_module("resilience_stack.integrations.sqlalchemy.limits_postgresql")
    for name, module in list(sys.modules.items()):
        if name.startswith("resilience_stack.") and hasattr(module, "perf_counter"):
            patch.setattr(module, "perf_counter", read)


class ThreadClock(threading.local):
    """A clock of its own for each thread, which stands still but for what its thread waits.

    Once it is stopped, waits are skipped. Nobody's first one ends before all threads wait: they
    meet in the outage.
    """

    def __init__(self, crowd: threading.Barrier, stopped: threading.Event) -> None:
        self.now_s = 0.0
        self.stopped = stopped
        self._crowd = crowd

    def read(self) -> float:
        """Return the seconds that this thread has waited."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if not self.now_s:
            self._crowd.wait(PATIENCE_S)
        self.now_s += seconds

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Let the stack go by it in the block, and connections and sockets wait by it."""
        with pytest.MonkeyPatch.context() as patch:
            replace_clock(patch, self.read)
            patch.setattr(waiting, "wait", self._wait)
            patch.setattr(waiting, "wait_conn", self._wait_to_connect)
            patch.setattr(socket, "socket", type("Socket", (_SkippingSocket,), {"clock": self}))
            yield

    def _wait(
        self, steps: Generator[Any, Any, Any], fileno: int, interval: float, timeout: None = None
    ) -> Any:
        """Do what psycopg's function of this name does."""
        if not self.stopped.is_set():
            return WAIT(steps, fileno, interval, timeout)
        assert timeout is None
        try:
            wanted = next(steps)
            while True:
                ready = self._poll(fileno, wanted, interval)
                wanted = steps.send(ready)
        except StopIteration as done:
            return done.value

    def _wait_to_connect(
        self, steps: Generator[Any, Any, Any], interval: float, timeout: float | None = None
    ) -> Any:
        """Do likewise; the driver's own limit of connecting is longer than that of the call."""
        if not self.stopped.is_set():
            return WAIT_TO_CONNECT(steps, interval, timeout)
        try:
            fileno, wanted = next(steps)
            while True:
                fileno, wanted = steps.send(self._poll(fileno, wanted, interval))
        except StopIteration as done:
            return done.value

    def _poll(self, fileno: int, wanted: int, interval_s: float) -> int:
        reads, writes = [fileno] * (wanted & 1), [fileno] * (wanted >> 1 & 1)
        can_read, can_write, _ = select.select(reads, writes, [], 0)
        if not can_read and not can_write:
            self.sleep(interval_s)
        return bool(can_read) + 2 * bool(can_write)


class _SkippingSocket(socket.socket):
    """A socket whose limit is over at once, by the clock, if there is nothing to read."""

    clock: ThreadClock

    def recv(self, *args: Any) -> bytes:
        """Read."""
        self._skip()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Read."""
        self._skip()
        return super().recv_into(*args)

    def _skip(self) -> None:
        limit_s = self.gettimeout()
        if limit_s and self.clock.stopped.is_set() and not select.select([self], [], [], 0)[0]:
            self.clock.sleep(limit_s)
            raise TimeoutError


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still, until it skips waits: then it goes on by those.

    Attributes:
        is_skipping: Whether it does.
        waits: How often it has waited since it does.
    """

    def __init__(self) -> None:
        self.is_skipping = False
        self.waits = 0
        self._now_s = 0.0
        super().__init__(_SkippingSelector(self))

    def time(self) -> float:
        """Return the time by its clock."""
        return self._now_s

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Let the stack go by its clock; guards have to be made in the block."""
        with pytest.MonkeyPatch.context() as patch:
            replace_clock(patch, self.time)
            yield

    def skip(self, seconds: float) -> None:
        """Move the clock on."""
        self.waits += 1
        self._now_s += seconds


class _SkippingSelector(selectors.DefaultSelector):
    """What an event loop waits with; it gives what is on its way a moment to arrive."""

    moment_s = 0.005

    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for what is registered, or do as if it had waited."""
        if not self._loop.is_skipping or not timeout or timeout < 0:
            return super().select(timeout)
        found = super().select(min(timeout, self.moment_s))
        if not found:
            self._loop.skip(timeout)
        return found
