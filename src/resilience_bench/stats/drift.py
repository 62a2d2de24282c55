"""Long runs: slopes of cost and memory against the number of calls, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Final, Literal

import numpy as np

from resilience_bench._model import Case, DriftPoints, Estimate, Result
from resilience_bench.stats.bootstrap import CONFIDENCE
from resilience_bench.stats.throttling import BEST_OF, SAME_SPEED
from resilience_bench.stats.trimmed_t import Values

DriftVerdict = Literal["cost grows", "memory grows", "cost and memory grow", "steady", "undecided"]
"""What a long run shows."""
Trend = Literal["grows", "steady", "undecided"]

WARM_UP: Final = 0.1
"""Share of the points that is left out: caches, tables and the allocator's arenas fill first."""
FIRST: Final = 0.2
"""Share of the points whose median cost is 100 %."""
FEWEST_POINTS: Final = 10
"""With fewer, not even points in perfect order would prove much."""
LEAST_COST: Final = 0.02
"""Growth of the cost over a run that matters: two copies of one case differ by about as much."""
UNSTEADY_COST: Final = 0.2
"""The same where the machine kept changing its speed, which slows down each code differently."""
LEAST_BLOCKS: Final = 0.01
"""Blocks a call. A table that doubles now and then keeps fewer; a growing list keeps one."""
LEAST_BYTES: Final = 4.0
"""Bytes a call, of the process's memory: half a pointer. Smaller slopes are pages and arenas."""
MILLION: Final = 1e6
THOUSAND: Final = 1e3


@dataclass(frozen=True, slots=True)
class Drift:
    """Growth of the cost and memory of one case over ``calls`` calls.

    ``cost`` is in per cent of the first fifth's, per million calls, ``cost_in_all`` in per cent
    over the run; ``blocks`` and ``bytes`` are per thousand calls. Each is None if it is unknown.
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
    """Estimate the drift of each case with a long run, but for broken ones."""
    cases = {record.case.name: record.case for record in result.cases if record.status != "broken"}
    return [
        estimate_drift(cases[record.case], record.points)
        for record in result.drifts
        if record.case in cases
    ]


def estimate_drift(case: Case, points: DriftPoints) -> Drift:
    """Estimate how cost and memory of a case grow with the number of its calls, and judge it.

    The cost of a point is operation / reference; its slope is relative to the median cost of the
    first fifth. The first points are left out, and those at which the machine was slow, if enough
    remain (see `throttling.drop_throttled`).
    """
    count = len(points.calls)
    steady = _select_points(points, range(math.ceil(WARM_UP * count), count))
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
        classify_trend(slope, least, least)
        for slope, least in ((blocks, LEAST_BLOCKS), (size, LEAST_BYTES))
        if slope is not None
    ]
    return Drift(
        case,
        calls=points.calls[-1],
        points=count,
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
    """Estimate the slope of values against calls; return None for too few points.

    It is the median of the slopes between all pairs of points, with the 95 % interval of Kendall's
    distribution: up to 29 % of the points may be outliers. Sources: H. Theil, "A
    rank-invariant method of linear and polynomial regression analysis", Proc. Kon. Ned. Akad. v.
    Wetensch. A 53 (1950); P. K. Sen, "Estimates of the regression coefficient based on Kendall's
    tau", J. Am. Stat. Assoc. 63 (1968), 1379-1389. The interval assumes independent points, but a
    slow machine stays slow for a while. So the true interval is somewhat wider, and growth has to
    be large as well to be reported.
    """
    if len(calls) < FEWEST_POINTS:
        return None
    from scipy.stats import theilslopes  # noqa: PLC0415 - takes a second; few runs are long

    found = theilslopes(values, calls, CONFIDENCE)
    return Estimate(float(found[0]), float(found[2]), float(found[3]))


def classify_trend(growth: Estimate | None, least: float, clear: float) -> Trend:
    """Return whether it surely ``grows`` (by ``clear``), or surely stays below ``least``."""
    if growth and growth.low > 0 and growth.value > clear:
        return "grows"
    return "steady" if growth and growth.high < least else "undecided"


def combine_trends(cost: Trend, memory: Sequence[Trend]) -> DriftVerdict:
    """Return the verdict of the trends of the cost and of the known measures of memory."""
    if cost == "grows":
        return "cost and memory grow" if "grows" in memory else "cost grows"
    if "grows" in memory:
        return "memory grows"
    return "steady" if {cost, *memory} == {"steady"} else "undecided"


def _drop_throttled(points: DriftPoints) -> tuple[DriftPoints, bool]:
    """Return the points at which the reference was fast, if they are most; and whether they are."""
    paces = sorted(points.reference_ns)
    if not paces:
        return points, True
    limit_ns = SAME_SPEED * paces[min(BEST_OF, len(paces)) - 1]
    fast = [place for place, ns in enumerate(points.reference_ns) if ns <= limit_ns]
    if len(fast) >= max(FEWEST_POINTS, len(paces) / 2):
        return _select_points(points, fast), True
    return points, len(fast) == len(paces)


def _select_points(points: DriftPoints, places: Sequence[int]) -> DriftPoints:
    columns: list[Any] = [getattr(points, field.name) for field in fields(DriftPoints)]
    return DriftPoints(
        *(tuple(values[place] for place in places) if values else () for values in columns)
    )


def _estimate_cost(points: DriftPoints) -> Estimate | None:
    reference_ns = np.array(points.reference_ns)
    if not len(reference_ns) or not (reference_ns > 0).all():
        return None
    ratios = np.array(points.operation_ns) / reference_ns
    first = float(np.median(ratios[: math.ceil(FIRST * len(ratios))]))
    if first <= 0:
        return None
    return estimate_slope(np.array(points.calls, dtype=np.float64), ratios / first)


def _multiply(quantity: Estimate | None, factor: float) -> Estimate | None:
    return quantity and Estimate(*(factor * end for end in astuple(quantity)))


def _find_warnings(steady: DriftPoints, *, is_steady: bool) -> Iterator[str]:
    if len(steady.calls) < FEWEST_POINTS:
        count = len(steady.calls)
        found = f"only {count} point{'s' * (count != 1)} after the warm-up"
        yield f"{found}; need at least {FEWEST_POINTS}: measure longer"
    elif not is_steady:
        yield "the machine changed its speed during most of the run"
