"""The guards of a program, one for each name."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Final

from prometheus_client import CollectorRegistry

from resilience_stack.core.breaker import Mode
from resilience_stack.core.controls import Sleeps
from resilience_stack.core.fallback import Fallback
from resilience_stack.core.guard import Guard
from resilience_stack.core.health import Health, judge_health
from resilience_stack.core.policy import Policy
from resilience_stack.core.probes import Probe, ProbeSettings
from resilience_stack.core.status import GuardStatus
from resilience_stack.core.validation import refuse_bad_name, refuse_uncallable
from resilience_stack.metrics.guard_text import GuardText
from resilience_stack.metrics.registry import GuardMetrics, Metrics

__all__ = ["STANDARD", "ResilienceManager"]

STANDARD: Final = Policy()
PROBE: Final = ProbeSettings()


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
            TypeError: If a sleep is no function.
        """
        refuse_uncallable("sleep", sleep)
        refuse_uncallable("async_sleep", async_sleep)
        try:
            self._metrics = Metrics(registry)
        except ValueError as error:
            message = (
                "the registry has the metrics of another ResilienceManager; share that one, or "
                "give each a registry of its own: ResilienceManager(CollectorRegistry())"
            )
            raise ValueError(message) from error
        self._text = GuardText(self._metrics)
        self._sleeps = Sleeps(sleep, async_sleep)
        self._guards: dict[str, Guard] = {}
        self._lock = threading.Lock()

    def guard(
        self, name: str, policy: Policy = STANDARD, fallback: Fallback | None = None
    ) -> Guard:
        """Return the guard of this name, a new one when there is none.

        Args:
            name: One name is one guard.
            policy: Its settings.
            fallback: What answers when a call fails; None for that of the guard there is.

        Raises:
            ValueError: If there is one with another policy or fallback, or the name is unfit.
            TypeError: If an argument is of another type.
        """
        _refuse_odd(name, policy, fallback)
        with self._lock:
            guard = self._guards.get(name)
            if guard is None:
                metrics = GuardMetrics(self._metrics, name, policy.ignored)
                guard = Guard(name, policy, fallback, metrics, self._sleeps)
                self._guards[name] = guard
                self._metrics.moments.add(guard)
                self._text.add(guard, metrics)
        for setting, given, kept in (
            ("policy", policy, guard.policy),
            ("fallback", fallback or guard.fallback, guard.fallback),
        ):
            if given != kept:
                message = (
                    f"guard {name!r} has another {setting}: {_describe_difference(kept, given)}; "
                    f"give both the same {setting}, or different names"
                )
                raise ValueError(message)
        return guard

    @property
    def guards(self) -> dict[str, Guard]:
        """The guards by name."""
        with self._lock:
            return dict(self._guards)

    def statuses(self) -> list[GuardStatus]:
        """Return what the guards are like at the moment, in the order in which they were made."""
        return [guard.status() for guard in self.guards.values()]

    def health(self) -> Health:
        """Return whether the service is ready; nothing outside of the process is touched."""
        return judge_health(self.statuses())

    def probe(
        self,
        name: str,
        check: Callable[[], object] | Callable[[], Awaitable[object]],
        settings: ProbeSettings = PROBE,
    ) -> Probe:
        """Return a probe of a guard's dependency; `Probe.start` or `Probe.run` begins it.

        Args:
            name: That of the guard.
            check: Raises if the dependency does not answer; cheap, with a short limit of its own.
            settings: How often, and whether it may open the breaker.

        Raises:
            ValueError: If there is no guard of this name.
            TypeError: If the check is no function, or the settings are of another type.
        """
        return Probe(self._find(name), check, settings)

    def degraded(self) -> dict[str, float]:
        """Return the names of the degraded guards, with since when, in seconds since 1970."""
        found = {name: guard.degraded_since_s for name, guard in self.guards.items()}
        return {name: since_s for name, since_s in found.items() if since_s is not None}

    def force(self, name: str, mode: Mode) -> None:
        """Force a guard by hand, see `Guard.force`.

        Raises:
            ValueError: If there is no guard of this name, or no such mode.
        """
        self._find(name).force(mode)

    def release(self, name: str) -> None:
        """Let a guard decide itself again.

        Raises:
            ValueError: If there is no guard of this name.
        """
        self._find(name).release()

    def render_metrics(self, accept: str = "") -> tuple[bytes, str]:
        """Return what Prometheus scrapes, and its content type, by the header of its request."""
        return self._text.render(accept)

    def flush_metrics(self) -> None:
        """Write the counts to the files of prometheus_client's multiprocess mode now.

        This happens once a second and at the end of the process. A process that a signal ends has
        no such end: under uvicorn, call this when the application shuts down. Without that mode
        there is nothing to write.
        """
        self._text.flush()

    def _find(self, name: str) -> Guard:
        guard = self.guards.get(name)
        if guard is None:
            known = ", ".join(sorted(self.guards)) or "none"
            message = f"there is no guard {name!r}; expected one of: {known}"
            raise ValueError(message)
        return guard


def _refuse_odd(name: object, policy: object, fallback: object) -> None:
    refuse_bad_name(name)
    if not isinstance(policy, Policy):
        message = f"policy is {policy!r}, expected a Policy, such as Policy(fail_max=3)"
        raise TypeError(message)
    if fallback is not None and not isinstance(fallback, Fallback):
        message = f"fallback is {fallback!r}, expected a Fallback, such as Fallback(stale_s=60)"
        raise TypeError(message)


def _describe_difference(kept: Policy | Fallback | None, given: Policy | Fallback | None) -> str:
    """Name the settings that differ, with both values."""
    if kept is None or given is None:
        return f"it is {kept}, now asked for with {given}"
    names = [field.name for field in fields(given)]
    pairs = [(name, getattr(kept, name), getattr(given, name)) for name in names]
    return ", ".join(
        f"{name} is {before!r}, now asked for with {after!r}"
        for name, before, after in pairs
        if before != after
    )
