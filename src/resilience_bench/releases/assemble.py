"""Everything that was measured and decided of a package's releases, as one history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from resilience_bench import __version__
from resilience_bench._model import Environment, Estimate, Measurement, WorkerRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.releases.changes import SortedDecisions
from resilience_bench.releases.history_file import SCHEMA, CaseCost, History, Release
from resilience_bench.releases.measure import MeasurementRequest
from resilience_bench.releases.measured_release import MeasuredRelease
from resilience_bench.releases.prepare import PreparedRelease
from resilience_bench.releases.timeline import Timeline
from resilience_bench.stats.latency import estimate
from resilience_bench.worker.reference import REFERENCE_VERSION

HISTORY_QUANTITIES: Final = frozenset(
    {
        "latency_ns",
        "overhead_ns",
        "ratio",
        "instructions",
        "overhead_instructions",
        "allocated_bytes",
        "object_bytes",
        "peak_bytes",
        "calls_per_s",
        "scaling",
    }
)
"""The quantities that a history keeps of every release."""


def assemble_history(
    wanted: MeasurementRequest,
    prepared: Sequence[PreparedRelease],
    timeline: Timeline,
    decisions: SortedDecisions,
    *,
    headline: Sequence[str],
) -> History:
    """Everything in one: what each release costs, and what moved.

    Args:
        wanted: What was to be measured.
        prepared: All releases, in their order.
        timeline: Those that were measured.
        decisions: What was decided.
        headline: How sure that is.
    """
    by_version = {arm.version: arm for arm in timeline.releases if not arm.is_null}
    releases = tuple(
        _assemble_release(each, by_version.get(each.release.version), timeline.screened)
        for each in prepared
    )
    return History(
        SCHEMA,
        wanted.package,
        __version__,
        REFERENCE_VERSION,
        *_find_span(timeline.releases),
        complete=True,
        environment=_find_common_environment(
            [arm.recording.environment for arm in timeline.releases]
        ),
        selectors=tuple(wanted.selectors),
        signals=wanted.signals,
        not_available=dict(wanted.not_available),
        tolerances=dict(wanted.tolerances),
        cases={info.case.name: info.description for info in wanted.cases},
        releases=releases,
        steps=decisions.steps,
        undecided=decisions.undecided,
        counts=decisions.counts,
        headline=tuple(headline),
        notes=decisions.notes,
    )


def _find_span(arms: Sequence[MeasuredRelease]) -> tuple[str, str]:
    """When the first process of all began, and when the last one ended, an earlier run's too."""
    spans = [(each.started, each.ended) for arm in arms for each in arm.recording.finished]
    first = min((started for started, _ in spans), default=now())
    return first, max((ended for _, ended in spans), default=first)


def _find_common_environment(environments: Sequence[Environment | None]) -> Environment:
    """What all releases were measured in: the packages are those that are the same for all."""
    told = [each for each in environments if each]
    same = set.intersection(*(set(each.packages.items()) for each in told))
    return replace(told[0], packages=dict(sorted(same)))


def _assemble_release(
    prepared: PreparedRelease, arm: MeasuredRelease | None, screened: range
) -> Release:
    release = prepared.release
    if arm is None:
        return Release(
            release.version, release.date, prepared.status, prepared.reason, release.is_yanked
        )
    # Of all workers those that measured all releases alike: only their numbers make a curve.
    alike = tuple(each for each in arm.recording.select(WorkerRecord) if each.index in screened)
    result = replace(arm.recording.result(complete=True), workers=alike)
    measured = {each.case.name: each for each in estimate(result)}
    values = {
        record.case.name: CaseCost(
            record.status,
            record.reason,
            _select_quantities(measured[record.case.name]) if record.case.name in measured else {},
            record.missing,
        )
        for record in result.cases
    }
    works = any(each.quantities for each in values.values())
    reasons = dict.fromkeys(f"{each.status}: {each.reason}" for each in values.values())
    return Release(
        release.version,
        release.date,
        "measured" if works else "nothing to measure",
        "" if works else next(iter(reasons), ""),
        release.is_yanked,
        result.environment.packages,
        values,
    )


def _select_quantities(measurement: Measurement) -> dict[str, Estimate]:
    return {
        name: Estimate(*map(_round, (each.value, each.low, each.high)))
        for name, each in measurement.quantities.items()
        if name in HISTORY_QUANTITIES
    }


def _round(value: float) -> float:
    """Seven digits: nothing is measured as exactly as that, and the file is half as long."""
    return float(f"{value:.7g}")
