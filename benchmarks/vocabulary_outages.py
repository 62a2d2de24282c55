"""What the family of outages asks of an adapter, and the settings that all libraries share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from benchmarks.vocabulary import Operation, Payload

ON: Final = (ConnectionError, TimeoutError)
"""What is retried, and counts as a failure."""
RESET_S: Final = 1
"""An open breaker lets a probe through after so many seconds: an outage here is short."""
FIRST_WAIT_S: Final = 0.05
"""A retry waits so long before the second attempt, and twice as long before the third."""


class Guards(ABC):
    """What stands between a request and its dependency: a retry, a breaker, a fallback.

    Each has three attempts, and a breaker that opens after five failures in a row.
    """

    @abstractmethod
    def guard(self, payload: Payload) -> Operation:
        """Put it around the payload; a fallback is there if the library has one."""
