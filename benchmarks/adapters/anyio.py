"""anyio: cancel scopes with a deadline, and a limiter that lends tokens to tasks."""

from __future__ import annotations

from typing import Any

import anyio

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import ATTEMPTS, Operation, Payload
from benchmarks.vocabulary_limits import ATTEMPT_S, LIMIT_S
from resilience_bench import PayloadError


class Timeouts(vocabulary.Timeouts):
    """anyio.fail_after around a call, on asyncio."""

    rejection = TimeoutError

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        """Call in the block of a limit."""

        async def limited() -> Any:
            with anyio.fail_after(seconds):
                return await payload()

        return limited

    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Try in a loop, in the block of a limit."""

        async def limited() -> Any:
            with anyio.fail_after(LIMIT_S):
                for _ in range(ATTEMPTS - 1):
                    try:
                        with anyio.fail_after(ATTEMPT_S):
                            return await payload()
                    except PayloadError:
                        pass
                with anyio.fail_after(ATTEMPT_S):
                    return await payload()

        return limited


class Bulkheads(vocabulary.Bulkheads):
    """anyio.CapacityLimiter around a call, on asyncio."""

    rejection = anyio.WouldBlock

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Borrow a token, at once or in so many seconds."""
        limiter = anyio.CapacityLimiter(slots)

        async def at_once() -> Any:
            limiter.acquire_nowait()
            try:
                return await payload()
            finally:
                limiter.release()

        async def waiting() -> Any:
            with anyio.fail_after(wait_s):
                await limiter.acquire()
            try:
                return await payload()
            finally:
                limiter.release()

        return waiting if wait_s else at_once
