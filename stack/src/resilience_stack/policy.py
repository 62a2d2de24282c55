"""What a guard does about failures. Imports nothing of ours."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a call is attempted, how long it waits, and when its breaker opens.

    The breaker opens after ``fail_max`` failed attempts in a row, and lets a probe through after
    ``reset_timeout_s``. The wait before attempt n + 1 is ``wait_initial_s * 2 ** (n - 1)`` plus
    up to ``jitter_s``, and never more than ``wait_max_s``. ``retry_on`` names the exceptions that
    are worth another attempt; with none there is no retry.

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    fail_max: int = 5
    reset_timeout_s: float = 60.0
    attempts: int = 3
    retry_on: tuple[type[Exception], ...] = (Exception,)
    wait_initial_s: float = 0.1
    wait_max_s: float = 5.0
    jitter_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no guard could do."""
        for field in ("fail_max", "attempts"):
            _refuse_less_than_one(field, getattr(self, field))
        for field in ("reset_timeout_s", "wait_initial_s", "wait_max_s", "jitter_s"):
            _refuse_no_duration(field, getattr(self, field))
        if self.wait_max_s < self.wait_initial_s:
            message = (
                f"Policy.wait_max_s is {self.wait_max_s!r}, "
                f"expected wait_initial_s ({self.wait_initial_s!r}) or more"
            )
            raise ValueError(message)
        _refuse_no_exceptions(self.retry_on)


def _refuse_less_than_one(field: str, value: object) -> None:
    message = f"Policy.{field} is {value!r}, expected a whole number of 1 or more"
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(message)
    if value < 1:
        raise ValueError(message)


def _refuse_no_duration(field: str, value: object) -> None:
    message = f"Policy.{field} is {value!r}, expected seconds: a finite number of 0 or more"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(message)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(message)


def _refuse_no_exceptions(value: object) -> None:
    if isinstance(value, tuple) and all(
        isinstance(each, type) and issubclass(each, Exception) for each in value
    ):
        return
    message = f"Policy.retry_on is {value!r}, expected a tuple of subclasses of Exception"
    raise TypeError(message)
