"""Learns acceptable ranges from runs, and compares them with the old ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from resilience_bench._model import Measurement, Result
from resilience_bench._verdicts import Baseline, Range
from resilience_bench.errors import RefusedLearningError, format_names
from resilience_bench.gate.baseline import LEARN, SCHEMA
from resilience_bench.quantities import COUNT_SIGNALS, JUDGED, Quantity

MARGIN: Final = 1.5
"""A range reaches this many times as far as the runs did: the next run may lie further out."""
ROUNDING: Final = 0.001
"""Ranges that differ by less than this share of the upper end are the same."""


def learn(runs: Sequence[tuple[Result, Sequence[Measurement]]], reason: str) -> Baseline:
    """Learn a baseline from runs.

    The expected value is the median of the runs' values. The range reaches the quantity's `width`
    to either side of it, or `MARGIN` times as far as the runs did, whichever is more; never below
    0, except of a share, which may be a hair below. The baseline has the quantities that are judged
    and finite, of all measured cases. ``runs`` has the result and the measurements of each run, in
    their order. RefusedLearningError if there are no runs, nothing was measured, or the runs are of
    different environments or references.
    """
    _check_alike([result for result, _ in runs])
    seen: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for result, measurements in runs:
        for key, value, workers in _iterate_values(result, measurements):
            seen.setdefault(key, []).append((value, workers))
    if not seen:
        _refuse("nothing was measured in the runs", LEARN)
    ranges: dict[str, dict[str, Range]] = {name: {} for name, _ in sorted(seen)}
    for (name, quantity), values in seen.items():
        ranges[name][quantity] = _estimate_range(values, JUDGED[quantity])
    last = runs[-1][0]
    return Baseline(
        schema=SCHEMA,
        tool_version=last.tool_version,
        reference_version=last.reference_version,
        environment=last.environment,
        commit=last.commit,
        learned=last.ended,
        reason=reason,
        ranges=ranges,
    )


def _check_alike(runs: Sequence[Result]) -> None:
    if not runs:
        _refuse("there are no runs", LEARN)
    first = _get_identity(runs[0])
    for position, run in enumerate(runs[1:], start=2):
        other = _get_identity(run)
        differing = [
            f"{key} ({first.get(key)!r}, then {other.get(key)!r})"
            for key in {**first, **other}
            if first.get(key) != other.get(key)
        ]
        if differing:
            found = f"run {position} differs from run 1 in {format_names(differing)}"
            _refuse(f"{found}; expected runs of one environment", f"{LEARN} to measure them again")


def _refuse(found: str, remedy: str) -> NoReturn:
    raise RefusedLearningError(f"cannot learn: {found}; {remedy}")


def _get_identity(run: Result) -> dict[str, object]:
    here = run.environment
    build = ("python", "python_build", "free_threaded", "gil_enabled")
    names = (*build, "cpu_model", "cpu_count", "machine")
    return {
        **{name: getattr(here, name) for name in names},
        "reference_version": run.reference_version,
        **{f"packages.{name}": version for name, version in here.packages.items()},
    }


def _iterate_values(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[tuple[str, str], float, int]]:
    """Yield case and quantity, value, and the number of its workers."""
    measured = {record.case.name for record in result.cases if record.status == "measured"}
    for measurement in measurements:
        for name, quantity in JUDGED.items():
            found = measurement.quantities.get(name)
            if measurement.case.name in measured and found and math.isfinite(found.value):
                workers = 1 if quantity.signal in COUNT_SIGNALS else measurement.workers
                value = max(_get_least(quantity), found.value)
                yield (measurement.case.name, name), value, workers


def _get_least(quantity: Quantity) -> float:
    """Return the least value of a range: a mean of kept bytes may be seen a hair below zero."""
    return -math.inf if quantity.is_difference else 0.0


def _estimate_range(seen: Sequence[tuple[float, int]], quantity: Quantity) -> Range:
    values = [value for value, _ in seen]
    least, most = min(values), max(values)
    expected = statistics.median(values)
    reach = max(expected * quantity.width, quantity.slack)
    return Range(
        expected=expected,
        # The outer min and max: a subtraction may round to the wrong side of what was seen.
        low=max(
            _get_least(quantity), min(least, expected - max(reach, MARGIN * (expected - least)))
        ),
        high=max(most, expected + max(reach, MARGIN * (most - expected))),
        runs=len(values),
        workers=sum(workers for _, workers in seen),
        # A share may be 0 or less, so nothing can be said in relation to it.
        spread=(most - least)
        / (1.0 if quantity.is_difference else expected or quantity.slack or 1.0),
    )


@dataclass(frozen=True, slots=True)
class RangeChange:
    """The change of one range of a case; None where there is, or was, no range."""

    case: str
    quantity: str
    before: Range | None
    after: Range | None

    @property
    def loosens(self) -> bool:
        """Whether the range is wider, reaches higher, or expects more than before."""
        expected, low, high = self._compute_rises() or (0.0, 0.0, 0.0)
        # A range that moves down as a whole is no looser: the case has become cheaper.
        return max(high, expected, high - low) > 0

    @property
    def is_real(self) -> bool:
        """Whether more differs than rounding explains."""
        return self.before is None or self.after is None or any(self._compute_rises())

    def _compute_rises(self) -> list[float]:
        """Compute by how much expected, low and high went up; 0 if that is rounding."""
        if self.before is None or self.after is None:
            return []
        names = ("expected", "low", "high")
        rises = [getattr(self.after, name) - getattr(self.before, name) for name in names]
        return [rise if abs(rise) > ROUNDING * self.before.high else 0.0 for rise in rises]

    def __str__(self) -> str:
        before, after = _format_range(self.before), _format_range(self.after)
        return f"{self.case} {self.quantity} {before} -> {after}"


def _format_range(bounds: Range | None) -> str:
    return f"{bounds.expected:.6g} [{bounds.low:.6g}, {bounds.high:.6g}]" if bounds else "no range"


def find_range_changes(before: Baseline, after: Baseline) -> list[RangeChange]:
    """Find the ranges that differ between two baselines by more than rounding."""
    changes = [
        RangeChange(name, quantity, old.get(quantity), new.get(quantity))
        for name in sorted({**before.ranges, **after.ranges})
        for old, new in [(before.ranges.get(name, {}), after.ranges.get(name, {}))]
        for quantity in JUDGED
        if quantity in old or quantity in new
    ]
    return [change for change in changes if change.is_real]


def accept(before: Baseline, after: Baseline, reason: str | None) -> Baseline:
    """Return the baseline with a reason in looser ranges; RefusedLearningError without one."""
    loosened = {
        (change.case, change.quantity): change
        for change in find_range_changes(before, after)
        if change.loosens
    }
    reason = (reason or "").strip()
    if loosened and not reason:
        count = f"{len(loosened)} range{'s' if len(loosened) > 1 else ''} would get looser"
        some = format_names([*map(str, loosened.values())], "; ")
        _refuse(f"{count}: {some}", 'if that is right, type --accept "reason"')

    ranges: dict[str, dict[str, Range]] = {}
    for name, quantities in after.ranges.items():
        old = before.ranges.get(name, {})
        ranges[name] = {
            quantity: replace(
                new,
                reason=reason if (name, quantity) in loosened else old.get(quantity, new).reason,
            )
            for quantity, new in quantities.items()
        }
    return replace(after, ranges=ranges)
