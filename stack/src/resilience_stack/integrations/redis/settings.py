"""The policy of a guard for a cache, and what its failures are."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from redis import exceptions

from resilience_stack.core.breaker import CircuitBreakerError
from resilience_stack.core.bulkhead import BulkheadFullError
from resilience_stack.core.deadline import DeadlineExceededError
from resilience_stack.core.failures import categorize, register_category
from resilience_stack.core.matching import matching
from resilience_stack.core.policy import Policy, Retry

__all__ = ["FAILURES", "NO_DATA", "REPEATABLE", "describe_failure", "find_hint", "policy"]

ANSWERS: Final = (exceptions.ResponseError, exceptions.WatchError, exceptions.DataError)
"""What a healthy server answers, out of memory and read-only among it: reads go on."""
NO_DATA: Final = (exceptions.ClusterDownError,)
"""Answers of a server that can serve nothing, not even reads: these count as lost connections."""
FAILURES: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ResponseError,
    CircuitBreakerError,
    BulkheadFullError,
    TimeoutError,
)
"""What makes a read a miss and a write a failed one; anything else is the caller's mistake."""

REPEATABLE: Final = ContextVar("resilience_redis_repeatable", default=False)
"""Whether what is being sent changes no more when it is done twice."""

register_category(exceptions.ConnectionError, "connection")
register_category(exceptions.TimeoutError, "timeout")
register_category(exceptions.ResponseError, "answer")
register_category(exceptions.AuthenticationError, "answer")
register_category(exceptions.AuthorizationError, "answer")


def is_late(error: Exception) -> bool:
    """Whether the guard has cancelled a command that may be sent again."""
    return isinstance(error, DeadlineExceededError) and REPEATABLE.get()


def policy(  # noqa: PLR0913 - the settings of one thing, by their names
    *,
    deadline_s: float = 0.25,
    attempts: int = 1,
    wait_initial_s: float = 0.01,
    wait_max_s: float = 0.1,
    jitter_s: float = 0.01,
    reset_timeout_s: float = 5.0,
    critical: bool = False,
    **settings: Any,
) -> Policy:
    """Return a policy by which a cache is given up fast: a miss costs less than a wait.

    Lost connections, exceeded limits and an exhausted pool are failures. What a server answers is
    not, even if it is that it is out of memory or read-only: writes fail then, and reads go on.

    Args:
        deadline_s: The limit of a call with all its attempts.
        attempts: How many there may be; only of commands that can be repeated.
        wait_initial_s: The wait before the second one, doubled for each that follows.
        wait_max_s: No wait is longer.
        jitter_s: Up to this is added to each wait.
        reset_timeout_s: So long after it has opened, the breaker lets one call through.
        critical: Whether the service is not ready while the breaker is open.
        settings: Other fields of `Policy`: ``attempt_s``, ``fail_max``, ``bulkhead``, ``budget``...

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type, or there is no such field.
    """
    retry = Retry(
        on=(exceptions.ConnectionError, exceptions.TimeoutError, matching(is_late)),
        attempts=attempts,
        wait_initial_s=wait_initial_s,
        wait_max_s=wait_max_s,
        jitter_s=jitter_s,
    )
    return Policy(
        ignored=ANSWERS,
        retries=(retry,),
        deadline_s=deadline_s,
        reset_timeout_s=reset_timeout_s,
        critical=critical,
        **settings,
    )


def find_hint(error: BaseException) -> str:
    """Return which setting to check, if it is one that the server refuses; else nothing."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return "redis refuses the user or the password: check those in the URL of the cache"
    if isinstance(error, exceptions.ResponseError) and "DB index" in str(error):
        return "redis has no database of this number: check the one in the URL of the cache"
    if "No connection available" in str(error):
        return "all connections are taken: check max_connections of the cache"
    if isinstance(error, exceptions.ConnectionError):
        return "no answer from redis: check that it runs, and host and port in the URL of the cache"
    return ""


def describe_failure(error: BaseException) -> str:
    """Return the reason of a failed write, as its metric has it."""
    if isinstance(error, exceptions.OutOfMemoryError):
        return "out_of_memory"
    if isinstance(error, exceptions.ReadOnlyError):
        return "read_only"
    return categorize(error)
