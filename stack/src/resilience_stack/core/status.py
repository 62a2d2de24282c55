"""What a guard is like at the moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

__all__ = ["FailureShare", "GuardStatus", "StateClock"]

WINDOW_S: Final = 60.0
"""The failure share is that of about so many seconds."""


@dataclass(frozen=True, slots=True)
class GuardStatus:
    """A guard at one moment.

    Times are seconds since 1970. ``failure_share`` is that of the calls of the last minute that
    were made and ended, or None where there were none. ``mode`` is how it is forced by hand.
    """

    name: str
    state: str
    since_s: float
    mode: str | None
    degraded_since_s: float | None
    last_error: str
    failure_share: float | None
    is_critical: bool
    has_fallback: bool
    is_probe_due: bool = False


class StateClock:
    """How long a breaker has been in each of its states.

    There is no lock, which a forked process could inherit while it is held: what is read is one
    tuple, and only the breaker changes it, under its own lock.
    """

    def __init__(self) -> None:
        self.since_s = time.time()
        spent_s = {"closed": 0.0, "half-open": 0.0, "open": 0.0}
        self._reading = spent_s, "closed", time.monotonic()

    def change(self, state: str) -> None:
        """Begin to count for another state."""
        self._reading = self.read(), state, time.monotonic()
        self.since_s = time.time()

    def read(self) -> dict[str, float]:
        """Return the seconds in each state until now."""
        spent_s, state, entered_s = self._reading
        return {**spent_s, state: spent_s[state] + time.monotonic() - entered_s}


class FailureShare:
    """The share of failed calls since the oldest reading of the last minute."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int, int]] = deque([(time.monotonic(), 0, 0)])
        self._lock = threading.Lock()

    def read(self, successes: int, failures: int) -> float | None:
        """Return the share of failures among the calls since then; None where there were none.

        Args:
            successes: How many calls have succeeded since the beginning.
            failures: How many have failed.
        """
        now_s = time.monotonic()
        with self._lock:
            self._readings.append((now_s, successes, failures))
            while len(self._readings) > 2 and self._readings[1][0] <= now_s - WINDOW_S:  # noqa: PLR2004
                self._readings.popleft()
            _, old_successes, old_failures = self._readings[0]
        failed = failures - old_failures
        ended = successes - old_successes + failed
        return failed / ended if ended else None
