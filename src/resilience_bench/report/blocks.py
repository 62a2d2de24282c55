"""The rows that every format shows: a block for each scenario, with a row for each library."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from resilience_bench._model import Case, Measurement, Result
from resilience_bench.report.text import clean_text
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.stats.drift import LEAST_BLOCKS, LEAST_BYTES, LEAST_COST
from resilience_bench.stats.latency import (
    divide_by_fastest,
    is_leaking,
    make_comparison_key,
    returns_object,
)

LEGEND: Final[Mapping[str, str]] = {
    "per_call": "per call: the time on this machine in this run, for information.",
    "overhead": "overhead: per call minus the control, which is the payload called bare.",
    "ratio": "ratio: per call divided by the reference, in the same workers; compare this one.",
    "interval": "±: half of the ratio's 95 % interval over workers.",
    "instructions": "instr: instructions that the processor executes per call, as callgrind "
    "counts them; a busy machine does not change them.",
    "peak": "peak B: the most bytes that one call holds at a time.",
    "object": "obj. B: the size of the object that a call returns, in bytes, shown instead of the "
    "peak where most calls return an object of their own.",
    "calls": "calls/s: of all callers together; (bare call) is the payload called without a guard, "
    "the line to reach.",
    "scaling": "scaling: calls/s divided by the bare call's, round by round; compare this one.",
    "scaling_interval": "±: half of the scaling's 95 % interval over workers.",
    "share": "share: the overhead as a share of the bare call, sample by sample; compare this one.",
    "share_interval": "±: half of the share's 95 % interval over workers, in percentage points.",
    "call": "per call: how long a caller waits on average, with its time in the queue.",
    "p50": "p50, p99, p99.9, max: percentiles of the time of single calls, in the same unit; - "
    "where there were too few calls.",
    "fair": "fair: calls of the slowest caller divided by those of the fastest one; around no work "
    "a few threads make all the calls of a window, the bare call's as well.",
    "lag": "lag p99: how late a periodic task of the same event loop runs, in the same unit; ≤ is "
    "its longest delay where there were too few for a percentile.",
    "reads": "reads/s: how often readers beside the callers read the library's counter.",
    "cost": "cost: the slope of the ratio against the number of calls, with its 95 % interval, in "
    "per cent of the ratio of the first fifth per million calls; in all: over the whole run.",
    "blocks": "blocks/1k, B/1k: slopes of the memory blocks in use after a garbage collection, and "
    "of the bytes that the process holds, per thousand calls.",
    "answered": "answered: the share of requests that got the right value or the default; then how "
    "many of them live (read while the request waited), stale (read before) and by default.",
    "out_p50": "p50, p99, p99.9, max: percentiles of the time from the arrival of a request to its "
    "answer, in ms; - where fewer than 10 requests are beyond.",
    "reached": "reached: the calls that reached the dependency, counted there.",
    "cpu": "CPU µs: the processor time of the whole process for a request, with the load generator "
    "and the log, less that of a bare call of the healthy dependency in the same process.",
    "log": "log B: bytes logged for a request, at the libraries' default levels.",
    "opened": "opened: how long after the end of the first phase a request was first answered or "
    "refused without a call.",
    "recovered": "recovered: how long after the dependency came back the last request arrived that "
    "was not answered live.",
    "errors": "errors: requests that got an exception or a wrong value; unserved: no thread was "
    "free within a second.",
    "threads": "threads, MB: the most threads and resident memory at a time.",
    "verdict": "verdict: something grows if its whole interval is above 0, and it grows by more "
    f"than {100 * LEAST_COST:g} % in all, {LEAST_BLOCKS:g} blocks or {LEAST_BYTES:g} B per call; "
    "undecided: the interval is too wide to tell, so measure longer.",
}
"""Explanations of the columns, in their order."""
SORT_KEYS: Final[Mapping[str, Callable[[Measurement], tuple[float, ...]]]] = {
    "latency": lambda measured: _get_values(measured, "latency_ns", "instructions"),
    "overhead": lambda measured: _get_values(measured, "overhead_ns", "overhead_instructions"),
    "ratio": lambda measured: _get_values(measured, "ratio", "instructions"),
    "name": lambda _measured: (),
}
"""What rows are sorted by, before their names; instructions where there is no latency."""
ORDERING_COLUMNS: Final = frozenset({"per_call", "instructions", "calls"})
"""Columns that rows are ordered by; without any of them no row is the best."""
OPTIONAL_COLUMNS: Final = ("times", "call")
MILLION: Final = 1e6
NO_VALUE: Final = "-"
Tone = Literal["", "bad", "doubt"]
"""How the verdict of a row is to be read."""


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """A unit of time, and how many of its decimals are worth showing."""

    name: str
    ns: float
    decimals: int

    def text(self, ns: float) -> str:
        """Return a number of nanoseconds in this unit, without its name."""
        # Adding 0 turns the -0 of a rounded overhead into 0.
        return f"{round(ns / self.ns, self.decimals) + 0.0:,.{self.decimals}f}"


NANOSECONDS: Final = TimeUnit("ns", 1, 0)
MICROSECONDS: Final = TimeUnit("µs", 1e3, 2)
MILLISECONDS: Final = TimeUnit("ms", 1e6, 2)


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One case of a block: its numbers by column, each marked with ``!`` if it is doubted.

    ``marks`` are its defects; with the control, ``is_control``, the others are compared.
    """

    label: str
    cells: Mapping[str, str]
    marks: tuple[str, ...] = ()
    is_control: bool = False
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Block:
    """The comparable libraries of a scenario under one load, all in the same unit.

    ``headers`` has the columns in which at least one row has a number, by the keys of the cells.
    Blocks of a ``kind`` have columns of the same widths. The columns in ``optional`` are left out,
    in this order, where there is no room: the others imply them.
    """

    family: str
    title: str
    description: str
    headers: Mapping[str, str]
    rows: tuple[BlockRow, ...]
    kind: str = ""
    optional: tuple[str, ...] = ()


def make_blocks(result: Result, measurements: Sequence[Measurement], sort: str) -> list[Block]:
    """Return the blocks of what was measured without a load, in the order of the file.

    Their rows are sorted by ``sort``, a key of `SORT_KEYS`.
    """
    times = divide_by_fastest(measurements)
    descriptions = {record.case.name: record.description for record in result.cases}
    blocks = []
    for members in group_comparable(measurements):
        if any(map(is_loaded, members)):
            continue
        members.sort(key=lambda measured: (SORT_KEYS[sort](measured), measured.case.name))
        unit = choose_unit(get_value(measured, "latency_ns") for measured in members)
        headers = _make_headers(members, unit)
        rows = [
            _make_row(measured, unit, times.get(measured.case), headers) for measured in members
        ]
        case = members[0].case
        blocks.append(make_block(case, format_title(case), descriptions[case.name], headers, rows))
    return blocks


def make_block(  # noqa: PLR0913 - everything that a block shows
    case: Case,
    title: str,
    description: str,
    headers: Mapping[str, str],
    rows: Sequence[BlockRow],
    *,
    kind: str = "",
) -> Block:
    """Return a block of one case and its rivals, without the columns in which no row has a cell."""
    shown = {key: headers[key] for key in headers if any(key in row.cells for row in rows)}
    family = clean_text(case.family)
    return Block(family, title, clean_text(description), shown, tuple(rows), kind, OPTIONAL_COLUMNS)


def group_comparable(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """Return the comparable measurements side by side, in the order of the file."""
    groups: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    for measured in measurements:
        groups[make_comparison_key(measured.case)].append(measured)
    return list(groups.values())


def is_loaded(measured: Measurement) -> bool:
    """Return whether a case was measured by its rate under a load."""
    return "calls_per_s" in measured.quantities


def format_title(case: Case) -> str:
    """Return the common name of the cases that are compared with this one."""
    under = f" under {case.load}" if case.load != SINGLE else ""
    around = f" around {case.payload}" if case.payload != NOOP else ""
    return clean_text(f"{case.group}{under}{around}")


def format_label(case: Case) -> str:
    """Return the name of a case among those that it is compared with."""
    return clean_text(case.with_load(SINGLE, NOOP).label or case.scenario)


def find_best(block: Block) -> BlockRow | None:
    """Return the first row without defects, if there are several to choose from."""
    rivals = [row for row in block.rows if not row.is_control]
    right = [row for row in rivals if not row.marks]
    ordered = not ORDERING_COLUMNS.isdisjoint(block.headers)
    return right[0] if len(rivals) > 1 and right and ordered else None


def explain_columns(found: Iterable[Block]) -> str:
    """Return a sentence for each column that one of the blocks has."""
    shown = {key for block in found for key in block.headers}
    return " ".join(text for key, text in LEGEND.items() if key in shown)


def _make_headers(members: Sequence[Measurement], unit: TimeUnit) -> dict[str, str]:
    returning = sum(map(returns_object, members))
    memory = {"object": "obj. B"} if 2 * returning > len(members) else {"peak": "peak B"}
    return {
        "per_call": f"{unit.name}/call",
        "overhead": "overhead",
        "ratio": "ratio",
        "interval": "±",
        "times": "× fastest",
        "instructions": "instr",
        **memory,
    }


def choose_unit(numbers_ns: Iterable[float]) -> TimeUnit:
    """Return the unit in which the largest of some numbers is easily read."""
    largest = max(numbers_ns, default=0.0)
    limits = ((10e3, NANOSECONDS), (10e6, MICROSECONDS))
    return next((unit for limit, unit in limits if largest < limit), MILLISECONDS)


def get_value(measured: Measurement, name: str, default: float = 0.0) -> float:
    """Return the estimate of a quantity, or a default if there is none."""
    quantity = measured.quantities.get(name)
    return quantity.value if quantity else default


def _get_values(measured: Measurement, *names: str) -> tuple[float, ...]:
    return tuple(get_value(measured, name, math.inf) for name in names)


def _make_row(
    measured: Measurement, unit: TimeUnit, times: float | None, headers: Mapping[str, str]
) -> BlockRow:
    values = {name: estimate.value for name, estimate in measured.quantities.items()}
    cells = {}
    if "latency_ns" in values:
        cells["per_call"] = unit.text(values["latency_ns"])
        cells["interval"] = format_interval(measured, "ratio")
    if "overhead_ns" in values:
        cells["overhead"] = unit.text(values["overhead_ns"])
    if "ratio" in values:
        cells["ratio"] = _format_significant(values["ratio"])
    if times is not None:
        cells["times"] = format_factor(times)
    if "instructions" in values:
        cells["instructions"] = format_count(values["instructions"])
    memory = "object" if "object" in headers else "peak"
    if f"{memory}_bytes" in values:
        mark = "!" if is_leaking(measured) else ""
        # What a block or less among many calls leaves behind is no weight of a result.
        weighs = memory == "peak" or returns_object(measured)
        cells[memory] = mark + format_count(values[f"{memory}_bytes"] if weighs else 0.0)
    return BlockRow(format_label(measured.case), cells)


def format_factor(factor: float) -> str:
    """Return how many times one number is another."""
    return f"{factor:.1f}" if factor < 100 else f"{factor:,.0f}"  # noqa: PLR2004


def format_count(value: float) -> str:
    """Return a count for people."""
    whole = round(value)
    return f"{whole:,}" if whole < MILLION else f"{whole / MILLION:,.1f} M"


def _format_significant(value: float) -> str:
    decimals = 4 if value < 1 else 3 if value < 10 else 2 if value < 100 else 0  # noqa: PLR2004
    return f"{value:,.{decimals}f}"


def format_interval(measured: Measurement, name: str) -> str:
    """Return half of an interval divided by its value, marked if the measurement is doubted."""
    mark = "!" if measured.warnings else ""
    quantity = measured.quantities.get(name)
    if not quantity or not quantity.value or measured.workers == 1:
        return mark + NO_VALUE
    return f"{mark}{(quantity.high - quantity.low) / 2 / quantity.value:.1%}"
