"""How long calls took: noted as they end, counted in bulk. Imports nothing of ours."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client.samples import Exemplar

__all__ = ["FULL", "Durations"]

FULL: Final = 1000
"""So many durations are noted before they are counted: this bounds the memory."""
FEW: Final = 4
"""Fewer durations than this are counted one by one, which is cheaper than to sort them."""


class Durations:
    """The durations of one kind of calls, counted into the buckets of a histogram.

    prometheus_client's own histogram takes a lock and walks its buckets at each call, which costs
    more than all the rest of a guard. Here a call appends to a list, and one call in `FULL` counts
    what is there. Nothing is lost and nothing counted twice, because each of the three is atomic:
    to append (at the end), to copy all, to delete as much as was copied (at the beginning).
    """

    __slots__ = ("_bounds_s", "_counts", "_lock", "_sum_s", "exemplars", "noted_s")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        """Start at zero.

        Args:
            bounds_s: The upper bounds of the buckets, rising; the last one is infinite.
        """
        self.noted_s: list[float] = []
        """What is not counted yet; append to it, and call ``fold`` once it holds `FULL`."""
        self.exemplars: dict[int, Exemplar] = {}
        """By the position of a bucket: the last call in it whose trace is known."""
        self._bounds_s = bounds_s
        self._counts = [0] * len(bounds_s)
        self._sum_s = 0.0
        self._lock = threading.Lock()

    def note(self, duration_s: float) -> None:
        """Note the end of a call."""
        noted_s = self.noted_s
        noted_s.append(duration_s)
        if len(noted_s) >= FULL:
            self.fold()

    def link(self, duration_s: float, trace: Mapping[str, str], ended_s: float) -> None:
        """Keep a call as an example of its bucket; it is noted already.

        Args:
            duration_s: How long it took.
            trace: The labels that lead to its trace.
            ended_s: When it ended, in seconds since 1970.
        """
        bucket = bisect_left(self._bounds_s, duration_s)
        self.exemplars[bucket] = Exemplar(dict(trace), duration_s, ended_s)

    def fold(self) -> None:
        """Count what was noted, unless somebody is at it: nobody ever waits here."""
        if self._lock.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._lock.release()

    def count(self) -> int:
        """Return how many calls were noted so far."""
        return self._counts[-1] + len(self.noted_s)

    def total(self) -> tuple[list[int], float]:
        """Count what was noted.

        Returns:
            How many calls took no longer than each bound, and how long all took, in seconds.
        """
        with self._lock:
            self._count()
            return list(self._counts), self._sum_s

    def reset_lock(self) -> None:
        """Forget who held the lock: in a forked process nobody is there to release it."""
        self._lock = threading.Lock()

    def _count(self) -> None:
        if not self.noted_s:
            return  # a guard at rest, at a scrape
        durations_s = self.noted_s[:]
        del self.noted_s[: len(durations_s)]
        self._sum_s += sum(durations_s)
        counts, bounds_s = self._counts, self._bounds_s
        if len(durations_s) < FEW:
            for duration_s in durations_s:
                for bucket in range(bisect_left(bounds_s, duration_s), len(bounds_s)):
                    counts[bucket] += 1
            return
        durations_s.sort()
        for bucket, bound_s in enumerate(bounds_s):
            counts[bucket] += bisect_right(durations_s, bound_s)
