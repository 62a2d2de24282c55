"""The guards of a program, one for each name."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry

from resilience_stack.guard import Guard
from resilience_stack.metrics import GuardMetrics, Metrics
from resilience_stack.policy import Policy

__all__ = ["STANDARD", "ResilienceManager"]

STANDARD: Final = Policy()


class ResilienceManager:
    """Makes the guards of a program, and keeps one for each name."""

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Register the metrics; guards come later.

        Args:
            registry: Where the metrics go; by default prometheus_client's own registry.
            sleep: Waits between the attempts of a plain function, for so many seconds.
            async_sleep: The same for a coroutine function; it is awaited.

        Raises:
            ValueError: If the registry has the metrics of another manager.
        """
        try:
            self._metrics = Metrics(registry)
        except ValueError as error:
            message = (
                "the registry has the metrics of another ResilienceManager; share that one, or "
                "give each a registry of its own: ResilienceManager(CollectorRegistry())"
            )
            raise ValueError(message) from error
        self._sleep = sleep
        self._async_sleep = async_sleep
        self._guards: dict[str, Guard] = {}
        self._lock = threading.Lock()

    def guard(self, name: str, policy: Policy = STANDARD) -> Guard:
        """Return the guard of this name, a new one when there is none.

        Raises:
            ValueError: If there is one with another policy, or the name is empty.
            TypeError: If the name is no text, or the policy is no `Policy`.
        """
        _refuse_odd(name, policy)
        with self._lock:
            guard = self._guards.get(name)
            if guard is None:
                metrics = GuardMetrics(self._metrics, name, policy.ignored)
                guard = Guard(name, policy, metrics, self._sleep, self._async_sleep)
                self._guards[name] = guard
        if guard.policy != policy:
            message = (
                f"guard {name!r} has {guard.policy}, now asked for with {policy}; "
                "give both the same policy, or different names"
            )
            raise ValueError(message)
        return guard


def _refuse_odd(name: object, policy: object) -> None:
    if not isinstance(name, str):
        message = f"name is {name!r}, expected the name of a guard as text"
        raise TypeError(message)
    if not name:
        message = "name is empty, expected the name of a guard, such as 'database'"
        raise ValueError(message)
    if not isinstance(policy, Policy):
        message = f"policy is {policy!r}, expected a Policy, such as Policy(fail_max=3)"
        raise TypeError(message)
