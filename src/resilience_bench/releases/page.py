"""The page of a package's releases on the site: what each release changed, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench.releases.history_file import History, Release, group_cases, split_name
from resilience_bench.releases.rows import (
    ReleaseRow,
    StepRow,
    describe_environment,
    make_release_rows,
    make_step_row,
)
from resilience_bench.report.blocks import NO_VALUE, choose_unit, format_count
from resilience_bench.report.text import clean_text

TABLE_QUANTITIES: Final[Mapping[str, str]] = {
    "latency_ns": "per call",
    "ratio": "ratio: per call divided by the reference",
    "instructions": "instructions per call",
    "calls_per_s": "calls per second",
    "scaling": "scaling",
}
"""The quantities that have tables on the site, and what they are."""


@dataclass(frozen=True, slots=True)
class CostTable:
    """What the cases of a scenario cost, with a row for each release."""

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
        """The number of releases that were measured."""
        return sum(row.is_measured for row in self.releases)


def make_release_page(history: History) -> ReleasePage:
    """Make the page of a release history, with the newest release first."""
    ending = "" if history.complete else "; INTERRUPTED"
    when = f"measured {history.started} to {history.ended}{ending}"
    missing = (
        f"{signal}: not available: {reason}" for signal, reason in history.not_available.items()
    )
    return ReleasePage(
        clean_text(history.package),
        tuple(map(clean_text, (describe_environment(history), when, *history.headline))),
        tuple(map(clean_text, (*missing, *history.notes))),
        tuple(reversed(make_release_rows(history))),
        tuple(map(make_step_row, history.steps)),
        tuple(map(make_step_row, history.undecided)),
        tuple(_make_tables(history)),
    )


def _make_tables(history: History) -> Iterator[CostTable]:
    for quantity, title in TABLE_QUANTITIES.items():
        for scenario, cases in group_cases(history, quantity).items():
            yield CostTable(
                f"{clean_text(scenario)}, {title}",
                tuple(clean_text(split_name(case)[1]) for case in cases),
                tuple(
                    (
                        clean_text(release.version),
                        *(_format_cost(release, case, quantity) for case in cases),
                    )
                    for release in reversed(history.measured)
                ),
            )


def _format_cost(release: Release, case: str, quantity: str) -> str:
    cost = release.values.get(case)
    if cost is None or quantity not in cost.quantities:
        return NO_VALUE
    value = cost.quantities[quantity].value
    if quantity == "latency_ns":
        unit = choose_unit([value])
        return f"{unit.text(value)} {unit.name}"
    return format_count(value) if quantity in {"instructions", "calls_per_s"} else f"{value:,.4g}"
