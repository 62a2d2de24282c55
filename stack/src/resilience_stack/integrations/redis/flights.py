"""One caller at a time for a key, within a process: the others wait for its answer."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Generic, TypeVar

from resilience_stack.core.deadline import remaining_s
from resilience_stack.core.fallback import Answer

__all__ = ["Flight", "Flights", "find_wait_s"]

Event = TypeVar("Event", threading.Event, asyncio.Event)


class Flight(Generic[Event]):
    """A refresh under way.

    Attributes:
        done: Set when it has ended.
        answer: What it brought; None if it has failed or was given up.
        error: How it has failed; None if it was given up.
    """

    __slots__ = ("answer", "done", "error")

    def __init__(self, done: Event) -> None:
        self.done: Event = done
        self.answer: Answer[Any] | None = None
        self.error: Exception | None = None

    def read(self) -> Answer[Any] | None:
        """Return the answer; None if there is none yet, or it was given up.

        Raises:
            Exception: How it has failed.
        """
        if self.error is not None:
            raise self.error
        return self.answer


class Flights(Generic[Event]):
    """The refreshes under way, by key."""

    def __init__(self, make_event: type[Event]) -> None:
        self._make_event: type[Event] = make_event
        self._flights: dict[str, Flight[Event]] = {}
        self._lock = threading.Lock()

    def join(self, key: str) -> tuple[Flight[Event], bool]:
        """Return the refresh of a key, and whether it is the caller's to do, and to `end`."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight(self._make_event())
            return flight, True

    def end(self, key: str) -> None:
        """Wake those who wait."""
        with self._lock:
            flight = self._flights.pop(key)
        flight.done.set()


def find_wait_s(wait_s: float) -> float:
    """Return how long a caller may wait now: no longer than what is left of its call."""
    left_s = remaining_s()
    return wait_s if left_s is None else min(wait_s, left_s)
