"""Learns from runs what is acceptable, and says what that changes; looser ranges need a reason."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from resilience_bench._model import Baseline, Measurement, Range, Result
from resilience_bench.errors import RefusedLearningError
from resilience_bench.files.checked_json import format_names
from resilience_bench.gate.baseline import LEARN, SCHEMA
from resilience_bench.quantities import JUDGED, LEARNED_WIDTHS

MARGIN: Final = 1.5
"""A range reaches so many times as far as the runs did: the next one may well lie further out."""
ROUNDING: Final = 0.001
"""A share of the upper end; ranges that differ by less are the same."""


def learn(
    runs: Sequence[tuple[Result, Sequence[Measurement]]],
    reason: str,
    widths: Mapping[str, float] = LEARNED_WIDTHS,
) -> Baseline:
    """Learn from runs what is acceptable.

    The expected value is the median of the runs' values. The range reaches `widths` to either side
    of it, or `MARGIN` times as far as the runs did, whichever is more; never below 0.

    Args:
        runs: What `results.read` and `latency.estimate` returned, in the order of the runs.
        reason: Why the baseline is learned, in the words of the person who does it.
        widths: The least half width of a range by quantity, as a share of the expected value.

    Returns:
        A baseline of the cases that were measured and the quantities that are judged and finite.

    Raises:
        RefusedLearningError: If there are no runs, nothing was measured, or the runs are of
            different environments or references.
    """
    _check_alike([result for result, _ in runs])
    seen: dict[str, dict[str, list[tuple[float, int]]]] = {}
    for result, measurements in runs:
        for name, quantity, value, workers in _iterate_values(result, measurements):
            seen.setdefault(name, {}).setdefault(quantity, []).append((value, workers))
    if not seen:
        _refuse("nothing was measured in the runs", LEARN)
    last = runs[-1][0]
    return Baseline(
        schema=SCHEMA,
        tool_version=last.tool_version,
        reference_version=last.reference_version,
        environment=last.environment,
        commit=last.commit,
        learned=last.ended,
        reason=reason,
        ranges={
            name: {
                quantity: _estimate_range(each, widths[quantity], JUDGED[quantity].slack)
                for quantity, each in quantities.items()
            }
            for name, quantities in sorted(seen.items())
        },
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
            remedy = f"{LEARN} to measure them again"
            _refuse(f"{found}; expected runs of one environment", remedy)


def _refuse(found: str, remedy: str) -> NoReturn:
    message = f"cannot learn: {found}; {remedy}"
    raise RefusedLearningError(message)


def _get_identity(run: Result) -> dict[str, object]:
    here = run.environment
    names = (
        "python",
        "python_build",
        "free_threaded",
        "gil_enabled",
        "cpu_model",
        "cpu_count",
        "machine",
    )
    return {
        **{name: getattr(here, name) for name in names},
        "reference_version": run.reference_version,
        **{f"packages.{name}": version for name, version in here.packages.items()},
    }


def _iterate_values(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, str, float, int]]:
    """Case, quantity, value and the workers behind it."""
    measured = {record.case.name for record in result.cases if record.status == "measured"}
    for each in measurements:
        for quantity in JUDGED:
            found = each.quantities.get(quantity)
            if each.case.name in measured and found and math.isfinite(found.value):
                # A mean of kept bytes may lie a hair below zero; a range starts there.
                value = max(0.0, found.value)
                workers = each.workers if quantity in {"ratio", "scaling"} else 1
                yield each.case.name, quantity, value, workers


def _estimate_range(seen: Sequence[tuple[float, int]], width: float, slack: float) -> Range:
    values = [value for value, _ in seen]
    least, most = min(values), max(values)
    expected = statistics.median(values)
    reach = max(expected * width, slack)
    return Range(
        expected=expected,
        # The outer min and max: a subtraction may round to the wrong side of what was seen.
        low=max(0.0, min(least, expected - max(reach, MARGIN * (expected - least)))),
        high=max(most, expected + max(reach, MARGIN * (most - expected))),
        runs=len(values),
        workers=sum(workers for _, workers in seen),
        spread=(most - least) / (expected or slack or 1.0),
    )


@dataclass(frozen=True, slots=True)
class RangeChange:
    """One range of a case that is not what it was; None where there is, or was, no range."""

    case: str
    quantity: str
    before: Range | None
    after: Range | None

    @property
    def loosens(self) -> bool:
        """Whether more is let through than before, or more is expected."""
        rises = self._compute_rises()
        if not rises:
            return False
        # A range that moves down as a whole is no looser: what it is of has become cheaper.
        return max(rises["high"], rises["expected"], rises["high"] - rises["low"]) > 0

    @property
    def is_real(self) -> bool:
        """Whether more differs than rounding explains."""
        return self.before is None or self.after is None or any(self._compute_rises().values())

    def _compute_rises(self) -> dict[str, float]:
        """By how much each number went up; 0 if that is rounding."""
        if self.before is None or self.after is None:
            return {}
        rounding = ROUNDING * self.before.high
        names = ("expected", "low", "high")
        rises = {name: getattr(self.after, name) - getattr(self.before, name) for name in names}
        return {name: rise if abs(rise) > rounding else 0.0 for name, rise in rises.items()}

    def __str__(self) -> str:
        before, after = _format_range(self.before), _format_range(self.after)
        return f"{self.case} {self.quantity} {before} -> {after}"


def _format_range(each: Range | None) -> str:
    return f"{each.expected:.6g} [{each.low:.6g}, {each.high:.6g}]" if each else "no range"


def find_range_changes(before: Baseline, after: Baseline) -> list[RangeChange]:
    """What differs between two baselines by more than rounding, by case and quantity."""
    every = [
        RangeChange(name, quantity, old.get(quantity), new.get(quantity))
        for name in sorted({**before.ranges, **after.ranges})
        for old, new in [(before.ranges.get(name, {}), after.ranges.get(name, {}))]
        for quantity in JUDGED
        if quantity in old or quantity in new
    ]
    return [move for move in every if move.is_real]


def accept(before: Baseline, after: Baseline, reason: str | None) -> Baseline:
    """The new baseline with the reason for whatever got looser.

    Args:
        before: The committed baseline.
        after: The one that was learned now.
        reason: Why looser ranges are right; None if nobody said.

    Returns:
        ``after``, in which each range that got looser has this reason and every other one the
        reason that it had before.

    Raises:
        RefusedLearningError: If a range gets looser and there is no reason.
    """
    loosened = {
        (move.case, move.quantity): move
        for move in find_range_changes(before, after)
        if move.loosens
    }
    said = (reason or "").strip()
    if loosened and not said:
        count = f"{len(loosened)} range{'s' if len(loosened) > 1 else ''} would get looser"
        some = format_names([str(move) for move in loosened.values()], "; ")
        _refuse(f"{count}: {some}", 'if that is right, type --accept "reason"')

    def add_reason(name: str, quantity: str, new: Range) -> Range:
        old = before.ranges.get(name, {}).get(quantity, new)
        return replace(new, reason=said if (name, quantity) in loosened else old.reason)

    return replace(
        after,
        ranges={
            name: {
                quantity: add_reason(name, quantity, new) for quantity, new in quantities.items()
            }
            for name, quantities in after.ranges.items()
        },
    )
