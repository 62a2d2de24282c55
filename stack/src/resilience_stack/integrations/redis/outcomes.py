"""Counts the reads and writes of a cache by their outcome, and logs once what a server refuses."""

from __future__ import annotations

import logging
from typing import Final

from redis import exceptions

from resilience_stack.core.guard import Guard
from resilience_stack.integrations.redis.settings import describe_failure, find_hint

__all__ = ["Outcomes"]

LOGGER: Final = logging.getLogger("resilience_stack.redis")
READS: Final = ("hit", "miss", "stale", "error")
REASONS: Final = (
    "connection",
    "timeout",
    "rejected",
    "answer",
    "out_of_memory",
    "read_only",
    "bug",
)


class Outcomes:
    """The counters of one cache."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard.name
        self._said: set[str] = set()
        labels = "guard", "result"
        reads = guard.metrics.counter(
            "resilience_cache_reads", "Reads of a cache: error is a failed one, a miss too.", labels
        )
        self.reads = {result: reads.labels(guard.name, result).inc for result in READS}
        labels = "guard", "reason"
        writes = guard.metrics.counter(
            "resilience_cache_failed_writes", "Writes that a cache did not take.", labels
        )
        self._writes = {reason: writes.labels(guard.name, reason).inc for reason in REASONS}

    def note_read(self, *, is_hit: bool) -> None:
        """Count a read that was answered."""
        self.reads["hit" if is_hit else "miss"]()

    def note_answer(self, source: str, *, is_up: bool) -> None:
        """Count a read-through that found nothing fresh; a failed read is counted already."""
        if source == "stale":
            self.reads["stale"]()
        elif is_up:
            self.reads["miss"]()

    def note_failed_read(self, error: BaseException) -> None:
        """Count a read that failed, which is a miss to its caller."""
        self.reads["error"]()
        self._say(error, describe_failure(error), "a read is a miss")

    def note_failed_write(self, error: BaseException) -> None:
        """Count a write that failed."""
        reason = describe_failure(error)
        self._writes[reason]()
        self._say(error, reason, "a write has failed")

    def note_unkept(self, error: BaseException) -> None:
        """Count a value that cannot be turned into bytes; the first one is a warning."""
        self._writes["bug"]()
        level = logging.DEBUG if "bug" in self._said else logging.WARNING
        self._said.add("bug")
        LOGGER.log(
            level,
            "cache %s: a value cannot be kept, dumps raised %s",
            self._guard,
            type(error).__name__,
        )

    def _say(self, error: BaseException, reason: str, what: str) -> None:
        """Log an answer of the server once a reason: nothing else tells of it, as it does fail.

        Lost connections and limits are what the breaker logs.
        """
        is_answer = isinstance(error, exceptions.ResponseError | exceptions.AuthenticationError)
        is_new = is_answer and reason not in self._said
        level = logging.WARNING if is_new else logging.DEBUG
        if is_new:
            self._said.add(reason)
        if LOGGER.isEnabledFor(level):
            hint = find_hint(error)
            more = f"; {hint}" if hint else ""
            if is_new:
                more += "; this is said once, see the metrics for more"
            LOGGER.log(level, "cache %s: %s: %s%s", self._guard, what, type(error).__name__, more)
