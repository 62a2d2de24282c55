"""The data of a decision: how certain it has to be, a criterion, its numbers, its result so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from resilience_bench._model import Estimate
from resilience_bench.quantities import QUANTITIES
from resilience_bench.stats.trimmed_t import Values

TINY: Final = 1e-12
"""A quotient of 0 has no logarithm."""
UNIT_QUANTILE: Final = 0.1
"""A floor in ns is a part of this quantile of the latencies of BASE, or of the references."""

Key = tuple[str, str, bool]
"""A case's name, a quantity, and whether the numbers are those of the null control."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How certain the gate has to be, and how much it may measure for that.

    ``error_rate`` is the chance that a build with nothing outside its range fails, ``miss_rate``
    the chance that one look passes a case that changed by what is ``sought``. ``screen`` workers
    screen;
    ``confirm`` has the fresh workers at each look of the confirmation, and ``processes`` how many
    must agree that a count is outside its range, both cumulative. ``confirms_improvements`` says
    whether small improvements in counts need as many processes as small regressions: no build
    fails by them, but a history lists them. ``sought`` is the smallest change that has to be
    found, relative to the range's half-width: a case is within as soon as its change is surely
    smaller and looks smaller than the limit. More than 1 saves the workers that it would take to
    show that a case is on the right side of a narrow limit.
    """

    error_rate: float = 0.001
    miss_rate: float = 0.05
    screen: int = 14
    confirm: tuple[int, ...] = (24, 72)
    processes: tuple[int, ...] = (3, 7)
    confirms_improvements: bool = False
    sought: float = 1.0


@dataclass(frozen=True, slots=True)
class Criterion:
    """An acceptable range for one quantity of a case.

    A budget has one limit only, and no ``expected``. Quotients are judged by their logarithm,
    because slowdowns multiply. ``is_null`` marks the null control: BASE against itself. A range of
    latencies reaches at least ``floor_ns`` ns per call to either side, as soon as evidence says
    what part of the latency that is.
    """

    case: str
    signal: str
    quantity: str
    high: float | None
    low: float | None = None
    expected: float | None = None
    reason: str = ""
    is_null: bool = False
    floor_ns: float = 0.0

    @property
    def key(self) -> Key:
        """The key of its numbers in the evidence."""
        return self.case, self.quantity, self.is_null

    @property
    def more_is_better(self) -> bool:
        """Whether a case regresses by falling below its range."""
        return QUANTITIES[self.quantity].is_more_better

    def to_cost(self, values: Values) -> Values:
        """Convert values of the quantity to the scale that is judged, where more is worse."""
        if not QUANTITIES[self.quantity].is_quotient:
            return values
        logarithms = np.log(np.maximum(values, TINY))
        return -logarithms if self.more_is_better else logarithms

    def from_cost(self, costs: Values) -> Values:
        """Convert costs back to values of the quantity."""
        if not QUANTITIES[self.quantity].is_quotient:
            return costs
        return np.exp(-costs if self.more_is_better else costs)

    @property
    def limits(self) -> tuple[float, float]:
        """Best and worst acceptable cost; infinite where there is no limit."""
        best, worst = (self.high, self.low) if self.more_is_better else (self.low, self.high)
        return (
            -math.inf if best is None else float(self.to_cost(np.array(best))),
            math.inf if worst is None else float(self.to_cost(np.array(worst))),
        )

    def compute_sought_cost(self, sought: float) -> float:
        """Return the smallest cost that has to be found, see `Policy`; a budget's is its limit."""
        worst = self.limits[1]
        if self.expected is None:
            return worst
        return worst + (sought - 1) * (worst - float(self.to_cost(np.array(self.expected))))

    def widen_to_floor(self, evidence: Evidence) -> Criterion:
        """Return this criterion with a range of at least ``floor_ns`` to either side.

        The unit of the range is the latency of BASE, or the time of the reference. Its 10 %
        quantile over workers converts, which is the machine near its best speed: a median would
        move with the machine's noise, and cases on the edge of the range would fail more often.
        """
        own = evidence.get(self.key, Observations())
        times = evidence.get((self.case, "latency_ns", self.is_null), Observations())
        if not self.floor_ns or self.expected is None or not times.heads or not own.heads:
            return self
        units_ns = times.bases or tuple(
            time_ns / ratio for time_ns, ratio in zip(times.heads, own.heads, strict=False) if ratio
        )
        unit_ns = float(np.quantile(units_ns, UNIT_QUANTILE)) if units_ns else 0.0
        if unit_ns <= 0:
            return self
        reach = self.floor_ns / unit_ns
        low = None if self.low is None else max(min(self.low, self.expected - reach), 0.0)
        high = None if self.high is None else max(self.high, self.expected + reach)
        return replace(self, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Observations:
    """The numbers of a quantity of a case, one a worker; ``bases`` only in a comparison."""

    heads: tuple[float, ...] = ()
    bases: tuple[float, ...] = ()


Evidence = Mapping[Key, Observations]
DrawEvidence = Callable[[int, Collection[str]], Evidence]
"""``draw(workers, cases)`` returns the numbers of so many fresh workers, or of all that exist."""
State = Literal["regressed", "improved", "within", "undecided"]


def extend_evidence(collected: dict[Key, Observations], fresh: Evidence) -> None:
    """Append fresh numbers to those that were collected before."""
    for key, numbers in fresh.items():
        before = collected.get(key, Observations())
        collected[key] = Observations(before.heads + numbers.heads, before.bases + numbers.bases)


@dataclass(slots=True, eq=False)
class Trial:
    """The result for one criterion so far; ``doubt`` is why it was taken back."""

    criterion: Criterion
    state: State = "undecided"
    seen: Estimate | None = None
    p_value: float | None = None
    level: float | None = None
    workers: int = 0
    steps: list[str] = field(default_factory=list)
    doubt: str = ""
