"""One log line for each change of a breaker; nothing above DEBUG for a refused call."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["LOGGER", "describe_error", "log_rejection", "log_transition"]

LOGGER: Final = logging.getLogger("resilience_stack")


def describe_error(error: type[Exception] | str | None) -> str:
    """Return the name of a type of errors, or the reason that was given instead; "" for none."""
    return error.__name__ if isinstance(error, type) else error or ""


def log_transition(guard: str, before: str, after: str, error: str, mode: str | None) -> None:
    """Log that a breaker changed its state: a warning when it opens, else for information.

    The fields are attributes of the record as well: ``guard``, ``state_before``, ``state``,
    ``last_error`` and ``mode``.
    """
    LOGGER.log(
        logging.WARNING if after == "open" else logging.INFO,
        "breaker of guard %s: %s -> %s (last error: %s; forced: %s)",
        guard,
        before,
        after,
        error or "none",
        mode or "no",
        extra={
            "guard": guard,
            "state_before": before,
            "state": after,
            "last_error": error,
            "mode": mode,
        },
    )


def log_rejection(guard: str, state: str) -> None:
    """Log that a call was refused: one line without a traceback, at DEBUG."""
    LOGGER.debug(
        "guard %s refused a call: %s", guard, state, extra={"guard": guard, "state": state}
    )
