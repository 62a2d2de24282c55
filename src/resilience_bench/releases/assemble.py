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
    """Assemble what each release costs, and which changed what.

    Args:
        wanted: The request.
        prepared: All releases, in their order.
        timeline: The releases that were measured.
        decisions: The gate's decisions.
        headline: How sure these are.
    """
    measured = {release.version: release for release in timeline.releases if not release.is_null}
    releases = tuple(
        _assemble_release(each, measured.get(each.release.version), timeline.screened)
        for each in prepared
    )
    environments = [release.recording.environment for release in timeline.releases]
    return History(
        SCHEMA,
        wanted.package,
        __version__,
        REFERENCE_VERSION,
        *_find_span(timeline.releases),
        complete=True,
        environment=_find_common_environment(environments),
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


def _find_span(releases: Sequence[MeasuredRelease]) -> tuple[str, str]:
    """Return when the first process began and the last one ended, an earlier run's included."""
    records = [record for release in releases for record in release.recording.finished]
    first = min((record.started for record in records), default=now())
    return first, max((record.ended for record in records), default=first)


def _find_common_environment(environments: Sequence[Environment | None]) -> Environment:
    """Return the environment, with only those packages that are the same for all releases."""
    known = [environment for environment in environments if environment]
    same = set.intersection(*(set(environment.packages.items()) for environment in known))
    return replace(known[0], packages=dict(sorted(same)))


def _assemble_release(
    prepared: PreparedRelease, measured: MeasuredRelease | None, screened: range
) -> Release:
    release = prepared.release
    if measured is None:
        return Release(
            release.version, release.date, prepared.status, prepared.reason, release.is_yanked
        )
    # A curve needs the workers that measured all releases alike.
    workers = measured.recording.select(WorkerRecord)
    alike = tuple(worker for worker in workers if worker.index in screened)
    result = replace(measured.recording.result(complete=True), workers=alike)
    estimates = {found.case.name: _select_quantities(found) for found in estimate(result)}
    costs = {
        record.case.name: CaseCost(
            record.status, record.reason, estimates.get(record.case.name, {}), record.missing
        )
        for record in result.cases
    }
    works = any(cost.quantities for cost in costs.values())
    reasons = [f"{cost.status}: {cost.reason}" for cost in costs.values()]
    return Release(
        release.version,
        release.date,
        "measured" if works else "nothing to measure",
        "" if works else next(iter(reasons), ""),
        release.is_yanked,
        result.environment.packages,
        costs,
    )


def _select_quantities(measurement: Measurement) -> dict[str, Estimate]:
    return {
        name: Estimate(_round(seen.value), _round(seen.low), _round(seen.high))
        for name, seen in measurement.quantities.items()
        if name in HISTORY_QUANTITIES
    }


def _round(value: float) -> float:
    """Round to more digits than any measurement has; the file is half as long as with all."""
    return float(f"{value:.7g}")
