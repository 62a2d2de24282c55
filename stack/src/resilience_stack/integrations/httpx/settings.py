"""The policy of a guard for a host, and what its failures are."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

import httpx

from resilience_stack.core.deadline import DeadlineExceededError
from resilience_stack.core.failures import register_category
from resilience_stack.core.matching import matching
from resilience_stack.core.policy import Policy, Retry

__all__ = ["BAD_REQUESTS", "REPEATABLE", "ServerError", "TryLaterError", "policy"]

BAD_REQUESTS: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""Requests that cannot be sent: the caller's mistake, which says nothing about the host."""


class AnsweredError(Exception):
    """A response that is retried; the one of the last attempt is given to the caller.

    Attributes:
        response: The response, read to its end.
        retry_after_s: How long the host asks to wait; None if it does not.
    """

    def __init__(self, response: httpx.Response, retry_after_s: float | None) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response
        self.retry_after_s = retry_after_s


class ServerError(AnsweredError):
    """A response of 500 or above: a failure of the host."""


class TryLaterError(AnsweredError):
    """A response of 429 that says when to come again: no failure, but another attempt."""


REPEATABLE: Final = ContextVar("resilience_http_repeatable", default=False)
"""Whether the request that is being sent may be sent twice."""

register_category(httpx.TransportError, "connection")
register_category(httpx.TimeoutException, "timeout")
register_category(httpx.UnsupportedProtocol, "bug")
register_category(httpx.LocalProtocolError, "bug")
register_category(AnsweredError, "answer")


def is_late(error: Exception) -> bool:
    """Whether the guard has cancelled a request that may be sent again."""
    return isinstance(error, DeadlineExceededError) and REPEATABLE.get()


def policy(  # noqa: PLR0913 - the settings of one thing, by their names
    *,
    deadline_s: float = 10.0,
    attempt_s: float | None = 5.0,
    attempts: int = 3,
    wait_initial_s: float = 0.1,
    wait_max_s: float = 5.0,
    jitter_s: float = 0.1,
    **settings: Any,
) -> Policy:
    """Return a policy by which lost connections, time limits and 5xx are failures of a host.

    They are retried where that is harmless, see `GuardedTransport`; so is 429 with a Retry-After,
    which is no failure. All other responses are answers of a healthy host.

    Args:
        deadline_s: The limit of a request with all its attempts.
        attempt_s: That of one attempt.
        attempts: How many there may be.
        wait_initial_s: The wait before the second one, doubled for each that follows.
        wait_max_s: No wait is longer; a Retry-After that asks for more is not waited for.
        jitter_s: Up to this is added to each wait.
        settings: Other fields of `Policy`: ``fail_max``, ``bulkhead``, ``budget``...

    Raises:
        ValueError: If a number is out of range; the text has the field and the value.
        TypeError: If a value is of another type, or there is no such field.
    """
    retry = Retry(
        on=(httpx.TransportError, AnsweredError, matching(is_late)),
        attempts=attempts,
        wait_initial_s=wait_initial_s,
        wait_max_s=wait_max_s,
        jitter_s=jitter_s,
    )
    limit_s = None if attempt_s is None else min(attempt_s, deadline_s)
    return Policy(
        ignored=(*BAD_REQUESTS, TryLaterError),
        retries=(retry,),
        deadline_s=deadline_s,
        attempt_s=limit_s,
        **settings,
    )
