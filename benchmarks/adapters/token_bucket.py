"""token-bucket: token buckets by key, without a lock; asked with ``if``."""

from __future__ import annotations

from typing import Any

import token_bucket

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import Operation, Payload

KEY = "dependency"


class LimitedError(Exception):
    """There were too many calls."""


class RateLimits(vocabulary.RateLimits):
    """A limiter over a storage in memory."""

    rejection = LimitedError

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        """Ask before each call."""
        del algorithm
        storage = token_bucket.MemoryStorage()
        consume = token_bucket.Limiter(calls / period_s, calls, storage).consume

        def guarded() -> Any:
            if not consume(KEY):
                raise LimitedError
            return payload()

        return guarded
