"""Exceptions that differ only in their text, and are matched by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

__all__ = ["matching"]


class _Matching(type):
    """A type of exceptions that a function recognizes; nothing is derived from it."""

    recognize: Callable[[Exception], bool]

    def __instancecheck__(cls, error: object) -> bool:
        """Ask the function; an interrupt or a cancellation is never recognized."""
        return isinstance(error, Exception) and cls.recognize(error)

    def __repr__(cls) -> str:
        return f"matching({cls.__name__})"


@cache
def matching(recognize: Callable[[Exception], bool]) -> type[Exception]:
    """Return what stands for all exceptions that a function recognizes.

    It can be given wherever a policy or a fallback takes types of exceptions: drivers of databases
    raise the same type for a lost connection and for a wrong statement. It is not for ``except``.

    Args:
        recognize: Says of an exception whether it is one of them.
    """
    name = getattr(recognize, "__qualname__", repr(recognize))
    made = _Matching(name, (Exception,), {"recognize": staticmethod(recognize)})
    return cast("type[Exception]", made)
