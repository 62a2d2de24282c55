"""A clock of the tests that skips what a caller would wait: waits are exact and take no time.

What waits is real: the stack, the driver and its sockets. Only how long a wait for
a silent server takes is made up: the clock goes on by just what the waiting code asked for.
"""

from __future__ import annotations

import contextlib
import select
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from psycopg import waiting

from resilience_stack.core import attempt_loop, attempts, deadline, full_layers, layers, retry
from resilience_stack.integrations.sqlalchemy import limits_postgresql
from tests.stack.bench import PATIENCE_S

__all__ = ["ThreadClock"]

USERS = (attempt_loop, attempts, deadline, full_layers, layers, limits_postgresql, retry)
"""The modules that look at the clock while a call runs."""


class ThreadClock(threading.local):
    """A clock of its own for each thread, which stands still but for what its thread waits.

    Nobody's first wait ends before all threads wait: they meet in the outage.
    """

    def __init__(self, crowd: threading.Barrier) -> None:
        self.now_s = 0.0
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
        """Let the stack go by it in the block, and psycopg's connections wait by it."""
        with pytest.MonkeyPatch.context() as patch:
            for module in USERS:
                patch.setattr(module, "perf_counter", self.read)
            patch.setattr(waiting, "wait", self._wait)
            patch.setattr(waiting, "wait_conn", self._wait_to_connect)
            yield

    def _wait(
        self, steps: Generator[Any, Any, Any], fileno: int, interval: float, timeout: None = None
    ) -> Any:
        """Do what psycopg's function of this name does."""
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
        del timeout
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
