"""Everything that was measured and decided of a package's releases, as one history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from resilience_bench import __version__
from resilience_bench._model import Environment, Measurement, Quantity
from resilience_bench.environments.fingerprint import now
from resilience_bench.releases.changes import Found
from resilience_bench.releases.history_file import SCHEMA, History, Release, Value
from resilience_bench.releases.measure import Wanted
from resilience_bench.releases.measured_release import Arm
from resilience_bench.releases.prepare import Prepared
from resilience_bench.releases.timeline import Timeline
from resilience_bench.stats.latency import measure
from resilience_bench.worker.reference import REFERENCE_VERSION

KEPT: Final = frozenset(
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


def history_of(
    wanted: Wanted,
    prepared: Sequence[Prepared],
    timeline: Timeline,
    decisions: Found,
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
    by_version = {arm.version: arm for arm in timeline.arms if not arm.is_null}
    releases = tuple(
        _release(each, by_version.get(each.release.version), timeline.screened) for each in prepared
    )
    return History(
        SCHEMA,
        wanted.package,
        __version__,
        REFERENCE_VERSION,
        *_span(timeline.arms),
        complete=True,
        environment=_common([arm.recording.environment for arm in timeline.arms]),
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


def _span(arms: Sequence[Arm]) -> tuple[str, str]:
    """When the first process of all began, and when the last one ended, an earlier run's too."""
    spans = [
        (each.started, each.ended)
        for arm in arms
        for records in (arm.workers, arm.counted, arm.weighed, arm.loads)
        for each in records
    ]
    first = min((started for started, _ in spans), default=now())
    return first, max((ended for _, ended in spans), default=first)


def _common(environments: Sequence[Environment | None]) -> Environment:
    """What all releases were measured in: the packages are those that are the same for all."""
    told = [each for each in environments if each]
    same = set.intersection(*(set(each.packages.items()) for each in told))
    return replace(told[0], packages=dict(sorted(same)))


def _release(prepared: Prepared, arm: Arm | None, screened: range) -> Release:
    release = prepared.release
    if arm is None:
        return Release(
            release.version, release.date, prepared.status, prepared.reason, release.is_yanked
        )
    # Of all workers those that measured all releases alike: only their numbers make a curve.
    alike = tuple(each for each in arm.workers if each.index in screened)
    result = replace(arm.recording.result(complete=True), workers=alike)
    measured = {each.case.name: each for each in measure(result)}
    values = {
        record.case.name: Value(
            record.status,
            record.reason,
            _kept(measured[record.case.name]) if record.case.name in measured else {},
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


def _kept(measurement: Measurement) -> dict[str, Quantity]:
    return {
        name: Quantity(*map(_short, (each.value, each.low, each.high)))
        for name, each in measurement.quantities.items()
        if name in KEPT
    }


def _short(value: float) -> float:
    """Seven digits: nothing is measured as exactly as that, and the file is half as long."""
    return float(f"{value:.7g}")
