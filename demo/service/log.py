"""The log of the service: one JSON document a line, on standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Final

from resilience_stack.edge.request_id import add_to_log_records

FIELDS: Final = ("guard", "state_before", "state", "last_error")
"""What the stack adds to its records, besides the request ID."""


class JsonFormatter(logging.Formatter):
    """Makes a line of a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at_s": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            "worker": os.getpid(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_log() -> None:
    """Write all records from INFO on."""
    add_to_log_records()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
