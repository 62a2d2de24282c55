"""Errors that leave a service, as RFC 9457 has them: ``application/problem+json``."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from resilience_stack.core.failures import CallFailure, Category, find_failure

__all__ = ["MEDIA_TYPE", "Problem", "describe_problem"]

MEDIA_TYPE: Final = "application/problem+json"
STATUSES: Final[dict[Category, tuple[int, str]]] = {
    "rejected": (503, "Service Unavailable"),
    "timeout": (504, "Gateway Timeout"),
    "connection": (502, "Bad Gateway"),
    "answer": (500, "Internal Server Error"),
    "bug": (500, "Internal Server Error"),
}
RETRY_AFTER_S: Final = 1
"""What a refused caller is asked to wait where nobody knows how long it takes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error response.

    Attributes:
        status: The HTTP status.
        title: Its reason phrase.
        members: The other members of the document.
        retry_after_s: Seconds for the header ``Retry-After``; None for none.
        is_expected: Whether a guard refused the call, or its dependency failed: no bug of ours.
    """

    status: int
    title: str
    members: dict[str, Any]
    retry_after_s: int | None = None
    is_expected: bool = False

    @property
    def log_level(self) -> int:
        """The level of the log line about it: an outage refuses thousands of calls."""
        return logging.DEBUG if self.members.get("category") == "rejected" else logging.INFO

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the response, without the request ID."""
        headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(self.body)))]
        if self.retry_after_s is not None:
            headers.append(("Retry-After", str(self.retry_after_s)))
        return headers

    @property
    def body(self) -> bytes:
        """The document."""
        document = {"type": "about:blank", "title": self.title, "status": self.status}
        return json.dumps({**document, **self.members}).encode()


def describe_problem(error: BaseException | None, request_id: str) -> Problem:
    """Return the response for an exception that nobody has handled.

    The text of the exception is not in it: it may hold secrets.

    Args:
        error: What was raised; a guard's failure is found in it. None if there was no response.
        request_id: Goes into the document, as ``requestId``.
    """
    members: dict[str, Any] = {"requestId": request_id}
    failure = None if error is None else _find_failure(error)
    if failure is None:
        return Problem(500, "Internal Server Error", members)
    status, title = STATUSES[failure.category]
    members |= {
        "detail": str(failure),
        "guard": failure.guard,
        "state": failure.state,
        "category": failure.category,
    }
    retry_after_s = _round_up(failure) if failure.category == "rejected" else None
    return Problem(status, title, members, retry_after_s, failure.category not in {"bug", "answer"})


def _find_failure(error: BaseException) -> CallFailure | None:
    """Return what a guard said of an exception, or of all those of a group, as tasks raise them.

    If one of a group is a bug, or none that a guard has let out, so is the group.
    """
    if not isinstance(error, BaseExceptionGroup):
        return find_failure(error)
    found = [_find_failure(one) for one in error.exceptions]
    known = [failure for failure in found if failure is not None]
    if len(known) < len(found):
        return None
    return max(known, key=lambda failure: failure.category in {"bug", "answer"})


def _round_up(failure: CallFailure) -> int:
    if failure.retry_at_s is None:
        return RETRY_AFTER_S
    return max(math.ceil(failure.retry_at_s - monotonic()), RETRY_AFTER_S)
