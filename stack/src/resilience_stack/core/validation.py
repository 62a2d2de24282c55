"""Checks of what users configure. Imports nothing of ours."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Final

__all__ = [
    "LONGEST_LIMIT_S",
    "is_coroutine_function",
    "refuse_bad_duration",
    "refuse_bad_exceptions",
    "refuse_bad_name",
    "refuse_bad_share",
    "refuse_less_than_one",
    "refuse_uncallable",
]

MOST_QUOTED: Final = 100
LONGEST_S: Final = 1e9
"""No duration is longer: some thirty years."""
LONGEST_LIMIT_S: Final = 1e6
"""No limit of a call is longer: sockets and databases take milliseconds of 31 bits."""


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Whether what a call of it returns has to be awaited; also for an object with ``__call__``."""
    return any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))


def refuse_uncallable(field: str, value: object) -> None:
    """Raise unless the value can be called.

    Raises:
        TypeError: If it cannot; the text has the field and the value.
    """
    if not callable(value):
        message = f"{field} is {_show(value)}, expected a function"
        raise TypeError(message)


def refuse_bad_name(name: object) -> None:
    """Raise unless the value is the name of a guard: text that can be written as UTF-8.

    Raises:
        TypeError: If it is no text; the message has the value.
        ValueError: If it is empty, or has half a character (a surrogate) in it; likewise.
    """
    if not isinstance(name, str):
        message = f"name is {name!r}, expected the name of a guard as text"
        raise TypeError(message)
    if not name:
        message = "name is empty, expected the name of a guard, such as 'database'"
        raise ValueError(message)
    try:
        name.encode()
    except UnicodeEncodeError:
        message = f"name is {name!r}, expected text that UTF-8 can write, such as 'database'"
        raise ValueError(message) from None


def refuse_less_than_one(field: str, value: object, most: int = sys.maxsize) -> None:
    """Raise unless the value is a whole number of 1 or more, and no more than the most.

    Raises:
        TypeError: If it is no whole number; the text has the field and the value.
        ValueError: If it is out of range; likewise.
    """
    message = f"{field} is {_show(value)}, expected a whole number of 1 or more"
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(message)
    if value < 1:
        raise ValueError(message)
    if value > most:
        raise ValueError(f"{message}, at most {most}")


def refuse_bad_duration(
    field: str, value: object, *, above_zero: bool = False, most_s: float = LONGEST_S
) -> None:
    """Raise unless the value is a finite number of seconds: of 0 or more, or above 0.

    Raises:
        TypeError: If it is no number; the text has the field and the value.
        ValueError: If it is out of range; likewise.
    """
    least = "above 0" if above_zero else "of 0 or more"
    message = f"{field} is {_show(value)}, expected seconds: a finite number {least}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(message)
    if most_s < value < float("inf"):
        raise ValueError(f"{message}, at most {most_s:.0f}")
    if not (0 <= value <= most_s and (value or not above_zero)):
        raise ValueError(message)


def refuse_bad_share(field: str, value: object) -> None:
    """Raise unless the value is a share, from 0 to 1.

    Raises:
        TypeError: If it is no number; the text has the field and the value.
        ValueError: If it is out of range; likewise.
    """
    message = f"{field} is {_show(value)}, expected a share from 0 to 1"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(message)
    if not 0 <= value <= 1:
        raise ValueError(message)


def refuse_bad_exceptions(field: str, value: object) -> None:
    """Raise unless the value is a tuple of types of exceptions.

    Raises:
        TypeError: If it is anything else; the text has the field and the value.
    """
    if isinstance(value, tuple) and all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in value
    ):
        return
    message = f"{field} is {value!r}, expected a tuple of subclasses of Exception"
    raise TypeError(message)


def _show(value: object) -> str:
    """Return what a message quotes: of a number with hundreds of digits, the first ones."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write numbers with thousands of digits
        return "a number with thousands of digits"
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}..."
