"""What the families of fallbacks, limits and pipelines ask of an adapter.

As in `benchmarks.vocabulary`, what a library cannot do raises `Unsupported` from the method that
would build it. Libraries that are for asyncio only, or have no asyncio support, are left out of the
scenarios of the other kind: there is nothing to say about them in each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from benchmarks.vocabulary import NEVER, Operation, Payload
from resilience_bench import RESULT, Counted, Unsupported

SOURCES: Final = ("default", "stale", "other")
"""Where a fallback has its answer from: a function, the last good value, another guarded call."""
STALE_S: Final = 3600
"""A last good value may be so old."""
LIMIT_S: Final = 45
"""The time limit of a call; no operation takes that long."""
ATTEMPT_S: Final = 30
"""The time limit of one attempt of a call, and of a call inside a call."""
EXCEEDED_S: Final = 0.001
"""The time limit of a call that exceeds it: the event loop's clock has no finer steps."""
SLOTS: Final = 1024
"""A bulkhead of this size is never full: more slots than callers under any load."""
FEW_SLOTS: Final = 8
"""A bulkhead of this size makes half of 16 callers wait."""
WAIT_S: Final = 30.0
"""So long a call waits for a slot; no operation does."""
UNLIMITED: Final = 10**9
"""So many calls a second are more than any operation makes."""


class Guarded(NamedTuple):
    """A guarded call; ``count`` reads how many answers the fallback gave, if the library counts."""

    operation: Operation
    count: Callable[[], float] | None = None

    def built(self) -> Operation | Counted:
        """Return what a scenario returns, so that the count is checked where there is one."""
        return Counted(self.operation, self.count) if self.count else self.operation


class Fallbacks(ABC):
    """A library's fallbacks, each around a breaker of the library around a call.

    Every answer of a fallback is the result of a payload that succeeds. ``rejection`` is what the
    breaker raises when it is open, where the fallback does not answer it.
    """

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Call a plain payload.

        Args:
            payload: What is called.
            source: Which fallback is set, of `SOURCES`.
            fail_max: So many failures in a row open the breaker.
        """
        del payload, source, fail_max
        raise Unsupported("it is for asyncio only")

    @abstractmethod
    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Await the payload, a coroutine function."""


class Timeouts(ABC):
    """A library's time limits; ``rejection`` is what a call raises that exceeds its limit."""

    rejection: type[BaseException]

    def limit(self, payload: Payload, seconds: float) -> Operation:
        """Call a plain payload with a limit."""
        del payload, seconds
        raise Unsupported("it is for asyncio only")

    @abstractmethod
    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        """Await the payload, a coroutine function, with a limit."""

    @abstractmethod
    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Await with up to three attempts of `ATTEMPT_S` each, and `LIMIT_S` for all."""


class Bulkheads:
    """A library's limits of calls in flight; ``rejection`` is what a call raises without a slot."""

    rejection: type[BaseException]

    def guard(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Call a plain payload in one of so many slots, and wait so long for one."""
        del payload, slots, wait_s
        raise Unsupported("it is for asyncio only")

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Await the payload, a coroutine function, likewise."""
        del payload, slots, wait_s
        raise Unsupported("it has no asyncio support")


class RateLimits:
    """A library's rate limits; ``rejection`` is what a call raises when there were too many.

    A library that is asked with ``if`` is asked so, and the adapter raises: application code.
    """

    rejection: type[BaseException]

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        """Call a plain payload at most so often in a period."""
        del payload, calls, period_s, algorithm
        raise Unsupported("it is for asyncio only")

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Await the payload, a coroutine function, likewise."""
        del payload, calls, period_s, algorithm
        raise Unsupported("it has no asyncio support")

    def close(self) -> None:
        """End what the library runs in the background."""


class Pipelines(ABC):
    """A library's way to put protections around one another; each is a breaker."""

    def nest(self, payload: Payload, depth: int) -> Operation:
        """Call a plain payload inside so many breakers; with 0 it is the empty pipeline."""
        del payload, depth
        raise Unsupported("it is for asyncio only")

    @abstractmethod
    def nest_async(self, payload: Payload, depth: int) -> Operation:
        """Await the payload, a coroutine function, likewise."""


def return_fallback(*_args: object, **_kwargs: object) -> str:
    """Answer in place of a call: with what it would have returned."""
    return RESULT


async def return_fallback_async(*_args: object, **_kwargs: object) -> str:
    """Answer in place of a call: with what it would have returned."""
    return RESULT


def nothing_to_nest(depth: int) -> None:
    """Refuse an empty pipeline for a library without one.

    Raises:
        Unsupported: If the depth is 0.
    """
    if depth == 0:
        raise Unsupported("it has no empty pipeline: nothing around a call is the bare call")


def nest_decorators(
    make: Callable[[], Callable[[Payload], Operation]], payload: Payload, depth: int
) -> Operation:
    """Put so many decorators around the payload, each made anew."""
    for _ in range(depth):
        payload = make()(payload)
    return payload


def replaceable(first: Payload, then: Payload) -> tuple[Payload, Callable[[], None]]:
    """Return a function that calls the first one, and what makes it call the other from then on.

    So a guard that belongs to one function can be brought into a state by calls of another kind.
    """
    target = first

    def call() -> Any:
        return target()

    def replace() -> None:
        nonlocal target
        target = then

    return call, replace


def replaceable_async(first: Payload, then: Payload) -> tuple[Payload, Callable[[], None]]:
    """Do the same for coroutine functions."""
    target = first

    async def call() -> Any:
        return await target()

    def replace() -> None:
        nonlocal target
        target = then

    return call, replace


class Correlation:
    """A middleware that gives each request an ID; ``adds`` headers to a response.

    The applications are plain functions of ASGI and WSGI.
    """

    adds = 1

    def wrap_asgi(self, app: Operation) -> Operation:
        """Put the middleware around an ASGI application."""
        del app
        raise Unsupported("it has no middleware for ASGI")

    def wrap_wsgi(self, app: Operation) -> Operation:
        """Put the middleware around a WSGI application."""
        del app
        raise Unsupported("it has no middleware for WSGI")

    def close(self) -> None:
        """Undo what it changed in the process."""


class Telemetry(ABC):
    """What a library tells about a call through its breaker, which succeeds."""

    @abstractmethod
    def observe(self, payload: Payload, kind: str) -> Operation | Counted:
        """Call the payload with ``off``, ``metrics`` or ``spans`` switched on."""

    def close(self) -> None:  # noqa: B027 - most run nothing
        """End what it runs in the background."""


class HealthReports(ABC):
    """A library's report on all its breakers."""

    @abstractmethod
    def read(self, guards: int) -> Operation:
        """Read the state of so many closed breakers."""


class SpanCounter:
    """A span processor of OpenTelemetry that counts the spans that have ended, and drops them."""

    def __init__(self) -> None:
        self.ended = 0

    def on_start(self, span: object, parent_context: object = None) -> None:
        """Do nothing."""

    def on_end(self, span: object) -> None:
        """Count it."""
        del span
        self.ended += 1

    def _on_ending(self, span: object) -> None:
        """Do nothing."""

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Have nothing to flush."""
        del timeout_millis
        return True
