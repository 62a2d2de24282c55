"""Answers for when the live call fails: the last good one, a default, another guarded call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from resilience_stack.core.validation import (
    is_coroutine_function,
    refuse_bad_duration,
    refuse_bad_exceptions,
    refuse_less_than_one,
    refuse_uncallable,
)

__all__ = ["NO_VALUE", "Answer", "Fallback", "LastGood", "Source"]

Value = TypeVar("Value")
Source = Literal["live", "stale", "default", "other"]
"""Where an answer came from: the call itself, the last good one, a function, another guard."""
KEYWORDS: Final = object()
"""Marks the key of arguments that were given by name: no positional ones are equal to it."""
NO_VALUE: Final = object()
"""What `LastGood.find` returns when there is no value that is fresh enough."""


class Answer(NamedTuple, Generic[Value]):
    """A value with where it came from; ``age_s`` is the age of a stale one, else 0."""

    value: Value
    source: Source
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fallback:
    """What a guard answers when the live call fails, tried in this order.

    ``stale_s``: the last good value of a call with the same arguments, if it is no older than so
    many seconds. ``default``: a function of the call's arguments; it makes a value. ``other``: a
    guarded function of the call's arguments, for example a replica. Of coroutine functions the
    default and the other one may be coroutine functions as well.

    ``key`` makes the key under which a good value is kept from the arguments; by default it is the
    arguments, and what cannot be hashed is not kept. No more than ``entries`` values are kept.
    Exceptions of the types in ``unless``, such as "no such user", go to the caller instead; so do
    those that the policy ignores.

    Raises:
        ValueError: If there is no fallback in it, or a number is out of range.
        TypeError: If a value is of another type than expected; the text has the field.
    """

    stale_s: float | None = None
    default: Callable[..., Any] | None = None
    other: Callable[..., Any] | None = None
    key: Callable[..., Hashable] | None = None
    entries: int = 1024
    unless: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no fallback could do."""
        if self.stale_s is None and self.default is None and self.other is None:
            raise ValueError("Fallback has nothing in it, expected stale_s, default or other")
        if self.stale_s is not None:
            refuse_bad_duration("Fallback.stale_s", self.stale_s, above_zero=True)
        for field in ("default", "other", "key"):
            value = getattr(self, field)
            if value is not None:
                refuse_uncallable(f"Fallback.{field}", value)
        refuse_less_than_one("Fallback.entries", self.entries)
        refuse_bad_exceptions("Fallback.unless", self.unless)

    def functions(self) -> Iterator[tuple[Source, Callable[..., Any]]]:
        """Return the functions of the chain in their order, each with its source."""
        if self.default is not None:
            yield "default", self.default
        if self.other is not None:
            yield "other", self.other

    def ensure_plain(self, guard: str) -> None:
        """Refuse coroutine functions, which a plain function could not await.

        Raises:
            TypeError: If there is one.
        """
        for source, function in self.functions():
            if is_coroutine_function(function):
                raise self.refuse_coroutine(guard, source, function)

    def refuse_coroutine(
        self, guard: str, source: Source, function: Callable[..., Any]
    ) -> TypeError:
        """Return the error for a function of the chain that makes a coroutine."""
        return TypeError(
            f"guard {guard!r} has the coroutine function {function!r} as its fallback "
            f"({source}), which a plain function cannot await; expected a plain function"
        )


class LastGood:
    """The last good values of a guarded function, by the arguments of its calls.

    Attributes:
        values: By arguments: the value, and when it was kept, by ``time.perf_counter``.
        has_own_key: Whether a function of the user makes the keys of the arguments.
        entries: No more values than these are kept.
    """

    __slots__ = ("_key", "_note_failure", "_stale_s", "entries", "has_own_key", "values")

    def __init__(self, fallback: Fallback, note_failure: Callable[[], None]) -> None:
        """Keep nothing yet; ``note_failure`` is called when a user's function for keys raises."""
        self._note_failure = note_failure
        self._stale_s = fallback.stale_s or 0.0
        self._key = fallback.key
        self.has_own_key = fallback.key is not None
        self.entries = fallback.entries
        self.values: dict[Hashable, tuple[Any, float]] = {}

    def keep(
        self, value: object, args: tuple[Any, ...], kwargs: dict[str, Any], function: object = None
    ) -> None:
        """Keep the value of a call that succeeded now; of a function, if it is not always one."""
        try:
            key = self._make_key(args, kwargs, function)
        except Exception:  # noqa: BLE001 - the answer is there, and goes to the caller
            self._note_failure()
            return
        try:
            self.values[key] = value, perf_counter()
        except TypeError:  # arguments that cannot be hashed
            return
        if len(self.values) > self.entries:
            self.drop_oldest()

    def find(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], function: object = None
    ) -> tuple[Any, float]:
        """Return the last good value for these arguments and its age in seconds.

        Returns:
            `NO_VALUE` and 0 where there is none, or it is too old.

        Raises:
            Exception: What a user's function for keys raised.
        """
        key = self._make_key(args, kwargs, function)
        try:
            value, kept_s = self.values[key]
        except (KeyError, TypeError):
            return NO_VALUE, 0.0
        age_s = perf_counter() - kept_s
        return (value, age_s) if age_s <= self._stale_s else (NO_VALUE, 0.0)

    def drop_oldest(self) -> None:
        """Drop values until the limit is kept: those that were kept first."""
        while len(self.values) > self.entries:
            try:
                self.values.pop(next(iter(self.values)), None)
            except (RuntimeError, StopIteration):  # another thread changed it meanwhile
                return

    def _make_key(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], function: object
    ) -> Hashable:
        if self._key is not None:
            key: Hashable = self._key(*args, **kwargs)
        else:
            key = (KEYWORDS, args, *sorted(kwargs.items())) if kwargs else args
        return key if function is None else (function, key)
