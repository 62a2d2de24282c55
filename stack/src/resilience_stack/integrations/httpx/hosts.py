"""The guards of hosts: one for each, and one for all that are too many."""

from __future__ import annotations

import threading
from typing import Final

import httpx

from resilience_stack.core.guard import Guard
from resilience_stack.core.manager import ResilienceManager
from resilience_stack.core.policy import Policy
from resilience_stack.core.validation import refuse_bad_name, refuse_less_than_one

__all__ = ["Hosts"]

OTHERS: Final = "others"


class Hosts:
    """Finds the guard of a request.

    The name of a host is a label of metrics, so that their number has to be bounded: a service
    that fetches whatever its users name would fill the memory.
    """

    def __init__(
        self, manager: ResilienceManager, policy: Policy, name: str, max_hosts: int
    ) -> None:
        refuse_less_than_one("max_hosts", max_hosts)
        refuse_bad_name(name)
        kinds = ("manager", manager, ResilienceManager), ("policy", policy, Policy)
        for field, value, kind in kinds:
            if not isinstance(value, kind):
                message = f"{field} is {value!r}, expected a {kind.__name__}"
                raise TypeError(message)
        self._manager = manager
        self._policy = policy
        self._name = name
        self._max_hosts = max_hosts
        self._guards: dict[bytes, Guard] = {}
        self._lock = threading.Lock()

    def find(self, url: httpx.URL) -> Guard:
        """Return the guard of a URL's host and port."""
        place = url.netloc
        guard = self._guards.get(place)
        if guard is not None:
            return guard
        with self._lock:
            if place not in self._guards:
                if len(self._guards) >= self._max_hosts:
                    return self._make(OTHERS)
                self._guards[place] = self._make(place.decode("ascii", "replace"))
            return self._guards[place]

    def _make(self, place: str) -> Guard:
        return self._manager.guard(f"{self._name} {place}", self._policy)
