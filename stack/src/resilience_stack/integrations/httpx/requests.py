"""What the guard does to requests, and what it reads in responses; the same for both transports."""

from __future__ import annotations

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from resilience_stack.core.deadline import remaining_s
from resilience_stack.edge.request_id import HEADER, REQUEST_ID
from resilience_stack.integrations.httpx.settings import (
    BAD_REQUESTS,
    ServerError,
    TryLaterError,
)

__all__ = [
    "STREAM",
    "explain",
    "is_failed",
    "is_repeatable",
    "limit_request",
    "pass_request_id_on",
    "raise_if_failed",
    "rebuild",
    "refuse_late_answer",
]

STREAM: Final = "resilience_stream"
"""The extension of a request whose body is to be read by its caller, bit by bit, past the guard."""
IDEMPOTENT: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
"""Methods that change no more when they are done twice. Source: RFC 9110, section 9.2.2."""
KEY: Final = "Idempotency-Key"
"""The header by which a host recognizes a request that it has done already."""
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Errors of requests that never reached the host."""
LEAST_S: Final = 0.001
TOO_MANY: Final = 429
FAILED: Final = 500


def pass_request_id_on(request: httpx.Request) -> None:
    """Give the ID of the request that is being served to the one that is sent for it."""
    request_id = REQUEST_ID.get()
    if request_id is not None and HEADER not in request.headers:
        request.headers[HEADER] = request_id


def limit_request(request: httpx.Request, standard: dict[str, Any]) -> None:
    """Limit each wait of a request to what is left of its call.

    Args:
        request: Its extension ``timeout`` is set.
        standard: Its limits as the client has them, by ``connect``, ``read``, ``write``, ``pool``.
    """
    left_s = remaining_s()
    if left_s is None:
        return
    left_s = max(left_s, LEAST_S)
    limits = {
        name: left_s if standard.get(name) is None else min(standard[name], left_s)
        for name in ("connect", "read", "write", "pool")
    }
    request.extensions = {**request.extensions, "timeout": limits}


def refuse_late_answer(request: httpx.Request) -> None:
    """Raise when the time is up while a body still comes in.

    Raises:
        ReadTimeout: Of httpx.
    """
    if remaining_s() == 0:
        raise httpx.ReadTimeout("the body took longer than the call may take", request=request)


def is_repeatable(request: httpx.Request) -> bool:
    """Whether a request may be sent twice: harmless, and with a body that can be sent again."""
    is_harmless = request.method.upper() in IDEMPOTENT or KEY in request.headers
    return is_harmless and isinstance(request.stream, httpx.ByteStream)


def raise_if_failed(response: httpx.Response) -> None:
    """Raise for a response that may be retried; it has to be read to its end.

    Raises:
        AnsweredError: With the response.
    """
    after_s = read_retry_after(response)
    if response.status_code >= FAILED:
        raise ServerError(response, after_s)
    if response.status_code == TOO_MANY and after_s is not None:
        raise TryLaterError(response, after_s)


def is_failed(response: httpx.Response) -> bool:
    """Whether a response may be retried."""
    return response.status_code >= FAILED or response.status_code == TOO_MANY


def read_retry_after(response: httpx.Response) -> float | None:
    """Return how many seconds a response asks to wait; None if it does not, or not clearly.

    Source: RFC 9110, section 10.2.3: seconds, or a date, which is in GMT whether it says so or not.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(moment.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def rebuild(response: httpx.Response, body: bytes) -> httpx.Response:
    """Return a response whose body has been read, as it came: not decoded."""
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(body),
        extensions=response.extensions,
    )


def explain(request: httpx.Request, error: Exception) -> None:
    """Make an error forbid a retry, unless the request may be sent again after it."""
    is_undone = isinstance(error, (*NOT_SENT, TryLaterError))
    can_resend = isinstance(request.stream, httpx.ByteStream)
    is_mistake = isinstance(error, BAD_REQUESTS)
    if is_mistake or (not is_repeatable(request) and not (is_undone and can_resend)):
        # No policy allows a wait that long.
        error.retry_after_s = math.inf  # type: ignore[attr-defined]
