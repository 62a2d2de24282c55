"""The rows of a release history, as the terminal and the site both show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from resilience_bench.releases.history_file import Decision, History, Release
from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import clean_text

OUTCOME_WORDS: Final[Mapping[str, str]] = {"regressed": "slower", "improved": "faster"}
MIN_P_VALUE: Final = 1e-9
NO_DATE: Final = "not known"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A change of a case between a release and the one before."""

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


def make_release_rows(history: History) -> list[ReleaseRow]:
    """Return a row for each release, from the oldest to the newest."""
    return [_make_row(release, history.steps) for release in history.releases]


def _make_row(release: Release, steps: tuple[Decision, ...]) -> ReleaseRow:
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
        make_step_row(max(own, key=lambda step: step.size)) if own else None,
    )


def make_step_row(step: Decision) -> StepRow:
    """Return a decision in words; without a change where something came in the place of nothing."""
    change, interval = NO_VALUE, ""
    if seen := step.change:
        change = f"{seen.value - 1:+.1%}"
        if seen.low != seen.high:
            interval = f"× {seen.value:.3f} ({seen.low:.3f} - {seen.high:.3f})"
    return StepRow(
        clean_text(step.release),
        clean_text(step.before),
        clean_text(step.case),
        clean_text(step.signal),
        change,
        interval,
        step.outcome,
        format_chance(step.p_value),
        clean_text(step.reason),
    )


def format_chance(p_value: float | None) -> str:
    """Format how often chance alone shows as much; counts have no such chance."""
    if p_value is None:
        return NO_VALUE
    return f"{p_value:.1g}" if p_value >= MIN_P_VALUE else f"<{MIN_P_VALUE:g}"


def describe_environment(history: History) -> str:
    """Return the Python and the processor of a history."""
    environment = history.environment
    return f"{environment.python}, {environment.cpu_count} x {environment.cpu_model}"
