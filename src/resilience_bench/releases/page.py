"""What the site shows of a package's releases: which moved what, and what each costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench._model import Estimate
from resilience_bench.releases.history_file import Decision, History, Release, find_quantities
from resilience_bench.report.blocks import NO_VALUE, choose_unit, format_count
from resilience_bench.report.text import clean_text

TABLE_QUANTITIES: Final[Mapping[str, str]] = {
    "latency_ns": "per call",
    "ratio": "ratio: per call divided by the reference",
    "instructions": "instructions per call",
    "calls_per_s": "calls per second",
    "scaling": "scaling",
}
"""The quantities of which the site has a table, and what they are."""
REGRESSED: Final = "regressed"
MIN_P_VALUE: Final = 1e-9
"""Nobody knows a smaller chance."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A release that moved a case."""

    release: str
    before: str
    case: str
    signal: str
    change: str
    interval: str
    outcome: str
    chance: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release: when, what became of it, and how many cases it made dearer and cheaper.

    ``largest`` is the case that it moved most, and ``change`` by how much.
    """

    version: str
    date: str
    status: str
    dearer: int
    cheaper: int
    largest: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True)
class CostTable:
    """What cases cost, a row a release."""

    title: str
    cases: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """A release history as the site shows it."""

    package: str
    headline: tuple[str, ...]
    notes: tuple[str, ...]
    releases: tuple[ReleaseRow, ...]
    steps: tuple[StepRow, ...]
    undecided: tuple[StepRow, ...]
    tables: tuple[CostTable, ...]

    @property
    def measured(self) -> int:
        """How many releases were measured."""
        return sum(each.status == "measured" for each in self.releases)


def make_release_page(history: History) -> ReleasePage:
    """What the site shows of a release history."""
    environment = history.environment
    ending = "" if history.complete else "; IT DID NOT COME TO ITS END"
    where = f"{environment.python}, {environment.cpu_count} x {environment.cpu_model}"
    when = f"measured {history.started} to {history.ended}{ending}"
    left_out = (f"{each}: not available: {why}" for each, why in history.not_available.items())
    return ReleasePage(
        package=clean_text(history.package),
        headline=tuple(map(clean_text, (where, when, *history.headline))),
        notes=tuple(map(clean_text, (*left_out, *history.notes))),
        releases=tuple(_make_row(each, history) for each in reversed(history.releases)),
        steps=tuple(map(_make_step, history.steps)),
        undecided=tuple(map(_make_step, history.undecided)),
        tables=tuple(_make_tables(history)),
    )


def _make_row(release: Release, history: History) -> ReleaseRow:
    # A case counts once, as dearer first.
    made: dict[str, str] = {}
    steps = [each for each in history.steps if each.release == release.version]
    for step in steps:
        if made.get(step.case) != REGRESSED:
            made[step.case] = step.outcome
    largest = max(steps, key=lambda each: each.size, default=None)
    outcomes = list(made.values())
    status = f"{release.status}: {release.reason}" if release.reason else release.status
    yanked = " (yanked)" if release.is_yanked else ""
    return ReleaseRow(
        clean_text(f"{release.version}{yanked}"),
        clean_text(release.date[:10]) or NO_VALUE,
        clean_text(status),
        outcomes.count(REGRESSED),
        outcomes.count("improved"),
        clean_text(largest.case) if largest else "",
        _format_change(largest) if largest else "",
    )


def _format_change(decision: Decision) -> str:
    return f"{decision.change.value - 1:+.1%}" if decision.change else NO_VALUE


def _make_step(decision: Decision) -> StepRow:
    change, interval = _format_change(decision), ""
    if (seen := decision.change) and seen.low != seen.high:
        interval = f"× {seen.value:.3f} ({seen.low:.3f} - {seen.high:.3f})"
    return StepRow(
        clean_text(decision.release),
        clean_text(decision.before),
        clean_text(decision.case),
        clean_text(decision.signal),
        change,
        interval,
        decision.outcome,
        NO_VALUE if decision.p_value is None else f"{max(decision.p_value, MIN_P_VALUE):.1g}",
        clean_text(decision.reason),
    )


def _make_tables(history: History) -> Iterator[CostTable]:
    having = find_quantities(history)
    for quantity, title in TABLE_QUANTITIES.items():
        names = [name for name in history.cases if name in having.get(quantity, ())]
        groups = itertools.groupby(names, key=lambda name: name.partition("[")[0])
        for group, members in groups:
            cases = list(members)
            rows = tuple(
                (
                    clean_text(release.version),
                    *(_format_cell(release, name, quantity) for name in cases),
                )
                for release in reversed(history.measured)
            )
            heads = tuple(clean_text(name.removeprefix(group).strip("[]")) for name in cases)
            yield CostTable(f"{clean_text(group)}, {title}", heads, rows)


def _format_cell(release: Release, case: str, quantity: str) -> str:
    value = release.values.get(case)
    seen = value.quantities.get(quantity) if value else None
    return NO_VALUE if seen is None else _format_quantity(seen, quantity)


def _format_quantity(seen: Estimate, quantity: str) -> str:
    if quantity == "latency_ns":
        unit = choose_unit([seen.value])
        return f"{unit.text(seen.value)} {unit.name}"
    if quantity in {"instructions", "calls_per_s"}:
        return format_count(seen.value)
    return f"{seen.value:,.4g}"
