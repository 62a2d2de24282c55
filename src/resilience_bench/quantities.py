"""The quantities that are judged: one table of what each is, and how far it may move."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Signal


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of a case, as results files and baselines name it.

    Attributes:
        unit: Behind a number, with its space; empty for none.
        label: Its heading where two sides are compared.
        heading: That of its column in a history of releases, which is narrow.
        is_more_better: Whether a case regresses by falling below its range.
        is_quotient: Whether its logarithm is judged, because what slows code down multiplies.
        is_difference: Whether two sides are compared by their difference, because it may be 0; all
            other quantities by their quotient. A tolerance is then in its own unit: 0.02 of a share
            are 2 percentage points.
        has_range: Whether baselines and comparisons judge it.
        has_budget: Whether a budget may limit it.
        tolerance: How much HEAD may exceed BASE in a comparison, as a share of BASE.
        release_tolerance: The same between neighbouring releases: people look at these for years.
        width: The least half-width of a learned range, as a share of what is expected.
        slack: The least difference that counts, in its unit: one small block is no regression.
    """

    name: str
    signal: Signal
    unit: str = ""
    label: str = ""
    heading: str = ""
    is_more_better: bool = False
    is_quotient: bool = False
    is_difference: bool = False
    has_range: bool = True
    has_budget: bool = True
    tolerance: float = 0.0
    release_tolerance: float = 0.0
    width: float = 0.0
    slack: float = 0.0

    @property
    def unchanged(self) -> float:
        """What a comparison of two equal sides gives: no difference, or a quotient of 1."""
        return 0.0 if self.is_difference else 1.0

    def compute_limits(self, expected: float, tolerance: float) -> tuple[float, float]:
        """Return the lower and upper limit of a range around what is expected."""
        if self.is_difference:
            return expected - tolerance, expected + tolerance
        return expected / (1 + tolerance), expected * (1 + tolerance)


_of_bytes: Final = functools.partial(
    Quantity,
    signal="allocations",
    unit=" B",
    tolerance=0.05,
    release_tolerance=0.05,
    width=0.05,
    slack=16.0,
)
QUANTITIES: Final[Mapping[str, Quantity]] = {
    quantity.name: quantity
    for quantity in (
        Quantity("overhead_ns", "latency", " ns", "overhead", has_range=False),
        Quantity("latency_ns", "latency", " ns", "latency", has_range=False),
        Quantity(
            "ratio",
            "latency",
            label="ratio",
            heading="latency",
            is_quotient=True,
            has_budget=False,
            tolerance=0.01,
            release_tolerance=0.05,
            width=0.10,
        ),
        Quantity(
            "instructions",
            "instructions",
            label="instructions",
            heading="instr",
            tolerance=0.005,
            release_tolerance=0.01,
            width=0.01,
        ),
        _of_bytes("allocated_bytes", label="kept bytes", heading="alloc. B"),
        _of_bytes("object_bytes", label="object bytes", heading="object B"),
        Quantity(
            "scaling",
            "scaling",
            label="scaling",
            heading="scaling",
            is_more_better=True,
            is_quotient=True,
            tolerance=0.10,
            release_tolerance=0.10,
            width=0.15,
        ),
        Quantity(
            "share",
            "share",
            label="share",
            heading="share",
            is_difference=True,
            tolerance=0.02,
            release_tolerance=0.02,
            width=0.25,
            slack=0.02,
        ),
    )
}
JUDGED: Final = {name: one for name, one in QUANTITIES.items() if one.has_range}
"""The quantities that baselines and comparisons judge."""
BUDGETED: Final = {name: one for name, one in QUANTITIES.items() if one.has_budget}
"""The quantities that a budget may limit."""
LEARNED_WIDTHS: Final = {name: one.width for name, one in JUDGED.items()}
"""The least half-width of a learned range, by quantity."""
SIGNALS_JUDGED: Final = tuple(dict.fromkeys(one.signal for one in JUDGED.values()))
"""The signals of the quantities that are judged."""
COUNT_SIGNALS: Final[frozenset[Signal]] = frozenset({"instructions", "allocations"})
"""The signals that hardly vary, so that a few processes are enough."""
LOAD_SIGNALS: Final[tuple[Signal, ...]] = ("scaling", "share")
"""The signals of cases under a load: around a synthetic payload, and around a real call."""
