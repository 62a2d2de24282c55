"""What was seen of a library during an outage of its dependency; frozen, slotted, only data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ANSWERS: Final = {
    "L": "live",
    "S": "stale",
    "D": "default",
    "W": "wrong",
    "E": "error",
    "U": "unserved",
}
"""How a request was answered, by the letter that stands for it.

live: with a value that was read while the request waited; stale: with one that was read before;
default: with `RESULT`; wrong: with anything else; error: by an exception; unserved: all callers
were busy for too long.
"""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the schedule: how the dependency behaves, for how long, and its delay then."""

    name: str
    mode: str
    seconds: float
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """The schedule of an outage, and the load that goes on meanwhile.

    Requests arrive at ``rate_per_s``, at times that ``seed`` fixes, and are served by ``callers``
    threads. Before the first phase they are served for ``bare_s`` without a guard.
    """

    phases: tuple[Phase, ...]
    rate_per_s: float
    callers: int
    bare_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class PhaseCounts:
    """What was counted from the beginning of a phase to its end.

    ``mode`` is how the dependency behaved. ``cpu_us`` is the processor time of the whole process,
    ``reached`` the calls that reached the dependency, ``log_bytes`` what was logged. ``threads``
    and ``resident_bytes`` are the most that were seen at a time (0 bytes: unknown).
    """

    name: str
    mode: str
    starts_us: int
    ends_us: int
    cpu_us: int
    reached: int
    log_bytes: int
    threads: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage: its phases, and all requests that arrived.

    Request i arrived at ``arrivals_us[i]``, was answered ``latencies_us[i]`` later, and how is
    letter i of ``answers``, see `ANSWERS`. ``opened_us`` is when a request was first answered
    without a call of the dependency, None if that never happened after the first phase.
    ``bare_cpu_us`` was the processor time of ``bare_requests`` requests to the healthy dependency
    without a guard.
    """

    callers: int
    bare_requests: int
    bare_cpu_us: int
    phases: tuple[PhaseCounts, ...]
    arrivals_us: tuple[int, ...]
    latencies_us: tuple[int, ...]
    answers: str
    opened_us: int | None = None


@dataclass(frozen=True, slots=True)
class OutageRecord:
    """The outage that one case went through in one worker."""

    case: str
    hash_seed: int
    started: str
    ended: str
    outage: Outage
