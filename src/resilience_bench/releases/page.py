"""What the terminal and the site show of a release history: its releases, steps and costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from resilience_bench.releases import history_file
from resilience_bench.releases.history_file import Decision, History, Release
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
MIN_P_VALUE: Final = 1e-9
NO_DATE: Final = "not known"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A change of a case between a release and the one before."""

    change: str
    interval: str
    chance: str
    release: str
    before: str
    case: str
    signal: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release: its date, whether it was measured, and how many cases it changed.

    ``changed`` counts cases by outcome; ``largest`` is the largest change of a case.
    """

    version: str
    date: str
    status: str
    is_measured: bool
    cases: int
    changed: Mapping[str, int]
    largest: StepRow | None = None


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
        tuple(make_release_row(release, history.steps) for release in reversed(history.releases)),
        tuple(map(_make_step_row, history.steps)),
        tuple(map(_make_step_row, history.undecided)),
        tuple(_make_tables(history)),
    )


def make_release_row(release: Release, steps: Sequence[Decision]) -> ReleaseRow:
    """Return the row of a release, one of those that the steps are about."""
    own = [step for step in steps if step.release == release.version]
    # A case counts once: as slower if any of its quantities is.
    outcomes = {step.case: step.outcome for step in own}
    outcomes |= {step.case: step.outcome for step in own if step.outcome == "regressed"}
    withdrawn = " (withdrawn)" if release.is_yanked else ""
    return ReleaseRow(
        clean_text(release.version) + withdrawn,
        clean_text(release.date[:10]) or NO_DATE,
        clean_text(f"{release.status}: {release.reason}" if release.reason else release.status),
        release.status == "measured",
        sum(bool(value.quantities) for value in release.values.values()),
        Counter(outcomes.values()),
        _make_step_row(max(own, key=lambda step: step.size)) if own else None,
    )


def _make_step_row(step: Decision) -> StepRow:
    """Put a decision in words; without a change where something came in the place of nothing."""
    change, interval = NO_VALUE, ""
    if seen := step.change:
        change = f"{seen.value - 1:+.1%}"
        if seen.low != seen.high:
            interval = f"× {seen.value:.3f} ({seen.low:.3f} - {seen.high:.3f})"
    words = (step.release, step.before, step.case, step.signal, step.outcome, step.reason)
    chance = format_chance(step.p_value)
    return StepRow(change, interval, chance, *map(clean_text, words))


def format_chance(p_value: float | None) -> str:
    """Format how often chance alone shows as much; counts have no such chance."""
    if p_value is None:
        return NO_VALUE
    return f"{p_value:.1g}" if p_value >= MIN_P_VALUE else f"<{MIN_P_VALUE:g}"


def describe_environment(history: History) -> str:
    """Return the Python and the processor of a history."""
    environment = history.environment
    return f"{environment.python}, {environment.cpu_count} x {environment.cpu_model}"


def _make_tables(history: History) -> Iterator[CostTable]:
    for quantity, title in TABLE_QUANTITIES.items():
        for scenario, cases in history_file.group_cases(history, quantity).items():
            yield CostTable(
                f"{clean_text(scenario)}, {title}",
                tuple(clean_text(history_file.split_name(case)[1]) for case in cases),
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
