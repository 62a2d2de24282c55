"""An open loop: requests arrive at times that are fixed beforehand, however long each one takes.

A closed loop waits for an answer before it asks again, so a stall delays one request of a caller
and hides all those that would have arrived meanwhile. Here the latency of a request counts from the
time at which it was to arrive (G. Tene, "How NOT to Measure Latency", calls the other mistake
coordinated omission).
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Final

PATIENCE_NS: Final = 1_000_000_000
"""A request that no caller has taken up for so long is given up, and counts as unserved."""
END_S: Final = 5.0
"""How long the requests in flight may take when the last one has arrived."""
UNSERVED: Final = "U"
MICROSECOND_NS: Final = 1000


def draw_arrivals_ns(rate_per_s: float, seconds: float, seed: int) -> list[int]:
    """Return arrival times of independent requests (a Poisson process), the same for each seed."""
    generator = random.Random(seed)  # noqa: S311 - no secret
    arrivals: list[int] = []
    time_s = generator.expovariate(rate_per_s)
    while time_s < seconds:
        arrivals.append(int(time_s * 1e9))
        time_s += generator.expovariate(rate_per_s)
    return arrivals


class OpenLoop:
    """Threads that serve requests, each taking the next one to arrive.

    Attributes:
        latencies_us: From the arrival of each request to its answer, or to giving it up.
        answers: A letter for each request, as ``serve`` returns it.
        started_ns: When the loop was started, by ``time.perf_counter_ns``.
    """

    def __init__(self, serve: Callable[[], str], arrivals_ns: Sequence[int], callers: int) -> None:
        """Make everything that grows with the number of requests beforehand.

        Args:
            serve: Serves a request, and returns how, a letter; raises nothing.
            arrivals_ns: When the requests arrive, from the start of the loop, in rising order.
            callers: The number of threads.
        """
        self._serve = serve
        self._arrivals_ns = arrivals_ns
        self._lock = threading.Lock()
        self._next = 0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(callers)]
        self._are_ready = threading.Barrier(callers + 1)
        self._may_begin = threading.Event()
        self.latencies_us = array("q", bytes(8 * len(arrivals_ns)))
        self.answers = [UNSERVED] * len(arrivals_ns)
        self.started_ns = 0

    def prepare(self) -> None:
        """Start the threads and have each serve a request of its own, so that all are connected."""
        for thread in self._threads:
            thread.start()
        self._are_ready.wait()

    def begin(self) -> None:
        """Let the requests arrive from now on."""
        self.started_ns = time.perf_counter_ns()
        self._may_begin.set()

    def end(self) -> None:
        """Wait for the requests in flight; those that do not end count as unserved."""
        ends_s = time.monotonic() + END_S
        for thread in self._threads:
            thread.join(max(ends_s - time.monotonic(), 0.0))
        with self._lock:
            self._next = len(self._arrivals_ns)
        now_ns = time.perf_counter_ns() - self.started_ns
        for index, arrival_ns in enumerate(self._arrivals_ns):
            if self.answers[index] == UNSERVED and not self.latencies_us[index]:
                self.latencies_us[index] = max(now_ns - arrival_ns, 0) // MICROSECOND_NS

    def _work(self) -> None:
        serve, arrivals_ns, latencies_us = self._serve, self._arrivals_ns, self.latencies_us
        answers, clock = self.answers, time.perf_counter_ns
        serve()
        self._are_ready.wait()
        self._may_begin.wait()
        started_ns, count = self.started_ns, len(arrivals_ns)
        while True:
            with self._lock:
                index = self._next
                self._next += 1
            if index >= count:
                return
            due_ns = started_ns + arrivals_ns[index]
            early_ns = due_ns - clock()
            if early_ns > 0:
                time.sleep(early_ns / 1e9)
            if early_ns > -PATIENCE_NS:
                answers[index] = serve()
            latencies_us[index] = (clock() - due_ns) // MICROSECOND_NS
