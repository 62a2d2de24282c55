"""Points of a long run in; slopes with their intervals, and a verdict out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import numpy as np
from scipy.stats import theilslopes

from resilience_bench._model import Case, DriftPoints, Estimate, Result
from resilience_bench.stats.bootstrap import CONFIDENCE
from resilience_bench.stats.throttling import BEST_OF, SAME_SPEED

Values = np.ndarray[Any, np.dtype[np.float64]]
DriftVerdict = Literal["cost grows", "memory grows", "cost and memory grow", "steady", "undecided"]
"""What became of a case that was kept going."""
T = TypeVar("T")
Trend = Literal["grows", "steady", "undecided"]

WARM_UP: Final = 0.1
"""The part of the points that is left out: caches fill, tables and the allocator's arenas grow."""
FIRST: Final = 0.2
"""The part of the points whose median cost is the one that later ones are compared with."""
FEWEST_POINTS: Final = 10
"""With fewer, not even points in perfect order would tell much."""
LEAST_COST: Final = 0.02
"""A cost that grows by less over the whole run is none that the ratio can tell from the machine:
two copies of one case differ by about as much."""
UNSTEADY_COST: Final = 0.2
"""The same where the machine kept changing its speed: each piece of code is slowed down by a factor
of its own, and these differ by more than 10 %."""
LEAST_BLOCKS: Final = 0.01
"""Blocks a call. A table that doubles now and then keeps fewer; a list that is appended to keeps
one, and one of a hundred calls is what a rare branch may leave behind."""
LEAST_BYTES: Final = 4.0
"""Bytes a call, by the memory that the process holds: half of a pointer. It comes in pages and
arenas, so smaller slopes are steps of the allocator; a pointer a call is the smallest leak."""
MILLION: Final = 1e6
THOUSAND: Final = 1e3


@dataclass(frozen=True, slots=True)
class Drift:
    """What became of one case that was kept going for ``calls`` calls.

    ``cost`` is in per cent of the first fifth's, per million calls, ``cost_in_all`` in per cent
    over the run; ``blocks`` and ``bytes`` are per thousand calls. Each is None where it cannot be
    told.
    """

    case: Case
    calls: int
    points: int
    cost: Estimate | None
    cost_in_all: Estimate | None
    blocks: Estimate | None
    bytes: Estimate | None
    verdict: DriftVerdict
    warnings: tuple[str, ...] = ()

    @property
    def grows(self) -> bool:
        """Whether cost or memory surely grows."""
        return self.verdict not in {"steady", "undecided"}

    @property
    def grows_in_bytes(self) -> bool:
        """Whether the memory that the process holds surely grows."""
        least = THOUSAND * LEAST_BYTES
        return bool(self.bytes and classify_trend(self.bytes, least, least) == "grows")


def estimate_drifts(result: Result) -> list[Drift]:
    """What became of each case that was kept going, in the order of the file.

    Broken cases are left out: what they did is not what their name says.
    """
    cases = {each.case.name: each for each in result.cases}
    return [
        estimate_drift(cases[record.case].case, record.points)
        for record in result.drifts
        if cases[record.case].status != "broken"
    ]


def estimate_drift(case: Case, points: DriftPoints) -> Drift:
    """Estimate how cost and memory of a case grow with the number of its calls, and judge it.

    The cost of a point is operation / reference; its slope against the calls is taken relative to
    the median cost of the first fifth. Points at which the machine was slow are left out, if enough
    remain, see `throttling.drop_throttled`.

    Args:
        case: The case.
        points: What was noted of it; the first ones are left out.
    """
    steady = _drop_warm_up(points)
    at_speed, is_steady = _drop_throttled(steady)
    cost = _estimate_cost(at_speed)
    calls = np.array(steady.calls, dtype=np.float64)
    blocks, size = (
        estimate_slope(calls, np.array(values, dtype=np.float64)) if values else None
        for values in (steady.blocks, steady.resident_bytes)
    )
    run = float(at_speed.calls[-1] - at_speed.calls[0]) if at_speed.calls else 0.0
    cost_in_all = _multiply(cost, run)
    trends = [
        classify_trend(each, least, least)
        for each, least in ((blocks, LEAST_BLOCKS), (size, LEAST_BYTES))
        if each is not None
    ]
    return Drift(
        case,
        calls=points.calls[-1],
        points=len(points.calls),
        cost=_multiply(cost, 100 * MILLION),
        cost_in_all=_multiply(cost_in_all, 100),
        blocks=_multiply(blocks, THOUSAND),
        bytes=_multiply(size, THOUSAND),
        verdict=combine_trends(
            classify_trend(cost_in_all, LEAST_COST, LEAST_COST if is_steady else UNSTEADY_COST),
            trends,
        ),
        warnings=tuple(_find_warnings(steady, is_steady=is_steady)),
    )


def estimate_slope(calls: Values, values: Values) -> Estimate | None:
    """The slope of values against calls, with its 95 % interval; None for too few points.

    The median of the slopes between all pairs of points, and the interval that Kendall's
    distribution gives: up to 29 % of the points may be outliers. Sources: H. Theil, "A
    rank-invariant method of linear and polynomial regression analysis", Proc. Kon. Ned. Akad. v.
    Wetensch. A 53 (1950); P. K. Sen, "Estimates of the regression coefficient based on Kendall's
    tau", J. Am. Stat. Assoc. 63 (1968), 1379-1389. The interval assumes that the points are
    independent of each other. They are not quite: a machine that is slow now is slow at the next
    point as well. So the true interval is somewhat wider, and growth is only spoken of where it is
    also large.
    """
    if len(calls) < FEWEST_POINTS:
        return None
    found = theilslopes(values, calls, CONFIDENCE)
    return Estimate(float(found[0]), float(found[2]), float(found[3]))


def classify_trend(growth: Estimate | None, least: float, clear: float) -> Trend:
    """Whether something grows: certainly, and by more than the least that matters.

    Args:
        growth: How much it grows, with an interval.
        least: Less than this is no growth.
        clear: More than this is not the machine's doing.

    Returns:
        ``grows`` if the whole interval lies above 0 and the estimate above ``clear``, ``steady`` if
        the whole interval lies below ``least``, else ``undecided``.
    """
    if growth is None:
        return "undecided"
    if growth.low > 0 and growth.value > clear:
        return "grows"
    return "steady" if growth.high < least else "undecided"


def combine_trends(cost: Trend, memory: Sequence[Trend]) -> DriftVerdict:
    """One verdict from the trends of the cost and of the measures of memory that there are."""
    if cost == "grows" and "grows" in memory:
        return "cost and memory grow"
    if cost == "grows":
        return "cost grows"
    if "grows" in memory:
        return "memory grows"
    return "steady" if {cost, *memory} == {"steady"} else "undecided"


def _drop_warm_up(points: DriftPoints) -> DriftPoints:
    first = math.ceil(WARM_UP * len(points.calls))
    return _select_points(points, range(first, len(points.calls)))


def _drop_throttled(points: DriftPoints) -> tuple[DriftPoints, bool]:
    """The points at which the reference was fast, if they are most of them; whether they are."""
    paces = sorted(points.reference_ns)
    if not paces:
        return points, True
    limit_ns = SAME_SPEED * paces[min(BEST_OF, len(paces)) - 1]
    fast = [place for place, ns in enumerate(points.reference_ns) if ns <= limit_ns]
    if len(fast) >= max(FEWEST_POINTS, len(paces) / 2):
        return _select_points(points, fast), True
    return points, len(fast) == len(paces)


def _select_points(points: DriftPoints, places: Sequence[int]) -> DriftPoints:
    return DriftPoints(
        calls=_select_values(points.calls, places),
        operation_ns=_select_values(points.operation_ns, places),
        reference_ns=_select_values(points.reference_ns, places),
        blocks=_select_values(points.blocks, places),
        resident_bytes=_select_values(points.resident_bytes, places),
    )


def _select_values(values: tuple[T, ...], places: Sequence[int]) -> tuple[T, ...]:
    return tuple(values[place] for place in places) if values else ()


def _estimate_cost(points: DriftPoints) -> Estimate | None:
    """The slope of the cost, as a share of the first fifth's a call."""
    reference_ns = np.array(points.reference_ns)
    if not len(reference_ns) or not (reference_ns > 0).all():
        return None
    ratios = np.array(points.operation_ns) / reference_ns
    first = float(np.median(ratios[: math.ceil(FIRST * len(ratios))]))
    if first <= 0:
        return None
    return estimate_slope(np.array(points.calls, dtype=np.float64), ratios / first)


def _multiply(quantity: Estimate | None, factor: float) -> Estimate | None:
    if quantity is None:
        return None
    return Estimate(factor * quantity.value, factor * quantity.low, factor * quantity.high)


def _find_warnings(steady: DriftPoints, *, is_steady: bool) -> Iterator[str]:
    if len(steady.calls) < FEWEST_POINTS:
        count = len(steady.calls)
        told = f"only {count} point{'s' * (count != 1)} after the warm-up"
        yield f"{told}; need at least {FEWEST_POINTS}: measure longer"
    elif not is_steady:
        yield "the machine changed its speed during most of the run"
