"""Tolerances by case: how much people allow the cases that match a pattern to change.

They stand in the file of budgets, in tables named ``tolerance``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from resilience_bench._verdicts import Tolerance
from resilience_bench.errors import format_names
from resilience_bench.files.checked_json import CheckedFile
from resilience_bench.gate.budgets import check_number, check_table, read_tables
from resilience_bench.gate.trial import Criterion
from resilience_bench.quantities import JUDGED
from resilience_bench.scenarios.patterns import matches_name

PERCENT: Final = "_percent"
FLOOR: Final = "floor_ns"
KEYS: Final = (*(name + PERCENT for name in JUDGED), FLOOR)
"""What a tolerance may say, beside its cases and its reason."""
EXAMPLE: Final = 'type [[tolerance]], cases = "retry.*", ratio_percent = 20, reason = "..." in it'
FLOORED: Final = "ratio"
"""The quantity that a floor in ns is for."""


def read_tolerances(path: Path) -> tuple[Tolerance, ...]:
    """Read the tolerances of a file of budgets; UnreadableBaselineError if one makes no sense."""
    source, tables = read_tables(path, "tolerance", EXAMPLE)
    return tuple(
        _parse_tolerance(source, f"tolerance[{position}]", table)
        for position, table in enumerate(tables)
    )


def _parse_tolerance(source: CheckedFile, key: str, table: Any) -> Tolerance:
    values = check_table(source, key, table)
    expected = f"one of {', '.join(KEYS)}"
    if not values:
        source.refuse(key, f"expected a tolerance, {expected}, found none")
    for name in values:
        if name not in KEYS:
            source.refuse(f"{key}.{name}", f"expected {expected}, found another name")
    numbers = {name: check_number(source, f"{key}.{name}", value) for name, value in values.items()}
    floor_ns = numbers.pop(FLOOR, 0.0)
    shares = {name.removesuffix(PERCENT): percent / 100 for name, percent in numbers.items()}
    return Tolerance(table["cases"], shares, floor_ns, table["reason"])


def apply_tolerances(
    criteria: Iterable[Criterion], written: Sequence[Tolerance], *, may_narrow: bool = True
) -> list[Criterion]:
    """Return the criteria with the ranges that people allow; of several that match, the last.

    A range is as `Quantity.compute_limits` makes it: of a share in percentage points. Unless it
    ``may_narrow``, it only becomes wider. Budgets, which expect nothing, stay as they are.
    """
    return [_apply(criterion, written, may_narrow=may_narrow) for criterion in criteria]


def _apply(criterion: Criterion, written: Sequence[Tolerance], *, may_narrow: bool) -> Criterion:
    expected, quantity = criterion.expected, criterion.quantity
    if expected is None:
        return criterion
    own = [rule for rule in reversed(written) if matches_name(rule.cases, criterion.case)]
    share = next((rule for rule in own if quantity in rule.shares), None)
    floor = next((rule for rule in own if rule.floor_ns and quantity == FLOORED), None)
    for decisive in filter(None, (share, floor)):
        reason = f"tolerance {decisive.cases}: {decisive.reason}"
        criterion = replace(criterion, reason=criterion.reason or reason)
    if floor:
        criterion = replace(criterion, floor_ns=floor.floor_ns)
    if share:
        low, high = JUDGED[quantity].compute_limits(expected, share.shares[quantity])
        if not may_narrow and criterion.low is not None and criterion.high is not None:
            low, high = min(criterion.low, low), max(criterion.high, high)
        criterion = replace(criterion, low=low, high=high)
    return criterion


def describe_tolerances(written: Sequence[Tolerance], cases: Iterable[str]) -> list[str]:
    """Describe in a line which of the cases have a tolerance of their own; none if no case has."""
    own = [name for name in cases if any(matches_name(rule.cases, name) for rule in written)]
    if not own:
        return []
    have = "case has a tolerance of its" if len(own) == 1 else "cases have tolerances of their"
    return [f"{len(own)} {have} own: {format_names(own)}"]
