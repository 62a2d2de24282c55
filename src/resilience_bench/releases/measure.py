"""Measures the releases of a package side by side, and has the gate decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from resilience_bench import __version__
from resilience_bench._model import CaseInfo, Environment, Result, Signal
from resilience_bench._verdicts import Verdict
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UnreadableResultError, UserError, format_amount
from resilience_bench.files import results
from resilience_bench.gate.criteria import LOADED_SCREEN, judge
from resilience_bench.gate.trial import Criterion, Policy
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES
from resilience_bench.quantities import COUNT_SIGNALS, JUDGED
from resilience_bench.releases import changes
from resilience_bench.releases.prepare import PreparedRelease
from resilience_bench.releases.timeline import MeasuredRelease, Timeline
from resilience_bench.worker.reference import REFERENCE_VERSION

POLICY: Final = Policy(screen=12, confirm=(30,), confirms_improvements=True)
"""Fewer workers per comparison than `compare`: each serves two, and there are dozens of them."""
TOLERANCES: Final = {name: quantity.release_tolerance for name, quantity in JUDGED.items()}
"""The largest change that is no step, as a share of the release before, by quantity."""
NULL_EVERY: Final = 8
"""One of this many releases is measured twice, as the null control."""
SAMPLES_FOLDER: Final = "measured"
"""The folder of the raw samples, beside the history; an interrupted run continues from these."""


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """The cases that need a package, what to measure of them, and the folder for the results.

    The requirements ``beside`` are installed with each release.
    """

    package: str
    cases: Sequence[CaseInfo]
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    selectors: Sequence[str]
    folder: Path
    tolerances: Mapping[str, float]
    beside: Sequence[str] = ()

    @property
    def needed(self) -> list[str]:
        """The distributions that the cases need."""
        return sorted({name for info in self.cases for name in info.distributions})


def select_cases(package: str, cases: Sequence[CaseInfo]) -> list[CaseInfo]:
    """Return the cases whose library needs a package; UserError if there are none."""
    packages = [set(map(canonicalize_name, info.distributions)) for info in cases]
    chosen = [info for info, names in zip(cases, packages, strict=True) if package in names]
    if not chosen:
        known = sorted(set().union(*packages))
        raise UserError(
            f"{package}: none of the selected cases needs it; expected one of "
            f"{', '.join(known) or 'those that scenarios name'}; type 'resilience-bench list' to "
            "see every case"
        )
    return chosen


def make_measured_releases(  # noqa: PLR0913 - one caller, which has them all
    wanted: MeasurementRequest,
    prepared: Sequence[PreparedRelease],
    launch: Callable[[Variant], Launcher],
    query_environment: Callable[[Variant], Environment],
    note: Callable[[str], None],
    *,
    fresh: bool = False,
    has_nulls: bool = True,
) -> list[MeasuredRelease]:
    """Make the releases to measure, with what an earlier run has measured of them unless ``fresh``.

    Those without an environment are left out; if the history ``has_nulls``, one of `NULL_EVERY` is
    measured twice. ``note`` gets the reason why results of an earlier run cannot be used.
    """
    made = []
    usable = [
        (release.release.version, release.variant)
        for release in prepared
        if release.variant and release.status == "measured"
    ]
    for number, (version, variant) in enumerate(usable):
        has_null = has_nulls and number % NULL_EVERY == 0 and number < len(usable) - 1
        environment = query_environment(variant)
        for is_null in (False, True) if has_null else (False,):
            session, loaded = create_sessions(
                launch(variant), wanted.cases, PROFILES["quick"], gated=True
            )
            recording = Recording(
                session.records,
                f"releases, {wanted.package} {version}",
                wanted.folder / SAMPLES_FOLDER / f"{version}{'-again' * is_null}.json",
                tuple(wanted.selectors),
                (),
                wanted.signals,
                wanted.not_available,
                environment,
            )
            earlier = None if fresh else _read_earlier(recording.path, environment, note)
            if earlier:
                session.resume(earlier)
                recording.resume(earlier)
            made.append(MeasuredRelease(session, recording, loaded, version, is_null))
    return made


def _read_earlier(path: Path, here: Environment, note: Callable[[str], None]) -> Result | None:
    """Return what an earlier run measured of a release in the same environment."""
    if not path.exists():
        return None
    try:
        earlier = results.read(path)
    except UnreadableResultError as error:
        note(f"{error}; this release is measured again")
        return None
    there = earlier.environment
    is_same = (
        there.python_build == here.python_build
        and there.cpu_model == here.cpu_model
        and there.packages == here.packages
        and earlier.reference_version == REFERENCE_VERSION
        and earlier.tool_version == __version__
    )
    if not is_same:
        note(f"{path}: measured in another environment; this release is measured again")
    return earlier if is_same else None


@dataclass(frozen=True, slots=True)
class JudgedReleases:
    """What the gate decided of releases: its criteria, a verdict each, and what their keys mean."""

    places: dict[str, changes.ReleaseCase] = field(default_factory=dict)
    criteria: tuple[Criterion, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def sort(self) -> changes.SortedDecisions:
        """Sort the verdicts by outcome."""
        if not self.places:
            alone = "one release has no neighbour to be compared with"
            return changes.SortedDecisions((), (), {}, (), alone)
        decisions = changes.sort_decisions(self.places, self.criteria, self.verdicts)
        return replace(decisions, headline=_describe_certainty(self.criteria, self.verdicts))


def judge_releases(
    timeline: Timeline, tolerances: Mapping[str, float], policy: Policy = POLICY
) -> JudgedReleases:
    """Measure the releases, and judge each against the one before."""
    if not timeline.pairs:
        timeline.draw_counts(1, ())
        if "latency" in timeline.signals:
            timeline.draw_latencies(policy.screen, ())
        if "scaling" in timeline.signals:
            timeline.draw_loads(LOADED_SCREEN, ())
        return JudgedReleases()
    places = {
        pair.key(name): changes.ReleaseCase(
            pair.head.name, pair.base.name, name, record, pair.null is not None
        )
        for pair in timeline.pairs
        for name, record in pair.head.session.records.items()
    }
    criteria = changes.make_release_criteria(places, timeline.signals, tolerances)
    return JudgedReleases(places, tuple(criteria), tuple(judge(criteria, timeline, policy)))


def _describe_certainty(criteria: Sequence[Criterion], verdicts: Sequence[Verdict]) -> str:
    signals = [
        verdict.signal
        for criterion, verdict in zip(criteria, verdicts, strict=True)
        if not criterion.is_null and verdict.outcome != "not measured"
    ]
    timed = sum(signal not in COUNT_SIGNALS for signal in signals)
    decisions = format_amount(len(signals), "decision")
    if not timed:
        return decisions
    return (
        f"{decisions}, {timed:,} of them on latency or scaling: in fewer than "
        f"{POLICY.error_rate:g} of all histories in which nothing changes, chance alone makes one "
        "of these find a slower release"
    )
