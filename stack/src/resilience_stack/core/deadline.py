"""How long the running guarded call may still take. Imports nothing of ours."""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter
from typing import Final

__all__ = ["DEADLINE", "NEVER", "DeadlineExceededError", "remaining_s"]

NEVER: Final = float("inf")
DEADLINE: Final = ContextVar("resilience_deadline", default=NEVER)
"""When the running guarded call has to end, by ``time.perf_counter``; `NEVER` without a limit."""


class DeadlineExceededError(TimeoutError):
    """A guarded call, or one attempt of it, took longer than its policy allows."""


def remaining_s() -> float | None:
    """Return how many seconds the running guarded call may still take.

    Returns:
        0 or more, or None where no deadline and no limit of an attempt holds.
    """
    ends_s = DEADLINE.get()
    return None if ends_s == NEVER else max(ends_s - perf_counter(), 0.0)
