"""Blocks of what was measured under load: the bare call first, then the libraries by calls/s."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from resilience_bench._model import Measurement, Quantity, Result
from resilience_bench.report.blocks import (
    MICROSECONDS,
    MILLION,
    MILLISECONDS,
    NANOSECONDS,
    Block,
    Row,
    Unit,
    compared,
    interval_of,
    is_loaded,
    label_of,
    plain,
    shown_headers,
    title_of,
    value_of,
)
from resilience_bench.scenarios.loads import STANDARD, Load, parse_load
from resilience_bench.stats.load import measure_controls

BARE: Final = "(bare call)"
BEST_FIRST: Final[Mapping[str, Callable[[Measurement], float]]] = {
    "latency": lambda measured: -value_of(measured, "calls_per_s", -math.inf),
    "overhead": lambda measured: value_of(measured, "overhead_ns", math.inf),
    "ratio": lambda measured: -value_of(measured, "scaling", -math.inf),
    "name": lambda _measured: 0.0,
}
"""What each order looks at before the name, under load."""
TIMES: Final = {
    "call": "call_ns",
    "p50": "p50_ns",
    "p99": "p99_ns",
    "p999": "p999_ns",
    "longest": "longest_ns",
}
"""The columns that are times, and their quantities."""
SMALL: Final = 0.01
"""A scaling below it is shown with a fourth decimal."""


def load_blocks(result: Result, measurements: Sequence[Measurement], sort: str) -> list[Block]:
    """The blocks of what was measured under load: by scenario, by payload, then load by load.

    Args:
        result: Has the descriptions, and what the bare calls did.
        measurements: What `statistics.measure` returned.
        sort: A key of `BEST_FIRST`, for the rows of a block.
    """
    records = {record.case.name: record for record in result.cases}
    controls = measure_controls(result)
    described: set[str] = set()
    made = []
    for members in by_load(measurements):
        members.sort(key=lambda each: (BEST_FIRST[sort](each), each.case.name))
        first = members[0].case
        keys = dict.fromkeys(records[each.case.name].control for each in members)
        bare = {key: controls[key] for key in keys if key in controls}
        description = "" if first.group in described else records[first.name].description
        described.add(first.group)
        made.append(_block(title_of(first), plain(description), bare, members))
    return made


def by_load(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """What may be compared under each load, in the order of scenarios and payloads in the file."""
    groups = [each for each in compared(measurements) if any(map(is_loaded, each))]
    scenarios = list(dict.fromkeys(each[0].case.group for each in groups))
    payloads = list(dict.fromkeys(each[0].case.payload for each in groups))
    return sorted(
        groups,
        key=lambda each: (
            scenarios.index(each[0].case.group),
            payloads.index(each[0].case.payload),
            load_order(each[0].case.load),
        ),
    )


def load_order(name: str) -> tuple[int, int, int, str]:
    """By kind, then by the number of callers; what is no load comes last, by its name."""
    kinds = list(STANDARD)
    load = load_of(name)
    if load is None:
        return len(kinds), 0, 0, name
    return kinds.index(load.kind), load.callers, load.readers, name


def load_of(name: str) -> Load | None:
    """A load by its name; None if it is none, as a file that somebody edited may have it."""
    try:
        return parse_load(name)
    except ValueError:
        return None


def _block(
    title: str, description: str, bare: Mapping[str, Measurement], members: Sequence[Measurement]
) -> Block:
    unit = _unit([*bare.values(), *members])
    rows = [
        _bare_row(BARE if len(bare) == 1 else f"{BARE} {plain(key.partition(' ')[0])}", each, unit)
        for key, each in bare.items()
    ]
    rows += [
        Row(label_of(each.case), _cells(each, unit), tuple(map(plain, each.marks)))
        for each in members
    ]
    headers = {
        "calls": "calls/s",
        "scaling": "scaling",
        "scaling_interval": "±",
        "call": f"{unit.name}/call",
        "p50": f"p50 {unit.name}",
        "p99": "p99",
        "p999": "p99.9",
        "longest": "max",
        "fair": "fair",
        "lag": "lag p99",
        "reads": "reads/s",
    }
    load = load_of(members[0].case.load)
    kind = load.kind if load else "other"
    return Block(title, description, shown_headers(headers, rows), tuple(rows), kind)


def _unit(members: Iterable[Measurement]) -> Unit:
    """The largest unit in which nobody waits less than one; three digits are shown of it.

    Nanoseconds are left where a single call took a million of them: columns would be too wide.
    """
    every = list(members)
    shortest = min(value_of(each, "call_ns", math.inf) for each in every)
    units = (MILLISECONDS, MICROSECONDS)
    found = next((unit for unit in units if unit.ns <= shortest < math.inf), NANOSECONDS)
    longest = max(value_of(each, "longest_ns") for each in every)
    return MICROSECONDS if found is NANOSECONDS and longest >= MILLION else found


def _bare_row(label: str, measured: Measurement, unit: Unit) -> Row:
    cells = {**_cells(measured, unit), "scaling": "1"}
    return Row(label, cells, is_control=True)


def _cells(measured: Measurement, unit: Unit) -> dict[str, str]:
    quantities = measured.quantities
    cells = {
        key: _three_digits(quantities[name].value / unit.ns)
        for key, name in TIMES.items()
        if name in quantities
    }
    if "calls_per_s" in quantities:
        cells["calls"] = rate_text(quantities["calls_per_s"].value)
    if "scaling" in quantities:
        cells["scaling"] = scaling_text(quantities["scaling"].value)
        cells["scaling_interval"] = interval_of(measured, "scaling")
    if "fairness" in quantities:
        cells["fair"] = f"{quantities['fairness'].value:.2f}"
    if "reads_per_s" in quantities:
        cells["reads"] = rate_text(quantities["reads_per_s"].value)
    if lag := _lag(quantities, unit):
        cells["lag"] = lag
    return cells


def _lag(quantities: Mapping[str, Quantity], unit: Unit) -> str:
    if "lag_p99_ns" in quantities:
        return _three_digits(quantities["lag_p99_ns"].value / unit.ns)
    if "lag_longest_ns" in quantities:
        return f"≤{_three_digits(quantities['lag_longest_ns'].value / unit.ns)}"
    return ""


def rate_text(per_s: float) -> str:
    """Calls per second for people."""
    if per_s >= MILLION:
        return f"{per_s / MILLION:,.2f} M"
    return _three_digits(per_s)


def scaling_text(value: float) -> str:
    """A scaling for people."""
    return f"{value:.4f}" if 0 < value < SMALL else f"{value:.3f}"


def _three_digits(value: float) -> str:
    """A number with three digits that count, or all of its digits before the point."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3  # noqa: PLR2004
    return f"{value:,.{decimals}f}"
