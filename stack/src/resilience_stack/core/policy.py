"""The settings of a guard: what it does about failures, slow calls and too many calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from resilience_stack.core.validation import (
    LONGEST_LIMIT_S,
    refuse_bad_duration,
    refuse_bad_exceptions,
    refuse_bad_share,
    refuse_less_than_one,
)

__all__ = ["Bulkhead", "Policy", "Retry", "RetryBudget"]

MOST_SLOTS: Final = 1_000_000
"""A bulkhead has an entry in memory for each of its places."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How failures of some types are retried: how often, and after which waits.

    Attempts are all attempts of the call, the first one included. The wait before attempt n + 1 is
    ``wait_initial_s * 2 ** (n - 1)`` plus up to ``jitter_s``, and never more than ``wait_max_s``.
    An error with a ``retry_after_s``, as the HTTP integration raises it, is retried no earlier than
    that; if it asks for more than ``wait_max_s``, it is not retried.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    on: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)
    attempts: int = 3
    wait_initial_s: float = 0.1
    wait_max_s: float = 5.0
    jitter_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no retry could do."""
        refuse_bad_exceptions("Retry.on", self.on)
        if not self.on:
            raise ValueError("Retry.on is (), expected the types of exceptions that are retried")
        refuse_less_than_one("Retry.attempts", self.attempts)
        for field in ("wait_initial_s", "wait_max_s", "jitter_s"):
            refuse_bad_duration(f"Retry.{field}", getattr(self, field))
        if self.wait_max_s < self.wait_initial_s:
            message = (
                f"Retry.wait_max_s is {self.wait_max_s!r}, "
                f"expected wait_initial_s ({self.wait_initial_s!r}) or more"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries a guard may make in all: a share of its calls.

    Each call that ends adds ``share`` of a retry, and up to ``reserve`` retries are saved up. So
    the retries of a guard are never more than ``reserve + share * calls``, and an outage that fails
    all calls is not multiplied by the number of attempts. Source: the retry throttling of gRPC
    (its proposal A6) and the retry budgets of Finagle.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    share: float = 0.2
    reserve: int = 10

    def __post_init__(self) -> None:
        """Refuse what no budget could be."""
        refuse_bad_share("RetryBudget.share", self.share)
        refuse_less_than_one("RetryBudget.reserve", self.reserve)


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """How many calls of a guard may be in flight at once, and how long another one waits.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    limit: int
    wait_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no bulkhead could be."""
        refuse_less_than_one("Bulkhead.limit", self.limit, MOST_SLOTS)
        refuse_bad_duration("Bulkhead.wait_s", self.wait_s, most_s=LONGEST_LIMIT_S)


@dataclass(frozen=True, slots=True)
class Policy:
    """When the breaker of a guard opens and probes, what is retried, and the limits of a call.

    The breaker opens after ``fail_max`` failed attempts in a row, and lets one probe through after
    ``reset_timeout_s``. Exceptions of the types in ``ignored`` are answers of a healthy dependency
    ("no such user"): to breaker and metrics they are successes. Each failed attempt is judged by
    the first of ``retries`` that names a type of its exception; with none there is no retry.

    ``deadline_s`` limits a call with all its attempts and waits, ``attempt_s`` each attempt. Both
    are exact for coroutines. A plain function cannot be interrupted: it asks `remaining_s` how
    long it may take, as the integrations do for their drivers. ``bulkhead`` limits the calls in
    flight, ``budget`` the retries. A service without a ``critical`` dependency is not ready.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    fail_max: int = 5
    reset_timeout_s: float = 60.0
    ignored: tuple[type[Exception], ...] = ()
    retries: tuple[Retry, ...] = (Retry(),)
    deadline_s: float | None = None
    attempt_s: float | None = None
    bulkhead: Bulkhead | None = None
    budget: RetryBudget | None = None
    critical: bool = True

    def __post_init__(self) -> None:
        """Refuse what no guard could do."""
        refuse_less_than_one("Policy.fail_max", self.fail_max)
        refuse_bad_duration("Policy.reset_timeout_s", self.reset_timeout_s)
        refuse_bad_exceptions("Policy.ignored", self.ignored)
        retries: object = self.retries
        if not isinstance(retries, tuple) or not all(isinstance(one, Retry) for one in retries):
            message = f"Policy.retries is {retries!r}, expected a tuple of Retry"
            raise TypeError(message)
        for field in ("deadline_s", "attempt_s"):
            if getattr(self, field) is not None:
                value = getattr(self, field)
                name = f"Policy.{field}"
                refuse_bad_duration(name, value, above_zero=True, most_s=LONGEST_LIMIT_S)
        if self.deadline_s and self.attempt_s and self.attempt_s > self.deadline_s:
            message = (
                f"Policy.attempt_s is {self.attempt_s!r}, "
                f"expected deadline_s ({self.deadline_s!r}) or less"
            )
            raise ValueError(message)
        for field, kind in (("bulkhead", Bulkhead), ("budget", RetryBudget)):
            value = getattr(self, field)
            if value is not None and not isinstance(value, kind):
                message = f"Policy.{field} is {value!r}, expected a {kind.__name__} or None"
                raise TypeError(message)
        critical: object = self.critical
        if not isinstance(critical, bool):
            message = f"Policy.critical is {critical!r}, expected True or False"
            raise TypeError(message)
