"""pyrate-limiter: a limiter around a bucket, here in memory; asked with ``if``."""

from __future__ import annotations

from typing import Any

import pyrate_limiter
from pyrate_limiter import GCRA, InMemoryBucket, InMemoryStateStore, Limiter, Rate, StateBucket

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation, Payload

KEY = "dependency"


class LimitedError(Exception):
    """There were too many calls."""


class RateLimits(vocabulary.RateLimits):
    """A log of all calls in the window, or one number for all of them."""

    rejection = LimitedError

    def __init__(self) -> None:
        self._limiters: list[Limiter] = []

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        """Ask before each call, without waiting."""
        acquire = self._make(calls, period_s, algorithm).try_acquire

        def guarded() -> Any:
            if not acquire(KEY, blocking=False):
                raise LimitedError
            return payload()

        return guarded

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Ask before each call, without waiting; asyncio's lock is around it then."""
        acquire = self._make(calls, period_s, algorithm).try_acquire_async

        async def guarded() -> Any:
            if not await acquire(KEY, blocking=False):
                raise LimitedError
            return await payload()

        return guarded

    def close(self) -> None:
        """End the threads that tidy up."""
        for limiter in self._limiters:
            limiter.close()

    def _make(self, calls: int, period_s: int, algorithm: str) -> Limiter:
        rates = [Rate(calls, period_s * 1000)]
        log = {"sliding-log": pyrate_limiter.SlidingWindowLog}
        bucket: Any = (
            InMemoryBucket(rates, log[algorithm]())
            if algorithm in log
            else StateBucket(rates, GCRA(), InMemoryStateStore())
        )
        limiter = Limiter(bucket)
        self._limiters.append(limiter)
        return limiter
