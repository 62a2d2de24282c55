"""What an exception that leaves a guard says of its call."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple, cast

from pybreaker import CircuitBreakerError

from resilience_stack.core.bulkhead import BulkheadFullError

__all__ = [
    "CallFailure",
    "Category",
    "Refusal",
    "annotate",
    "categorize",
    "find_failure",
    "register_category",
]

Category = Literal["timeout", "connection", "rejected", "answer", "bug"]
"""What kind of failure it was; ``bug`` is what no dependency is to blame for."""

Categorized = Category | Callable[[BaseException], Category]
"""A category, or a function that tells it from the exception."""

MOST_NOTES: Final = 20
"""An exception that has so many notes gets no more."""
_CATEGORIES: Final[dict[type[BaseException], Categorized]] = {
    TimeoutError: "timeout",
    OSError: "connection",
    CircuitBreakerError: "rejected",
    BulkheadFullError: "rejected",
    BaseException: "bug",
}


class CallFailure(NamedTuple):
    """What is known of a call that failed; an exception carries it as ``resilience``.

    ``retry_at_s`` is when a refused call may be let through again, by ``time.monotonic``.
    """

    guard: str
    attempt: int
    elapsed_s: float
    state: str
    category: Category
    retry_at_s: float | None = None

    def __str__(self) -> str:
        guard, attempt, elapsed_s, state, category, _ = self
        return _make_note(guard, attempt, (elapsed_s * 1000 + 0.5) // 1, state, category)


@lru_cache(maxsize=1024)
def _make_note(guard: str, attempt: int, elapsed_ms: float, state: str, category: str) -> str:
    """Return what is known of a call that failed, in words.

    To format it costs as much as to count the failure. In an outage most calls fail after the same
    few milliseconds, and find their note made.
    """
    after_s = f"{elapsed_ms / 1000:.3f} s"
    return f"guard {guard}: {category} in attempt {attempt} after {after_s}, breaker {state}"


def register_category(kind: type[BaseException], category: Categorized) -> None:
    """Say which category exceptions of a type, and of types derived from it, belong to.

    Args:
        kind: The type.
        category: It, or a function that tells it from the exception.
    """
    _CATEGORIES[kind] = category
    _known.clear()


class Refusal:
    """How an open breaker refuses calls: made once for all calls that it refuses until it changes.

    A rejection has to be cheap: in an outage it is what every call ends in.
    """

    __slots__ = ("_failure", "_note", "_text")

    def __init__(self, guard: str, state: str, text: str, retry_at_s: float | None) -> None:
        self._text = text
        self._failure = CallFailure(guard, 0, 0.0, state, "rejected", retry_at_s)
        self._note = str(self._failure)

    def make_error(self) -> CircuitBreakerError:
        """Return the exception for one call, with what is known of it."""
        error = CircuitBreakerError(self._text)
        error.resilience = self._failure  # type: ignore[attr-defined]
        error.__notes__ = [self._note]
        return error


_known: dict[type[BaseException], Categorized] = {}


def categorize(error: BaseException) -> Category:
    """Return the category of an exception: that of the nearest registered base of its type."""
    category = _known.get(error.__class__)
    if category is None:
        found = (_CATEGORIES[base] for base in type(error).__mro__ if base in _CATEGORIES)
        category = _known[type(error)] = next(found)
    return category(error) if callable(category) else category


def annotate(  # noqa: PLR0917, PLR0913 - every failed call pays for this one
    error: BaseException,
    guard: str,
    attempt: int,
    elapsed_s: float,
    state: str,
    category: Category,
) -> None:
    """Attach what is known of the call to its exception: a `CallFailure` and a note.

    The innermost guard has the first word: it knows which dependency failed. An outer one adds a
    note. The type of the exception stays what it is.

    One exception may be raised by many calls: by a connection that is lost for all of them, say.
    It speaks of the last one, and does not grow for ever.
    """
    note = _make_note(guard, attempt, (elapsed_s * 1000 + 0.5) // 1, state, category)
    # What setattr, CallFailure(...) and add_note do, at half the cost of each.
    known = error.__dict__
    before = known.get("resilience")
    if before is None or (before.guard == guard and before.retry_at_s is None):
        fields = (guard, attempt, elapsed_s, state, category, None)
        known["resilience"] = tuple.__new__(CallFailure, fields)
    if "__notes__" not in known:
        known["__notes__"] = [note]
    elif len(known["__notes__"]) < MOST_NOTES:
        error.add_note(note)


def find_failure(error: BaseException) -> CallFailure | None:
    """Return what a guard attached to an exception; None if none did."""
    return cast("CallFailure | None", getattr(error, "resilience", None))
