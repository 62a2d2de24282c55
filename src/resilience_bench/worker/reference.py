"""The reference: fixed pure-Python work, like that of resilience layers, for every ratio.

Any change needs a new `REFERENCE_VERSION`, because ratios compare only against the same work.
"""

from __future__ import annotations

import threading
from typing import Final

REFERENCE_VERSION: Final = 1


class _Step:
    """A small state machine."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: dict[tuple[str, str], int] = {}
        self.lock = threading.Lock()

    def advance(self, key: str, *, fail: bool) -> int:
        with self.lock:
            self.count += 1
            pair = (key, "outcome")
            self.seen[pair] = self.seen.get(pair, 0) + 1
        if fail:
            raise ValueError(key)
        return self.count


class Reference:
    """The reference operation; one call takes a few microseconds."""

    def __init__(self) -> None:
        self._step = _Step()
        self._keys = tuple(f"key-{number}" for number in range(8))

    def __call__(self) -> int:
        """Do the reference work once."""
        step = self._step
        total = 0
        for key in self._keys:
            total += step.advance(key, fail=False)
            parts = [total, step.count]
            if len(parts) != 2 or not isinstance(total, int):  # noqa: PLR2004 - it is the work
                break
        try:
            step.advance("failure", fail=True)
        except ValueError as error:
            total += len(error.args)
        return total
