"""The ID of the request that is being served: in every log record, and in spans."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar
from typing import Any, Final

__all__ = [
    "HEADER",
    "REQUEST_ID",
    "add_to_log_records",
    "choose_request_id",
    "mark_error",
    "refuse_bad_header",
    "tag_span",
]

HEADER: Final = "X-Request-ID"
LOGGER: Final = logging.getLogger("resilience_stack.request_id")
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("resilience_request_id", default=None)
"""The ID of the request that is being served; None outside of a request."""
VALID: Final = re.compile(r"[A-Za-z0-9._~:/+=-]{1,128}")
VALID_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
"""The name of a header. Source: RFC 9110, section 5.6.2."""
ON_ERROR: Final = "resilience_request_id"
"""The attribute by which an exception says in which request it was raised."""


def refuse_bad_header(name: object) -> None:
    """Raise unless the value is the name of a header.

    Raises:
        TypeError: If it is no text; the message has the value.
        ValueError: If no header can have that name; likewise.
    """
    message = f"header is {name!r}, expected the name of a header, such as {HEADER!r}"
    if not isinstance(name, str):
        raise TypeError(message)
    if not VALID_HEADER.fullmatch(name):
        raise ValueError(message)


def choose_request_id(given: str | None) -> str:
    """Return the ID that came with a request if it is valid, else a new one.

    Valid are 1 to 128 letters, digits and ``._~:/+=-``: what may stand in a header and in a log
    line. One that is not valid is logged once for its request, without its text.
    """
    if given is None:
        return uuid.uuid4().hex
    if VALID.fullmatch(given):
        return given
    made = uuid.uuid4().hex
    token = REQUEST_ID.set(made)
    LOGGER.warning("replaced an invalid request ID of %d characters by %s", len(given), made)
    REQUEST_ID.reset(token)
    return made


def add_to_log_records() -> None:
    """Give every log record of this process an attribute ``request_id``, "-" outside of requests.

    A server logs the traceback of a bug when the request is over: that record has the ID of the
    request in which the exception was raised. Calling this again changes nothing.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "adds_request_id", False):
        return

    def make_with_id(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        error = record.exc_info[1] if record.exc_info else None
        record.request_id = REQUEST_ID.get() or getattr(error, ON_ERROR, None) or "-"
        return record

    make_with_id.adds_request_id = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_with_id)


def mark_error(error: BaseException, request_id: str) -> None:
    """Let an exception that leaves the service say in which request it was raised."""
    setattr(error, ON_ERROR, request_id)


def tag_span(request_id: str) -> None:
    """Write the ID into the current span of OpenTelemetry, where that is installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra
    except ImportError:
        return
    trace.get_current_span().set_attribute("http.request.id", request_id)
