"""The ID of the request that is being served: in every log record, and in spans."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["HEADER", "REQUEST_ID", "add_to_log_records", "choose_request_id", "tag_span"]

HEADER: Final = "X-Request-ID"
LOGGER: Final = logging.getLogger("resilience_stack.request_id")
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("resilience_request_id", default=None)
"""The ID of the request that is being served; None outside of a request."""
VALID: Final = re.compile(r"[A-Za-z0-9._~:/+=-]{1,128}")


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

    Calling it again changes nothing.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "adds_request_id", False):
        return

    def make_with_id(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.request_id = REQUEST_ID.get() or "-"
        return record

    make_with_id.adds_request_id = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_with_id)


def tag_span(request_id: str) -> None:
    """Write the ID into the current span of OpenTelemetry, where that is installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra
    except ImportError:
        return
    trace.get_current_span().set_attribute("http.request.id", request_id)
