"""aiolimiter: a leaky bucket for asyncio, in a ``with`` block that waits."""

from __future__ import annotations

from typing import Any

from aiolimiter import AsyncLimiter

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation, Payload


class LimitedError(Exception):
    """There were too many calls."""


class RateLimits(vocabulary.RateLimits):
    """A limiter that never refuses: who does not want to wait has to ask it before."""

    rejection = LimitedError

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Ask for room, then enter the block."""
        del algorithm
        limiter = AsyncLimiter(calls, period_s)

        async def guarded() -> Any:
            if not limiter.has_capacity():
                raise LimitedError
            async with limiter:
                return await payload()

        return guarded
