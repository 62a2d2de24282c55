"""The retry budget of a guard: retries are a bounded share of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable

from resilience_stack.core.policy import RetryBudget

__all__ = ["Budget"]


class Budget:
    """Counts what may still be retried: ``reserve``, and ``share`` for each call that ended.

    Nothing is done when a call succeeds: the calls that ended are counted by the metrics anyway,
    and read here when a retry is asked for.
    """

    def __init__(self, settings: RetryBudget, count_calls: Callable[[], int]) -> None:
        """Start with a full reserve.

        Args:
            settings: The share and the reserve.
            count_calls: Returns how many calls of the guard have ended so far.
        """
        self._settings = settings
        self._count_calls = count_calls
        self._tokens = float(settings.reserve)
        self._seen = count_calls()
        self._lock = threading.Lock()

    def spend(self) -> bool:
        """Take one retry out of the budget; False if there is none left."""
        with self._lock:
            calls = self._count_calls()
            added = self._settings.share * max(calls - self._seen, 0)
            self._seen = max(calls, self._seen)
            self._tokens = min(self._tokens + added, float(self._settings.reserve))
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
