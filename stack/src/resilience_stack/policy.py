"""What a guard does about failures. Imports nothing of ours."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Policy", "Retry"]


def _refuse_less_than_one(field: str, value: object) -> None:
    message = f"{field} is {value!r}, expected a whole number of 1 or more"
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(message)
    if value < 1:
        raise ValueError(message)


def _refuse_no_duration(field: str, value: object) -> None:
    message = f"{field} is {value!r}, expected seconds: a finite number of 0 or more"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(message)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(message)


def _refuse_no_exceptions(field: str, value: object) -> None:
    if isinstance(value, tuple) and all(
        isinstance(each, type) and issubclass(each, Exception) for each in value
    ):
        return
    message = f"{field} is {value!r}, expected a tuple of subclasses of Exception"
    raise TypeError(message)


@dataclass(frozen=True, slots=True)
class Retry:
    """How failures of some types are retried: how often, and after which waits.

    Attempts are all attempts of the call, the first one included. The wait before attempt n + 1 is
    ``wait_initial_s * 2 ** (n - 1)`` plus up to ``jitter_s``, and never more than ``wait_max_s``.

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
        _refuse_no_exceptions("Retry.on", self.on)
        if not self.on:
            raise ValueError("Retry.on is (), expected the types of exceptions that are retried")
        _refuse_less_than_one("Retry.attempts", self.attempts)
        for field in ("wait_initial_s", "wait_max_s", "jitter_s"):
            _refuse_no_duration(f"Retry.{field}", getattr(self, field))
        if self.wait_max_s < self.wait_initial_s:
            message = (
                f"Retry.wait_max_s is {self.wait_max_s!r}, "
                f"expected wait_initial_s ({self.wait_initial_s!r}) or more"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Policy:
    """When the breaker of a guard opens and probes, and which failures are retried.

    The breaker opens after ``fail_max`` failed attempts in a row, and lets one probe through after
    ``reset_timeout_s``. Exceptions of the types in ``ignored`` are answers of a healthy dependency
    ("no such user"): to breaker and metrics they are successes. Each failed attempt is judged by
    the first of ``retries`` that names a type of its exception; with none there is no retry.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    fail_max: int = 5
    reset_timeout_s: float = 60.0
    ignored: tuple[type[Exception], ...] = ()
    retries: tuple[Retry, ...] = (Retry(),)

    def __post_init__(self) -> None:
        """Refuse what no guard could do."""
        _refuse_less_than_one("Policy.fail_max", self.fail_max)
        _refuse_no_duration("Policy.reset_timeout_s", self.reset_timeout_s)
        _refuse_no_exceptions("Policy.ignored", self.ignored)
        retries: object = self.retries
        if not isinstance(retries, tuple) or not all(isinstance(each, Retry) for each in retries):
            message = f"Policy.retries is {retries!r}, expected a tuple of Retry"
            raise TypeError(message)
