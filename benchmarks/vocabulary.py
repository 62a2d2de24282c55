"""What the families ask of an adapter, and the settings that all libraries share.

A family says what is measured, an adapter says how a library does it. What a library cannot do
raises `Unsupported` from the method that would build it; the text is shown to users.
"""

from __future__ import annotations

import contextlib
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any, Final

from resilience_bench import Counted, PayloadError, Unsupported

FAILURES_TO_OPEN: Final = 5
"""So many failures in a row open a breaker."""
RECOVERY_S: Final = 60
"""An open breaker lets a probe through after so many seconds."""
ATTEMPTS: Final = 3
"""A retry calls so often, the first call included."""
DEADLINE_S: Final = 45
"""A retry with a deadline gives up after so many seconds; no operation lasts that long."""
NEVER: Final = sys.maxsize
"""A threshold that is counted towards and never reached."""
LABELS: Final = {"method": "GET", "status": "200"}
"""The labels of a labelled metric."""

Operation = Callable[[], Any]
Payload = Callable[..., Any]


class Breaker(ABC):
    """One circuit breaker, closed at first.

    ``forgets`` says that its ``failures`` are those of the last few calls only.
    """

    forgets = False

    @abstractmethod
    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        """Call the payload in the library's plainest way."""

    @abstractmethod
    def decorated(self, payload: Payload) -> Operation:
        """Return the payload under the library's decorator."""

    def block(self, payload: Payload) -> Operation:
        """Call the payload in a ``with`` block of the breaker."""
        del payload
        raise Unsupported("it has no context manager")

    def guard_async(self, payload: Payload) -> Operation:
        """Await the payload, a coroutine function, in the library's plainest way."""
        del payload
        raise Unsupported("it has no asyncio support")

    @abstractmethod
    def read_state(self) -> Operation:
        """Read the state as an application would: closed, open or half-open."""

    @abstractmethod
    def failures(self) -> float:
        """Return how many failures the breaker has counted while closed."""

    @abstractmethod
    def elapse(self) -> None:
        """Move time on past the recovery of this breaker, without sleeping."""

    def while_open(self, operation: Operation) -> Operation:
        """Return what to call while the breaker is open: as a rule the operation itself."""
        return operation


class Breakers(ABC):
    """A library's circuit breakers.

    ``rejection`` is what an open breaker raises.
    """

    rejection: type[BaseException]

    @abstractmethod
    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> Breaker:
        """Make a breaker that recovers after `RECOVERY_S` and closes after one success.

        Args:
            fail_max: So many failures in a row open it.
            exclude: An exception that is no failure.
            listener: Whether a listener that does nothing is attached.
            manual_time: Whether ``elapse`` will be called.
        """

    @abstractmethod
    def construct(self, payload: Payload) -> Operation:
        """Make a fresh breaker with the standard settings at each call."""


class Retrying(ABC):
    """One way to retry."""

    @abstractmethod
    def decorated(self, payload: Payload) -> Operation:
        """Return the payload under the library's decorator."""

    def decorated_async(self, payload: Payload) -> Operation:
        """Return the payload, a coroutine function, under the library's decorator."""
        del payload
        raise Unsupported("it has no asyncio support")

    def called(self, payload: Payload) -> Operation:
        """Call the payload through the library's object, beside the decorator."""
        del payload
        raise Unsupported("it has decorators only: no object that calls a function")


class Retries(ABC):
    """A library's retries."""

    @abstractmethod
    def retrying(
        self,
        *,
        on: type[Exception] = PayloadError,
        on_result: Callable[[object], bool] | None = None,
        backoff: bool = False,
        deadline: bool = False,
    ) -> Retrying:
        """Make a retry of three attempts that never waits and raises the last exception.

        Args:
            on: The exception that is retried.
            on_result: Says of a result whether it is retried, in place of ``on``.
            backoff: Whether exponential waits with jitter are computed (and not slept).
            deadline: Whether `DEADLINE_S` is checked as well.
        """

    @abstractmethod
    def construct(self, payload: Payload) -> Operation:
        """Decorate the payload afresh with the standard settings at each call."""


class Meter(ABC):
    """The metrics of one case; each method makes a metric and returns what is done with it."""

    @abstractmethod
    def counter_inc(self) -> Counted:
        """Raise a counter without labels by one."""

    @abstractmethod
    def labels_positional_inc(self) -> Counted:
        """Look the labels up by position, then raise the counter by one."""

    @abstractmethod
    def labels_keyword_inc(self) -> Counted:
        """Look the labels up by name, then raise the counter by one."""

    @abstractmethod
    def child_inc(self) -> Counted:
        """Raise a labelled counter by one whose labels were looked up before."""

    def construct_child(self) -> Operation:
        """Make a child of a labelled counter, which then forgets it; the child is returned."""
        raise Unsupported("it has no children: a metric is one object")

    @abstractmethod
    def gauge_set(self) -> Operation | Counted:
        """Set a gauge."""

    @abstractmethod
    def histogram_observe(self) -> Counted:
        """Observe one value in a histogram."""

    @abstractmethod
    def summary_observe(self) -> Counted:
        """Observe one value in a summary."""

    @abstractmethod
    def timer(self, payload: Payload) -> Counted:
        """Time a block that calls the payload."""

    @abstractmethod
    def multiprocess_counter_inc(self, directory: str) -> Counted:
        """Raise a counter by one whose value lies in a file in ``directory``."""

    def multiprocess(self, directory: str) -> AbstractContextManager[None]:
        """Keep the values of metrics that are made inside the block in files in ``directory``."""
        del directory
        raise Unsupported("it has no multiprocess mode")

    @abstractmethod
    def scrape(self, series: int) -> Operation:
        """Collect ``series`` time series, as the monitoring system would."""


class Metrics(ABC):
    """A library's metrics."""

    @abstractmethod
    def opened(self, attributes: int = 0) -> AbstractContextManager[Meter]:
        """Open what the metrics of one case need, and close it afterwards.

        Args:
            attributes: How many attributes a measurement carries, where the library has such.
        """


def return_at_once(seconds: float) -> None:
    """Take the place of a sleep."""
    del seconds


def keep_awake(module: ModuleType) -> None:
    """Make a module of a library that sleeps by ``time.sleep`` return at once instead.

    On Linux ``time.sleep(0)`` really sleeps, for 50 microseconds and more, and hands the processor
    over: it would hide what the library itself costs. Everything else in the module's ``time``
    stays as it is, and so does everybody else's ``time``.
    """
    awake = ModuleType("time")
    vars(awake).update(vars(time))
    vars(awake)["sleep"] = return_at_once
    with needs("time.sleep where this adapter looks for it"):
        if module.time.sleep is time.sleep:
            vars(module)["time"] = awake


@contextlib.contextmanager
def needs(what: str) -> Iterator[None]:
    """Report a name or a keyword that this release of a library lacks as `Unsupported`."""
    try:
        yield
    except (AttributeError, TypeError) as error:
        message = f"this release has no {what} ({error})"
        raise Unsupported(message) from error
