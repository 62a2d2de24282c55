"""limits: strategies over a storage, here in memory; asked with ``if``."""

from __future__ import annotations

from typing import Any

import limits
from limits import aio, strategies
from limits.storage import MemoryStorage

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation, Payload

KEY = "dependency"
STRATEGIES = {
    "fixed-window": "FixedWindowRateLimiter",
    "moving-window": "MovingWindowRateLimiter",
    "sliding-counter": "SlidingWindowCounterRateLimiter",
}


class LimitedError(Exception):
    """There were too many calls."""


class RateLimits(vocabulary.RateLimits):
    """A strategy over a storage in memory, which starts a thread now and then to tidy it up."""

    rejection = LimitedError

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        """Ask before each call."""
        hit = getattr(strategies, STRATEGIES[algorithm])(MemoryStorage()).hit
        item = limits.RateLimitItemPerSecond(calls, period_s)

        def guarded() -> Any:
            if not hit(item, KEY):
                raise LimitedError
            return payload()

        return guarded

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Ask before each call; the storage is one for asyncio."""
        storage = aio.storage.MemoryStorage()
        hit = getattr(aio.strategies, STRATEGIES[algorithm])(storage).hit
        item = limits.RateLimitItemPerSecond(calls, period_s)

        async def guarded() -> Any:
            if not await hit(item, KEY):
                raise LimitedError
            return await payload()

        return guarded
