"""What every format shows: blocks of a scenario, with the libraries side by side."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Case, CaseRecord, Measurement, Quantity, Result
from resilience_bench.statistics import compared_with, times_fastest

LEGEND: Final = (
    "per call: nanoseconds of this machine at this hour, to inform. overhead: less the control, "
    "which is the payload called bare. ratio: per call divided by the reference, in the same "
    "workers; compare this one. ±: half of the ratio's 95 % interval over workers."
)
NAME_LAST: Final[Mapping[str, Callable[[Measurement], float]]] = {
    "latency": lambda measured: _value(measured, "latency_ns"),
    "overhead": lambda measured: _value(measured, "overhead_ns"),
    "ratio": lambda measured: _value(measured, "ratio"),
    "name": lambda _measured: 0.0,
}
"""What each order looks at before the name."""


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
    """One case of a block."""

    label: str
    per_call: str
    overhead: str
    ratio: str
    interval: str
    times: str
    doubted: bool


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared: the libraries of a scenario under one load, all in the same unit."""

    title: str
    description: str
    unit: Unit
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
        unit = _unit(members)
        rows = tuple(_row(each, unit, times.get(each.case, 1.0)) for each in members)
        made.append(Block(plain(title), plain(descriptions[first.name]), unit, rows))
    return made


def _unit(members: Iterable[Measurement]) -> Unit:
    largest = max(each.quantities["latency_ns"].value for each in members)
    limits = ((10e3, NANOSECONDS), (10e6, MICROSECONDS))
    return next((unit for limit, unit in limits if largest < limit), MILLISECONDS)


def _value(measured: Measurement, name: str) -> float:
    quantity = measured.quantities.get(name)
    return quantity.value if quantity else math.inf


def _row(measured: Measurement, unit: Unit, times: float) -> Row:
    ratio = measured.quantities.get("ratio")
    return Row(
        label=plain(measured.case.label or measured.case.scenario),
        per_call=unit.text(_value(measured, "latency_ns")),
        overhead=unit.text(_value(measured, "overhead_ns")),
        ratio=_significant(ratio.value) if ratio else "-",
        interval=_relative(ratio) if ratio and measured.workers > 1 else "-",
        times=f"{times:.1f}" if times < 100 else f"{times:,.0f}",  # noqa: PLR2004
        doubted=bool(measured.warnings),
    )


def _significant(value: float) -> str:
    decimals = 4 if value < 1 else 3 if value < 10 else 2 if value < 100 else 0  # noqa: PLR2004
    return f"{value:,.{decimals}f}"


def _relative(quantity: Quantity) -> str:
    return f"{(quantity.high - quantity.low) / 2 / quantity.value:.1%}" if quantity.value else "-"


def doubts(measurements: Iterable[Measurement]) -> dict[str, list[str]]:
    """The warnings, each with the names of the cases that it holds for."""
    by_warning: dict[str, list[str]] = defaultdict(list)
    for measured in measurements:
        for warning in measured.warnings:
            by_warning[warning].append(plain(measured.case.name))
    return by_warning


def not_measured(result: Result) -> dict[tuple[str, str], list[str]]:
    """Status and reason of what has no numbers, with the names of the cases."""
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in result.cases:
        if record.status != "measured":
            by_reason[record.status, plain(record.reason)].append(plain(record.case.name))
    return by_reason


def headline(result: Result) -> list[str]:
    """Where, when and how much was measured, in a few lines."""
    environment = result.environment
    workers = len(result.seeds)
    commit = "no commit"
    if result.commit:
        changed = "" if result.commit.clean else ", with uncommitted changes"
        commit = f"commit {result.commit.revision[:10]}{changed}"
    ending = "" if result.complete else "; THE RUN DID NOT COME TO ITS END"
    threading = ", free-threaded" if environment.free_threaded else ""
    lines = [
        f"{environment.python}{threading}, {environment.cpu_count} x {environment.cpu_model}",
        f"{result.started}, {commit}",
        f"profile {result.profile}: {workers} workers{ending}",
    ]
    return [plain(line) for line in lines]


def is_available(record: CaseRecord) -> bool:
    """Whether an inspected case can be measured."""
    return record.status == "measured"
