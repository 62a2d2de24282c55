"""Blocks of what was measured under load: the bare call first, then the libraries by calls/s."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from resilience_bench._model import Case, Estimate, Measurement, Result
from resilience_bench.report.blocks import (
    MICROSECONDS,
    MILLION,
    MILLISECONDS,
    NANOSECONDS,
    Block,
    BlockRow,
    TimeUnit,
    format_interval,
    format_label,
    format_title,
    get_value,
    group_comparable,
    is_loaded,
    make_block,
)
from resilience_bench.report.text import clean_text
from resilience_bench.scenarios.loads import STANDARD_LOADS, Load, parse_load
from resilience_bench.stats.correctness import describe_defect
from resilience_bench.stats.load import estimate_controls

BARE: Final = "(bare call)"
LOAD_SORT_KEYS: Final[Mapping[str, Callable[[Measurement], float]]] = {
    "latency": lambda measured: -get_value(measured, "calls_per_s", -math.inf),
    "overhead": lambda measured: get_value(measured, "overhead_ns", math.inf),
    "ratio": lambda measured: -get_value(measured, "scaling", -math.inf),
    "name": lambda _measured: 0.0,
}
"""What rows are sorted by under load, before their names."""
TIME_COLUMNS: Final = {
    "call": "call_ns",
    "p50": "p50_ns",
    "p99": "p99_ns",
    "p999": "p999_ns",
    "longest": "longest_ns",
}
"""The columns that are times, and their quantities."""
SMALL_SCALING: Final = 0.01
"""A scaling below it is shown with a fourth decimal."""


def make_load_blocks(result: Result, measurements: Sequence[Measurement], sort: str) -> list[Block]:
    """Return the blocks of what was measured under load: by scenario, by payload, then by load.

    Their rows are sorted by ``sort``, a key of `LOAD_SORT_KEYS`.
    """
    records = {record.case.name: record for record in result.cases}
    controls = estimate_controls(result)
    described: set[str] = set()
    blocks = []
    for members in group_by_load(measurements):
        members.sort(key=lambda measured: (LOAD_SORT_KEYS[sort](measured), measured.case.name))
        case = members[0].case
        keys = dict.fromkeys(records[measured.case.name].control for measured in members)
        bare = {key: controls[key] for key in keys if key in controls}
        description = "" if case.group in described else records[case.name].description
        described.add(case.group)
        blocks.append(_make_block(case, description, bare, members))
    return blocks


def group_by_load(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """Return the comparable measurements under load, by scenario and payload as in the file."""
    groups = [members for members in group_comparable(measurements) if any(map(is_loaded, members))]
    scenarios = list(dict.fromkeys(members[0].case.group for members in groups))
    payloads = list(dict.fromkeys(members[0].case.payload for members in groups))
    return sorted(
        groups,
        key=lambda members: (
            scenarios.index(members[0].case.group),
            payloads.index(members[0].case.payload),
            make_load_sort_key(members[0].case.load),
        ),
    )


def make_load_sort_key(name: str) -> tuple[int, int, int, str]:
    """Return a key by kind and number of callers; what is no load comes last, by its name."""
    kinds = list(STANDARD_LOADS)
    load = find_load(name)
    if load is None:
        return len(kinds), 0, 0, name
    return kinds.index(load.kind), load.callers, load.readers, name


def find_load(name: str) -> Load | None:
    """Return a load by its name; None if it is none, as in a file that somebody edited."""
    try:
        return parse_load(name)
    except ValueError:
        return None


def _make_block(
    case: Case, description: str, bare: Mapping[str, Measurement], members: Sequence[Measurement]
) -> Block:
    unit = _choose_unit([*bare.values(), *members])
    rows = [
        BlockRow(
            BARE if len(bare) == 1 else f"{BARE} {clean_text(key.partition(' ')[0])}",
            {**_format_cells(measured, unit), **({} if case.is_real else {"scaling": "1"})},
            is_control=True,
        )
        for key, measured in bare.items()
    ]
    rows += [
        BlockRow(
            format_label(measured.case),
            _format_cells(measured, unit),
            tuple(map(describe_defect, measured.defects)),
        )
        for measured in members
    ]
    headers = {
        "calls": "calls/s",
        "scaling": "scaling",
        "scaling_interval": "±",
        "share": "share",
        "share_interval": "±",
        "call": f"{unit.name}/call",
        "p50": f"p50 {unit.name}",
        "p99": "p99",
        "p999": "p99.9",
        "longest": "max",
        "fair": "fair",
        "lag": "lag p99",
        "reads": "reads/s",
    }
    load = find_load(case.load)
    kind = load.kind if load else "other"
    return make_block(case, format_title(case), description, headers, rows, kind=kind)


def _choose_unit(members: Iterable[Measurement]) -> TimeUnit:
    """Return the largest unit in which no mean is below 1; three digits are shown of it.

    Not nanoseconds where a single call took a million of them: columns would be too wide.
    """
    every = list(members)
    shortest = min(get_value(measured, "call_ns", math.inf) for measured in every)
    units = (MILLISECONDS, MICROSECONDS)
    found = next((unit for unit in units if unit.ns <= shortest < math.inf), NANOSECONDS)
    longest = max(get_value(measured, "longest_ns") for measured in every)
    return MICROSECONDS if found is NANOSECONDS and longest >= MILLION else found


def _format_cells(measured: Measurement, unit: TimeUnit) -> dict[str, str]:
    quantities = measured.quantities
    cells = {
        key: _format_three_digits(quantities[name].value / unit.ns)
        for key, name in TIME_COLUMNS.items()
        if name in quantities
    }
    main = ("share", format_share) if measured.case.is_real else ("scaling", format_scaling)
    formats: dict[str, tuple[str, Callable[[float], str]]] = {
        "calls": ("calls_per_s", format_rate),
        main[0]: main,
        "fair": ("fairness", "{:.2f}".format),
        "reads": ("reads_per_s", format_rate),
    }
    cells |= {
        key: format_value(quantities[name].value)
        for key, (name, format_value) in formats.items()
        if name in quantities
    }
    if "scaling" in cells:
        cells["scaling_interval"] = format_interval(measured, "scaling")
    if "share" in cells:
        cells["share_interval"] = format_points(quantities["share"])
    if lag := _format_lag(quantities, unit):
        cells["lag"] = lag
    return cells


def _format_lag(quantities: Mapping[str, Estimate], unit: TimeUnit) -> str:
    if "lag_p99_ns" in quantities:
        return _format_three_digits(quantities["lag_p99_ns"].value / unit.ns)
    if "lag_longest_ns" in quantities:
        return f"≤{_format_three_digits(quantities['lag_longest_ns'].value / unit.ns)}"
    return ""


def format_rate(per_s: float) -> str:
    """Return calls per second for people."""
    if per_s >= MILLION:
        return f"{per_s / MILLION:,.2f} M"
    return _format_three_digits(per_s)


def format_share(value: float) -> str:
    """Return a share of the bare call for people, in per cent."""
    return f"{_format_percent(value)} %"


def format_points(share: Estimate) -> str:
    """Return half of a share's interval, in percentage points."""
    return _format_percent((share.high - share.low) / 2)


def _format_percent(share: float) -> str:
    percent = 100 * share
    decimals = 0 if abs(percent) >= 100 else 1 if abs(percent) >= 10 else 2  # noqa: PLR2004
    return f"{round(percent, decimals) + 0.0:,.{decimals}f}"


def format_scaling(value: float) -> str:
    """Return a scaling for people."""
    return f"{value:.4f}" if 0 < value < SMALL_SCALING else f"{value:.3f}"


def _format_three_digits(value: float) -> str:
    """Return a number with three significant digits, or all of its digits before the point."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3  # noqa: PLR2004
    return f"{value:,.{decimals}f}"
