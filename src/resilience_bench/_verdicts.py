"""The data of the gate: acceptable ranges, budgets and verdicts; frozen, slotted, only data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from resilience_bench._model import Commit, Environment, Estimate


@dataclass(frozen=True, slots=True)
class Range:
    """The acceptable range of one quantity of a case, and its evidence.

    ``spread`` is (largest - smallest) / median of the runs' values. ``reason`` was given by the
    person who let the range get looser or higher.
    """

    expected: float
    low: float
    high: float
    runs: int
    workers: int
    spread: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The acceptable ranges of one environment, by case name, then by quantity."""

    schema: int
    tool_version: str
    reference_version: int
    environment: Environment
    commit: Commit | None
    learned: str
    reason: str
    ranges: dict[str, dict[str, Range]]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that a person wrote for a quantity of the cases that match a pattern."""

    cases: str
    quantity: str
    limit: float
    reason: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a person allows the cases that match a pattern to change.

    ``shares`` is by quantity, 0.25 for 25 %. A change of latency by at most ``floor_ns`` ns per
    call counts as none.
    """

    cases: str
    shares: dict[str, float]
    floor_ns: float
    reason: str


Outcome = Literal["regressed", "improved", "within", "inconclusive", "not measured"]
"""The decision on one quantity of a case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision, with the evidence.

    ``seen`` is the estimate with its interval, in the unit of ``quantity``; in a comparison it is
    HEAD divided by BASE, and so are ``expected`` (1.0), ``low`` and ``high``. ``p_value`` bounds
    how often chance alone shows as much or more when the case lies within its range, and ``level``
    is what it had to fall below. ``steps`` explain the decision, a line each.
    """

    case: str
    signal: str
    quantity: str
    outcome: Outcome
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    seen: Estimate | None = None
    p_value: float | None = None
    level: float | None = None
    workers: int = 0
    reason: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that `check` or `compare` decided, of what, and what makes the whole doubtful."""

    title: str
    headline: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
