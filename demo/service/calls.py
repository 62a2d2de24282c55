"""What a request asked of the dependencies, as the service itself saw it, past all metrics."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

CALLS: Final[ContextVar[list[str]]] = ContextVar("demo_calls")
"""The calls of the request that is being served, each as ``dependency=result``."""


def note_call(dependency: str, result: str) -> None:
    """Note a call and its result.

    Args:
        dependency: The name of the guard.
        result: Where the answer came from (live, stale, default) or failed; of the cache hit or
            miss for a read, taken or lost for a write.
    """
    CALLS.get().append(f"{dependency}={result}")
