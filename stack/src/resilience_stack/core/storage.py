"""Where pybreaker keeps its state and counts failures."""

from __future__ import annotations

from pybreaker import CircuitMemoryStorage

__all__ = ["Storage"]


class Storage(CircuitMemoryStorage):
    """pybreaker's storage in memory, whose counter is an attribute: a method costs more than it."""

    counter = 0

    def increment_counter(self) -> None:
        """Count a failure."""
        self.counter += 1

    def reset_counter(self) -> None:
        """Forget the failures."""
        self.counter = 0
