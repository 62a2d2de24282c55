"""Recovery triggers: a cheap check of a dependency, now and then, in the background."""

from __future__ import annotations

import asyncio
import inspect
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from resilience_stack.core.events import LOGGER
from resilience_stack.core.guard import Guard
from resilience_stack.core.validation import refuse_bad_duration, refuse_less_than_one

__all__ = ["Probe", "ProbeSettings"]


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How often a dependency is checked, and what that may change.

    The time between two checks is ``interval_s``, give or take up to ``jitter`` of it. A check that
    succeeds closes an open breaker. ``trips_after`` failed checks in a row open a closed one, so
    that requests do not have to find out; None leaves that to them.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    interval_s: float = 5.0
    jitter: float = 0.2
    trips_after: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no probe could do."""
        refuse_bad_duration("ProbeSettings.interval_s", self.interval_s, above_zero=True)
        refuse_bad_duration("ProbeSettings.jitter", self.jitter)
        if self.jitter >= 1:
            message = f"ProbeSettings.jitter is {self.jitter!r}, expected a share below 1"
            raise ValueError(message)
        if self.trips_after is not None:
            refuse_less_than_one("ProbeSettings.trips_after", self.trips_after)


class Probe:
    """Checks the dependency of one guard, in a thread or in a task, until it is stopped.

    The check is a function that raises if the dependency does not answer. It goes past the guard,
    so it needs a short time limit of its own.
    """

    def __init__(
        self,
        guard: Guard,
        check: Callable[[], object] | Callable[[], Awaitable[object]],
        settings: ProbeSettings,
    ) -> None:
        self._guard = guard
        self._check = check
        self._settings = settings
        self._failures = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Check in a daemon thread from now on.

        Raises:
            TypeError: If the check is a coroutine function; ``run`` is for those.
        """
        self._refuse_coroutines()
        name = f"probe of guard {self._guard.name}"
        self._thread = threading.Thread(target=self._run_in_thread, name=name, daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Make no further check; wait for the running one, for so many seconds at the most."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    async def run(self) -> None:
        """Check in the running task, until it is cancelled or the probe is stopped."""
        while not self._stopped.is_set():
            await asyncio.sleep(self._next_wait_s())
            try:
                result = self._check()
                if isinstance(result, Awaitable):
                    await result
            except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed
                self._note_failure(error)
            else:
                self._note_success()

    def check_once(self) -> bool:
        """Check now; whether the dependency answers.

        Raises:
            TypeError: If the check is a coroutine function; ``run`` is for those.
        """
        self._refuse_coroutines()
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed
            self._note_failure(error)
            return False
        self._note_success()
        return True

    def _refuse_coroutines(self) -> None:
        # Nobody would await it, and what was never run would count as an answer.
        if inspect.iscoroutinefunction(self._check):
            message = (
                f"the check of guard {self._guard.name!r} is the coroutine function "
                f"{self._check!r}, expected a plain one; for coroutines type 'await probe.run()'"
            )
            raise TypeError(message)

    def _run_in_thread(self) -> None:
        while not self._stopped.wait(self._next_wait_s()):
            self.check_once()

    def _next_wait_s(self) -> float:
        settings = self._settings
        return settings.interval_s * (1 + random.uniform(-settings.jitter, settings.jitter))  # noqa: S311

    def _note_success(self) -> None:
        self._failures = 0
        if self._guard.state != "closed":
            self._guard.recover()

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        LOGGER.debug("the probe of guard %s failed: %s", self._guard.name, type(error).__name__)
        limit = self._settings.trips_after
        if limit is not None and self._failures >= limit and self._guard.state == "closed":
            self._guard.trip(f"probe: {type(error).__name__}")
