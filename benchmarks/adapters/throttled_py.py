"""throttled-py: algorithms over a store, here in memory; asked with ``if``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import throttled
import throttled.asyncio

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation, Payload

KEY = "dependency"
ALGORITHMS = {"token-bucket": "token_bucket", "fixed-window": "fixed_window", "gcra": "gcra"}


class LimitedError(Exception):
    """There were too many calls."""


class RateLimits(vocabulary.RateLimits):
    """A limiter with a store of its own, which does not wait."""

    rejection = LimitedError

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        """Ask before each call."""
        quota = throttled.per_duration(timedelta(seconds=period_s), calls, burst=calls)
        limit = throttled.Throttled(
            KEY, using=ALGORITHMS[algorithm], quota=quota, store=throttled.MemoryStore()
        ).limit

        def guarded() -> Any:
            if limit().limited:
                raise LimitedError
            return payload()

        return guarded

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Ask before each call; limiter and store are those for asyncio."""
        quota = throttled.per_duration(timedelta(seconds=period_s), calls, burst=calls)
        limit = throttled.asyncio.Throttled(
            KEY, using=ALGORITHMS[algorithm], quota=quota, store=throttled.asyncio.MemoryStore()
        ).limit

        async def guarded() -> Any:
            if (await limit()).limited:
                raise LimitedError
            return await payload()

        return guarded
