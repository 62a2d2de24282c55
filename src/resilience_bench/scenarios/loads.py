"""Loads: one caller, threads, asyncio tasks, processes; standard library only, as in workers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench._cases import CPU as CPU  # noqa: PLC0414 - for all who know loads
from resilience_bench._cases import IO as IO  # noqa: PLC0414
from resilience_bench._cases import NOOP as NOOP  # noqa: PLC0414
from resilience_bench._cases import PAYLOADS as PAYLOADS  # noqa: PLC0414
from resilience_bench._cases import SINGLE as SINGLE  # noqa: PLC0414

THREADS: Final = "threads"
TASKS: Final = "tasks"
PROCESSES: Final = "processes"
MIXED: Final = "mixed"
"""Threads, some of which call the operation while the others read its counter."""
STANDARD_LOADS: Final[Mapping[str, tuple[str, ...]]] = {
    SINGLE: (SINGLE,),
    THREADS: tuple(f"{THREADS}-{count}" for count in (1, 2, 4, 8, 16, 32)),
    TASKS: tuple(f"{TASKS}-{count}" for count in (1, 10, 100, 1000)),
    PROCESSES: tuple(f"{PROCESSES}-{count}" for count in (1, 2, 4)),
    MIXED: tuple(f"{MIXED}-{writers}-{readers}" for writers, readers in ((7, 1), (4, 4), (1, 7))),
}
"""The loads that a wildcard stands for, by kind."""
LOAD_FORMS: Final[Mapping[str, str]] = {
    THREADS: "threads-N",
    TASKS: "tasks-N",
    PROCESSES: "processes-N",
    MIXED: "mixed-WRITERS-READERS",
}
"""How a load is written, by kind."""
_LOAD: Final = re.compile(r"(threads|tasks|processes)-([0-9]+)|(mixed)-([0-9]+)-([0-9]+)")


@dataclass(frozen=True, slots=True)
class Load:
    """A number of callers of one kind; in a mixed load also a number of readers."""

    kind: str
    callers: int
    readers: int = 0


def is_load(text: str) -> bool:
    """Return whether a text is written like a load, possible or not."""
    return text == SINGLE or _LOAD.fullmatch(text) is not None


def parse_load(text: str) -> Load:
    """Read the name of a load; ValueError if it is none, or has no caller."""
    if text == SINGLE:
        return Load(SINGLE, 1)
    found = _LOAD.fullmatch(text)
    if found is None:
        raise ValueError(
            f"no such load: {text}; expected {', '.join([SINGLE, *LOAD_FORMS.values()])}"
        )
    numbers = [int(digits) for digits in (found[2], found[4], found[5]) if digits is not None]
    if not all(numbers):
        raise ValueError(f"{text}: expected 1 or more of each kind of caller, found 0")
    return Load(found[1] or found[3], *numbers)
