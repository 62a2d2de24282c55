"""Recovery triggers: a cheap check of a dependency, now and then, in the background."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from types import CoroutineType
from typing import Any

from resilience_stack.core.deadline import DEADLINE
from resilience_stack.core.events import LOGGER
from resilience_stack.core.guard import Guard
from resilience_stack.core.validation import (
    LONGEST_LIMIT_S,
    is_coroutine_function,
    refuse_bad_duration,
    refuse_less_than_one,
    refuse_uncallable,
)

__all__ = ["Probe", "ProbeSettings"]


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How often a dependency is checked, for how long, and what that may change.

    The time between two checks is ``interval_s``, give or take up to ``jitter`` of it. A check has
    ``limit_s``: a coroutine ends then and has failed, a plain function asks `remaining_s`. A check
    that succeeds closes an open breaker. ``trips_after`` failed checks in a row open a closed one,
    so that requests do not have to find out; None leaves that to them.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    interval_s: float = 5.0
    jitter: float = 0.2
    trips_after: int | None = None
    limit_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what no probe could do."""
        refuse_bad_duration("ProbeSettings.interval_s", self.interval_s, above_zero=True)
        refuse_bad_duration("ProbeSettings.jitter", self.jitter)
        refuse_bad_duration(
            "ProbeSettings.limit_s", self.limit_s, above_zero=True, most_s=LONGEST_LIMIT_S
        )
        if self.jitter >= 1:
            message = f"ProbeSettings.jitter is {self.jitter!r}, expected a share below 1"
            raise ValueError(message)
        if self.trips_after is not None:
            refuse_less_than_one("ProbeSettings.trips_after", self.trips_after)


class Probe:
    """Checks the dependency of one guard, in a thread or in a task, until it is stopped.

    The check is a function that raises if the dependency does not answer. It goes past the guard,
    so its time limit is that of the settings. A plain function cannot be interrupted: one that does
    not ask `remaining_s`, as the integrations' checks do, needs a short limit of its own.
    """

    def __init__(
        self,
        guard: Guard,
        check: Callable[[], object] | Callable[[], Awaitable[object]],
        settings: ProbeSettings,
    ) -> None:
        refuse_uncallable(f"the check of guard {guard.name!r}", check)
        if not isinstance(settings, ProbeSettings):
            message = f"settings is {settings!r}, expected ProbeSettings, such as ProbeSettings()"
            raise TypeError(message)
        self._guard = guard
        self._check = check
        self._is_for_tasks = is_coroutine_function(check)
        self._settings = settings
        self._failures = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Check in a daemon thread from now on, also after `stop` and in a forked process.

        Where the probe runs already, this changes nothing.

        Raises:
            TypeError: If the check is a coroutine function; ``run`` is for those.
        """
        if self._is_for_tasks:
            raise self._refuse_coroutines()
        is_running = self._thread is not None and self._thread.is_alive()
        if is_running and not self._stopped.is_set():
            return
        stopped = self._stopped = threading.Event()
        name = f"probe of guard {self._guard.name}"
        self._thread = threading.Thread(
            target=self._run_in_thread, args=(stopped,), name=name, daemon=True
        )
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Make no further check; wait for the running one, for so many seconds at the most."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def run(self) -> Coroutine[Any, Any, None]:
        """Check in the task that awaits this, until it is cancelled or the probe is stopped."""
        self._stopped = threading.Event()
        return self._run_in_task(self._stopped)

    async def _run_in_task(self, stopped: threading.Event) -> None:
        while True:
            await asyncio.sleep(self._next_wait_s())
            if stopped.is_set():
                return
            task = asyncio.current_task()
            cancelling = task.cancelling() if task else 0
            limit_s = self._settings.limit_s
            token = DEADLINE.set(min(perf_counter() + limit_s, DEADLINE.get()))
            try:
                result = self._check()
                if isinstance(result, Awaitable):
                    async with asyncio.timeout(limit_s):
                        await result
            except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed
                self._note_failure(error)
            except asyncio.CancelledError as error:
                if task is None or task.cancelling() > cancelling:
                    raise
                self._note_failure(error)  # something that the check waited for was cancelled
            else:
                self._note_success()
            finally:
                DEADLINE.reset(token)

    def check_once(self) -> bool:
        """Check now; whether the dependency answers.

        Raises:
            TypeError: If the check is a coroutine function, or returns a coroutine; ``run`` is for
                those.
        """
        if self._is_for_tasks:
            raise self._refuse_coroutines()
        token = DEADLINE.set(min(perf_counter() + self._settings.limit_s, DEADLINE.get()))
        try:
            result = self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed
            self._note_failure(error)
            return False
        finally:
            DEADLINE.reset(token)
        if isinstance(result, CoroutineType):
            result.close()
            raise self._refuse_coroutines()
        self._note_success()
        return True

    def _refuse_coroutines(self) -> TypeError:
        # Nobody would await it, and what was never run would count as an answer.
        return TypeError(
            f"the check of guard {self._guard.name!r} is the coroutine function "
            f"{self._check!r}, expected a plain one; for coroutines type 'await probe.run()'"
        )

    def _run_in_thread(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._next_wait_s()):
            self.check_once()

    def _next_wait_s(self) -> float:
        settings = self._settings
        return settings.interval_s * (1 + random.uniform(-settings.jitter, settings.jitter))  # noqa: S311

    def _note_success(self) -> None:
        self._failures = 0
        if self._guard.state != "closed":
            self._guard.recover()

    def _note_failure(self, error: BaseException) -> None:
        self._failures += 1
        LOGGER.debug("the probe of guard %s failed: %s", self._guard.name, type(error).__name__)
        limit = self._settings.trips_after
        if limit is not None and self._failures >= limit and self._guard.state == "closed":
            self._guard.trip(f"probe: {type(error).__name__}")
