"""The global interpreter lock: whether it is on, in this interpreter, now."""

from __future__ import annotations

import sys


def is_gil_enabled() -> bool:
    """Whether only one thread at a time runs Python here.

    A free-threaded build may run with the lock all the same: when it was told to, or from the
    moment on at which it imported an extension that does not say that it can do without.
    Source: https://docs.python.org/3/howto/free-threading-python.html
    """
    ask = getattr(sys, "_is_gil_enabled", None)
    return ask is None or bool(ask())
