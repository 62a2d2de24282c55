"""Everything that was measured and decided of a package's releases, as one history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Final

from resilience_bench import __version__
from resilience_bench._model import Estimate, Measurement, Result
from resilience_bench.environments.fingerprint import now
from resilience_bench.quantities import QUANTITIES
from resilience_bench.releases.changes import SortedDecisions
from resilience_bench.releases.history_file import SCHEMA, CaseCost, History, Release
from resilience_bench.releases.measure import MeasurementRequest
from resilience_bench.releases.prepare import PreparedRelease
from resilience_bench.stats.latency import estimate
from resilience_bench.worker.reference import REFERENCE_VERSION

HISTORY_QUANTITIES: Final = {*QUANTITIES, "overhead_instructions", "peak_bytes", "calls_per_s"}
"""The quantities that a history keeps of every release."""


def assemble_history(
    wanted: MeasurementRequest,
    prepared: Sequence[PreparedRelease],
    measured: Mapping[str, Result],
    screened: range,
    decisions: SortedDecisions,
) -> History:
    """Assemble what each release costs, and which changed what.

    ``measured`` is by version; for ``screened`` see `resilience_bench.releases.timeline.Timeline`.
    """
    # The first process may be that of an earlier run.
    records = [
        record
        for result in measured.values()
        for group in (result.workers, result.instructions, result.allocations, result.loads)
        for record in group
    ]
    started = min((record.started for record in records), default=now())
    environments = [result.environment for result in measured.values()]
    # Only those packages that are the same for all releases.
    packages = set.intersection(*(set(place.packages.items()) for place in environments))
    return History(
        SCHEMA,
        wanted.package,
        __version__,
        REFERENCE_VERSION,
        started,
        max((record.ended for record in records), default=started),
        complete=True,
        environment=replace(environments[0], packages=dict(sorted(packages))),
        selectors=tuple(wanted.selectors),
        signals=wanted.signals,
        not_available=dict(wanted.not_available),
        tolerances=dict(wanted.tolerances),
        cases={info.case.name: info.description for info in wanted.cases},
        releases=tuple(
            _assemble_release(release, measured.get(release.release.version), screened)
            for release in prepared
        ),
        steps=decisions.steps,
        undecided=decisions.undecided,
        counts=decisions.counts,
        headline=(decisions.headline,),
        notes=(*_describe_beside(wanted.beside), *decisions.notes),
    )


def _describe_beside(beside: Sequence[str]) -> tuple[str, ...]:
    return (f"installed with each release: {', '.join(beside)}",) if beside else ()


def _assemble_release(
    prepared: PreparedRelease, measured: Result | None, screened: range
) -> Release:
    published = prepared.release
    release = Release(
        published.version, published.date, prepared.status, prepared.reason, published.is_yanked
    )
    if measured is None:
        return release
    # A curve needs the workers that measured all releases alike.
    alike = tuple(worker for worker in measured.workers if worker.index in screened)
    result = replace(measured, workers=alike)
    estimates = {found.case.name: _select_quantities(found) for found in estimate(result)}
    costs = {
        record.case.name: CaseCost(
            record.status, record.reason, estimates.get(record.case.name, {}), record.missing
        )
        for record in result.cases
    }
    release = replace(release, packages=result.environment.packages, values=costs)
    if any(cost.quantities for cost in costs.values()):
        return replace(release, status="measured", reason="")
    reasons = [f"{cost.status}: {cost.reason}" for cost in costs.values()]
    return replace(release, status="nothing to measure", reason=next(iter(reasons), ""))


def _select_quantities(measurement: Measurement) -> dict[str, Estimate]:
    """Round to more digits than any measurement has; the file is half as long as with all."""
    return {
        name: Estimate(*(float(f"{number:.7g}") for number in astuple(seen)))
        for name, seen in measurement.quantities.items()
        if name in HISTORY_QUANTITIES
    }
