"""Values of a read-through, kept with the time when they were made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from resilience_stack.core.fallback import Answer
from resilience_stack.core.validation import refuse_bad_duration

__all__ = [
    "LOCK_SUFFIX",
    "POLL_S",
    "RELEASE",
    "Codec",
    "Entry",
    "Times",
    "find_milliseconds",
    "refuse_bad_key",
]

MARK: Final = b"resilience1"
LOCK_SUFFIX: Final = ":refreshing"
POLL_S: Final = 0.05
"""So often a caller looks whether another process has refreshed a key."""
RELEASE: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
"""Gives a lock back, unless it has expired and is another's by now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value with the time when it was made, in seconds since 1970."""

    value: Any
    made_s: float

    def age_s(self) -> float:
        """Return how old it is; never less than 0, whatever another machine's clock says."""
        return max(time.time() - self.made_s, 0.0)


@dataclass(frozen=True, slots=True)
class Times:
    """How long a value is fresh, how long it may be used after that, and how long to wait for it.

    Raises:
        ValueError: If a number is out of range; the text has the argument and the value.
        TypeError: If a value is of another type than expected; likewise.
    """

    ttl_s: float
    stale_s: float
    wait_s: float
    lock_s: float

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        refuse_bad_duration("ttl_s", self.ttl_s, above_zero=True)
        refuse_bad_duration("stale_s", self.stale_s)
        refuse_bad_duration("wait_s", self.wait_s)
        refuse_bad_duration("lock_s", self.lock_s, above_zero=True)

    def is_fresh(self, entry: Entry | None) -> bool:
        """Whether it is there, and need not be made again."""
        return entry is not None and entry.age_s() <= self.ttl_s

    def make_stale(self, entry: Entry | None) -> Answer[Any] | None:
        """Return the answer that a value makes where nothing is better; None if it is too old."""
        age_s = self.kept_s if entry is None else entry.age_s()
        if entry is None or age_s > self.kept_s:
            return None
        return Answer(entry.value, "stale", age_s)

    @property
    def kept_s(self) -> float:
        """How long the cache keeps a value."""
        return self.ttl_s + self.stale_s


class Codec:
    """Turns values into bytes with their time, and back."""

    def __init__(self, dumps: Callable[[Any], str | bytes], loads: Callable[[bytes], Any]) -> None:
        self._dumps = dumps
        self._loads = loads

    def pack(self, entry: Entry) -> bytes:
        """Return the bytes of an entry."""
        data = self._dumps(entry.value)
        payload = data.encode() if isinstance(data, str) else data
        return b"%b %.3f " % (MARK, entry.made_s) + payload

    def unpack(self, raw: bytes | str | None) -> Entry | None:
        """Return the entry of bytes; None for what is none, such as another program's value.

        So is what `loads` cannot read: an older release of the service may have written it.
        """
        if raw is None:
            return None
        mark, _, rest = (raw.encode() if isinstance(raw, str) else raw).partition(b" ")
        made, _, payload = rest.partition(b" ")
        if mark != MARK:
            return None
        try:
            made_s = float(made)
            return Entry(self._loads(payload), made_s) if math.isfinite(made_s) else None
        except Exception:  # noqa: BLE001 - of whatever type: it is a miss
            return None


def refuse_bad_key(key: object) -> None:
    """Raise unless the value can be a key of a read-through, whose lock has a suffix.

    Raises:
        TypeError: If it is no text; the message has the value.
    """
    if not isinstance(key, str):
        message = f"key is {key!r}, expected text"
        raise TypeError(message)


def find_milliseconds(ttl_s: float) -> int:
    """Return a time to live as redis takes it.

    Raises:
        ValueError: If it is not above 0.
        TypeError: If it is no number.
    """
    refuse_bad_duration("ttl_s", ttl_s, above_zero=True)
    return max(round(ttl_s * 1000), 1)
