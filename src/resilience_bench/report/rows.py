"""What every format shows: blocks of a scenario, with the libraries side by side."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Case, CaseRecord, Measurement, Result
from resilience_bench.statistics import compared_with, times_fastest

LEGEND: Final[Mapping[str, str]] = {
    "per_call": "per call: nanoseconds of this machine at this hour, to inform.",
    "overhead": "overhead: less the control, which is the payload called bare.",
    "ratio": "ratio: per call divided by the reference, in the same workers; compare this one.",
    "interval": "±: half of the ratio's 95 % interval over workers.",
    "instructions": "instr: instructions that the processor executes per call, as callgrind "
    "counts them; a busy machine does not change them.",
    "peak": "peak B: the most bytes that one call holds at a time.",
    "object": "obj. B: what the object that a call returns weighs, in bytes, shown instead of the "
    "peak where most calls return one of their own.",
}
"""What the columns say that need saying, in the order of the columns."""
NAME_LAST: Final[Mapping[str, Callable[[Measurement], tuple[float, ...]]]] = {
    "latency": lambda measured: _values(measured, "latency_ns", "instructions"),
    "overhead": lambda measured: _values(measured, "overhead_ns", "overhead_instructions"),
    "ratio": lambda measured: _values(measured, "ratio", "instructions"),
    "name": lambda _measured: (),
}
"""What each order looks at before the name; instructions where there is no latency."""
EVERY_OTHER: Final = 0.5
"""So many blocks a call are no leftovers of a cache that grew once among the calls."""
MILLION: Final = 1e6
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of time, and how many of its decimals are worth showing."""

    name: str
    ns: float
    decimals: int

    def text(self, ns: float) -> str:
        """A number of nanoseconds in this unit, without its name."""
        # Adding 0 turns the -0 of a rounded overhead into 0.
        return f"{round(ns / self.ns, self.decimals) + 0.0:,.{self.decimals}f}"


NANOSECONDS: Final = Unit("ns", 1, 0)
MICROSECONDS: Final = Unit("µs", 1e3, 2)
MILLISECONDS: Final = Unit("ms", 1e6, 2)


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a block: its numbers by column, each marked with ``!`` if it is doubted."""

    label: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared: the libraries of a scenario under one load, all in the same unit.

    ``headers`` has the columns in which at least one row has a number, by the keys of `Row.cells`.
    """

    title: str
    description: str
    headers: Mapping[str, str]
    rows: tuple[Row, ...]


def plain(text: str) -> str:
    """Text that stays in its line and cannot steer a terminal."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def blocks(result: Result, measurements: Sequence[Measurement], sort: str) -> list[Block]:
    """The blocks in the order of the file, each sorted by ``sort`` (a key of `NAME_LAST`)."""
    times = times_fastest(measurements)
    descriptions = {record.case.name: record.description for record in result.cases}
    compared: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    for measured in measurements:
        compared[compared_with(measured.case)].append(measured)
    made = []
    for members in compared.values():
        members.sort(key=lambda each: (NAME_LAST[sort](each), each.case.name))
        first = members[0].case
        title = Case(first.family, first.scenario, load=first.load, payload=first.payload).name
        headers = _headers(members)
        unit = _unit(members)
        rows = tuple(_row(each, unit, times.get(each.case), headers) for each in members)
        shown = {key: headers[key] for key in headers if any(key in row.cells for row in rows)}
        made.append(Block(plain(title), plain(descriptions[first.name]), shown, rows))
    return made


def legend(found: Iterable[Block]) -> str:
    """A sentence for each column that one of the blocks has."""
    shown = {key for block in found for key in block.headers}
    return " ".join(text for key, text in LEGEND.items() if key in shown)


def _headers(members: Sequence[Measurement]) -> dict[str, str]:
    weighing = sum(_of(each, "object_blocks") >= EVERY_OTHER for each in members)
    memory = {"object": "obj. B"} if 2 * weighing > len(members) else {"peak": "peak B"}
    return {
        "per_call": f"{_unit(members).name}/call",
        "overhead": "overhead",
        "ratio": "ratio",
        "interval": "±",
        "times": "× fastest",
        "instructions": "instr",
        **memory,
    }


def _unit(members: Iterable[Measurement]) -> Unit:
    largest = max(_of(each, "latency_ns") for each in members)
    limits = ((10e3, NANOSECONDS), (10e6, MICROSECONDS))
    return next((unit for limit, unit in limits if largest < limit), MILLISECONDS)


def _of(measured: Measurement, name: str, default: float = 0.0) -> float:
    quantity = measured.quantities.get(name)
    return quantity.value if quantity else default


def _values(measured: Measurement, *names: str) -> tuple[float, ...]:
    return tuple(_of(measured, name, math.inf) for name in names)


def _row(measured: Measurement, unit: Unit, times: float | None, headers: Mapping[str, str]) -> Row:
    values = {name: each.value for name, each in measured.quantities.items()}
    cells = {}
    if "latency_ns" in values:
        cells["per_call"] = unit.text(values["latency_ns"])
        cells["interval"] = ("!" if measured.warnings else "") + _interval(measured)
    if "overhead_ns" in values:
        cells["overhead"] = unit.text(values["overhead_ns"])
    if "ratio" in values:
        cells["ratio"] = _significant(values["ratio"])
    if times is not None:
        cells["times"] = f"{times:.1f}" if times < 100 else f"{times:,.0f}"  # noqa: PLR2004
    if "instructions" in values:
        cells["instructions"] = _counted(values["instructions"])
    memory = "object" if "object" in headers else "peak"
    if f"{memory}_bytes" in values:
        mark = "!" if _leaks(measured) else ""
        # What a block or less among many calls leaves behind is no weight of a result.
        weighs = memory == "peak" or values.get("object_blocks", 0.0) >= EVERY_OTHER
        cells[memory] = mark + _counted(values[f"{memory}_bytes"] if weighs else 0.0)
    return Row(plain(measured.case.label or measured.case.scenario), cells)


def _counted(value: float) -> str:
    whole = round(value)
    return f"{whole:,}" if whole < MILLION else f"{whole / MILLION:,.1f} M"


def _leaks(measured: Measurement) -> bool:
    """Whether calls leave blocks behind; bytes alone may be a cache that grew once."""
    blocks, size = _of(measured, "allocated_blocks"), _of(measured, "allocated_bytes")
    return blocks >= EVERY_OTHER and size > 1


def _significant(value: float) -> str:
    decimals = 4 if value < 1 else 3 if value < 10 else 2 if value < 100 else 0  # noqa: PLR2004
    return f"{value:,.{decimals}f}"


def _interval(measured: Measurement) -> str:
    ratio = measured.quantities.get("ratio")
    if not ratio or not ratio.value or measured.workers == 1:
        return NOTHING
    return f"{(ratio.high - ratio.low) / 2 / ratio.value:.1%}"


def doubts(measurements: Iterable[Measurement]) -> dict[str, list[str]]:
    """The warnings, each with the names of the cases that it holds for."""
    by_warning: dict[str, list[str]] = defaultdict(list)
    for measured in measurements:
        name = plain(measured.case.name)
        for warning in measured.warnings:
            by_warning[warning].append(name)
        if _leaks(measured):
            kept = _counted(_of(measured, "allocated_bytes"))
            by_warning[f"keeps {kept} bytes per call"].append(name)
    return by_warning


def not_measured(result: Result) -> dict[tuple[str, str], list[str]]:
    """Status and reason of what has no numbers, with the names of the cases."""
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in result.cases:
        if record.status != "measured":
            by_reason[record.status, plain(record.reason)].append(plain(record.case.name))
    return by_reason


def missing(result: Result) -> dict[tuple[str, str], list[str]]:
    """Signal and reason of what measured cases lack, with the names of the cases."""
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in result.cases:
        if record.status == "measured":
            for signal, reason in record.missing.items():
                by_reason[plain(signal), plain(reason)].append(plain(record.case.name))
    return by_reason


def unavailable_signals(result: Result) -> list[str]:
    """A line for each signal that could not be measured at all, with the reason."""
    return [
        plain(f"{signal}: not available: {reason}")
        for signal, reason in result.not_available.items()
    ]


def headline(result: Result) -> list[str]:
    """Where, when and how much was measured, in a few lines."""
    environment = result.environment
    over = f" over {len(result.seeds)} workers"
    signals = [each + over if each == "latency" else each for each in result.signals]
    commit = "no commit"
    if result.commit:
        changed = "" if result.commit.clean else ", with uncommitted changes"
        commit = f"commit {result.commit.revision[:10]}{changed}"
    ending = "" if result.complete else "; THE RUN DID NOT COME TO ITS END"
    threading = ", free-threaded" if environment.free_threaded else ""
    lines = [
        f"{environment.python}{threading}, {environment.cpu_count} x {environment.cpu_model}",
        f"{result.started}, {commit}",
        f"profile {result.profile}: {', '.join(signals)}{ending}",
    ]
    return [plain(line) for line in lines]


def is_available(record: CaseRecord) -> bool:
    """Whether an inspected case can be measured."""
    return record.status == "measured"
