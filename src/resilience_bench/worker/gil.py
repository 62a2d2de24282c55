"""The global interpreter lock."""

from __future__ import annotations

import sys


def is_gil_enabled() -> bool:
    """Return whether only one thread at a time runs Python here, now.

    A free-threaded build has the lock too if it was asked for, or once some extension was imported.
    Source: https://docs.python.org/3/howto/free-threading-python.html
    """
    ask = getattr(sys, "_is_gil_enabled", None)
    return ask is None or bool(ask())


def explain_gil() -> str:
    """Return why a case is not available that turned the lock on, and what to type."""
    return (
        "importing it turned on the GIL, which this Python runs without; set PYTHON_GIL=0 to "
        "measure it without the GIL all the same, or name a Python with the GIL"
    )
