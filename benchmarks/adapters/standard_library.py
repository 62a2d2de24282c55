"""The standard library: what a project writes itself, without any library."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import ATTEMPTS, Operation, Payload
from benchmarks.vocabulary_limits import ATTEMPT_S, LIMIT_S
from resilience_bench import PayloadError


class FullError(Exception):
    """All slots are taken."""


class NoCorrelation(vocabulary.Correlation):
    """The application alone."""

    adds = 0

    def wrap_asgi(self, app: Operation) -> Operation:
        return app

    def wrap_wsgi(self, app: Operation) -> Operation:
        return app


class Timeouts(vocabulary.Timeouts):
    """asyncio.timeout around a call."""

    rejection = TimeoutError

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        """Call in the block of a limit."""

        async def limited() -> Any:
            async with asyncio.timeout(seconds):
                return await payload()

        return limited

    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Try in a loop, in the block of a limit."""

        async def limited() -> Any:
            async with asyncio.timeout(LIMIT_S):
                for _ in range(ATTEMPTS - 1):
                    try:
                        async with asyncio.timeout(ATTEMPT_S):
                            return await payload()
                    except PayloadError:
                        pass
                async with asyncio.timeout(ATTEMPT_S):
                    return await payload()

        return limited


class ThreadBulkheads(vocabulary.Bulkheads):
    """threading.BoundedSemaphore around a call."""

    rejection = FullError

    def guard(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Take the semaphore, in so many seconds or at once."""
        semaphore = threading.BoundedSemaphore(slots)
        how = {"timeout": wait_s} if wait_s else {"blocking": False}

        def guarded() -> Any:
            if not semaphore.acquire(**how):
                raise FullError
            try:
                return payload()
            finally:
                semaphore.release()

        return guarded


class AsyncBulkheads(vocabulary.Bulkheads):
    """asyncio.Semaphore around a call."""

    rejection = FullError

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Take the semaphore, if it is free or one may wait."""
        semaphore = asyncio.Semaphore(slots)

        async def guarded() -> Any:
            if semaphore.locked():
                if not wait_s:
                    raise FullError
                async with asyncio.timeout(wait_s):
                    await semaphore.acquire()
            else:
                await semaphore.acquire()
            try:
                return await payload()
            finally:
                semaphore.release()

        return guarded
