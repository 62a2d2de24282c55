"""Measures the releases of a package: prepares them, has them take turns, and asks the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from resilience_bench import __version__
from resilience_bench._model import CaseInfo, Environment, Result, Signal, Verdict
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UnreadableResultError, UserError
from resilience_bench.files import results
from resilience_bench.gate.criteria import LOADED_SCREEN, judge
from resilience_bench.gate.decide import Criterion, Policy
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import GATE_EFFORT, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import PROFILES
from resilience_bench.quantities import COUNT_SIGNALS, JUDGED
from resilience_bench.releases.changes import (
    ReleaseCase,
    SortedDecisions,
    make_release_criteria,
    sort_decisions,
)
from resilience_bench.releases.measured_release import MeasuredRelease
from resilience_bench.releases.prepare import PreparedRelease
from resilience_bench.releases.timeline import Timeline
from resilience_bench.worker.reference import REFERENCE_VERSION

POLICY: Final = Policy(screen=12, confirm=(30,), confirms_improvements=True)
"""Each worker serves two comparisons, and there are dozens of them: less to each than in one."""
TOLERANCES: Final[Mapping[str, float]] = {
    name: one.release_tolerance for name, one in JUDGED.items()
}
"""What is no step yet, as a share of the release before: wider than in a comparison of two, for
what is to be named stays in a history for years."""
NULL_EVERY: Final = 8
"""Every so many releases one is measured twice, as the null control."""
SAMPLES_FOLDER: Final = "measured"
"""The folder of the raw samples, beside the history: from these an interrupted run goes on."""

Launch = Callable[[Variant], Launcher]
"""What starts workers in a variant."""


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """What is to be measured.

    ``cases`` are those that concern the package; ``folder`` is where everything is written;
    ``tolerances`` are by quantity, see `TOLERANCES`.
    """

    package: str
    cases: Sequence[CaseInfo]
    signals: tuple[Signal, ...]
    not_available: Mapping[str, str]
    selectors: Sequence[str]
    folder: Path
    tolerances: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCES))
    policy: Policy = POLICY


def select_cases(package: str, cases: Sequence[CaseInfo]) -> list[CaseInfo]:
    """The cases whose library needs a package.

    Raises:
        UserError: If there are none; it names the packages that there are some for.
    """
    chosen = [
        info
        for info in cases
        if package in {canonicalize_name(each) for each in info.distributions}
    ]
    if not chosen:
        known = sorted({canonicalize_name(each) for info in cases for each in info.distributions})
        message = (
            f"{package}: none of the selected cases needs it; expected one of "
            f"{', '.join(known) or 'those that scenarios name'}; type 'resilience-bench list' to "
            "see every case"
        )
        raise UserError(message)
    return chosen


def make_measured_releases(  # noqa: PLR0913 - one caller, which has them all
    wanted: MeasurementRequest,
    prepared: Sequence[PreparedRelease],
    launch: Launch,
    environment_of: Callable[[Variant], Environment],
    note: Callable[[str], None],
    *,
    fresh: bool = False,
) -> list[MeasuredRelease]:
    """The releases that can be measured, with what an earlier run has measured of them.

    Args:
        wanted: What is to be measured.
        prepared: The releases; those without an environment are left out.
        launch: Starts workers.
        environment_of: Tells what a variant is.
        note: Is told what of an earlier run cannot be used.
        fresh: Whether everything is measured anew.
    """
    found_arms = []
    usable = [each for each in prepared if each.variant and each.status == "measured"]
    for number, each in enumerate(usable):
        assert each.variant is not None
        again = [True] if number % NULL_EVERY == 0 and number < len(usable) - 1 else []
        environment = environment_of(each.variant)
        for is_null in (False, *again):
            arm = _make_measured_release(
                wanted, each.release.version, launch(each.variant), environment, is_null=is_null
            )
            earlier = None if fresh else _read_earlier(arm.recording.path, environment, note)
            if earlier:
                arm.resume(earlier)
            found_arms.append(arm)
    return found_arms


def _make_measured_release(
    wanted: MeasurementRequest,
    version: str,
    launcher: Launcher,
    environment: Environment,
    *,
    is_null: bool,
) -> MeasuredRelease:
    session, loaded = create_sessions(launcher, wanted.cases, PROFILES["quick"], GATE_EFFORT)
    name = f"{version}-again.json" if is_null else f"{version}.json"
    recording = Recording(
        session.records,
        f"releases, {wanted.package} {version}",
        wanted.folder / SAMPLES_FOLDER / name,
        tuple(wanted.selectors),
        (),
        wanted.signals,
        wanted.not_available,
        environment,
    )
    return MeasuredRelease(session, recording, loaded, version, is_null)


def _read_earlier(path: Path, here: Environment, note: Callable[[str], None]) -> Result | None:
    """What an earlier run measured of a release, if it did so in the same environment."""
    if not path.exists():
        return None
    try:
        earlier = results.read(path)
    except UnreadableResultError as error:
        note(f"{error}; this release is measured again")
        return None
    told = earlier.environment
    same = (
        told.python_build == here.python_build
        and told.cpu_model == here.cpu_model
        and told.packages == here.packages
        and earlier.reference_version == REFERENCE_VERSION
        and earlier.tool_version == __version__
    )
    if not same:
        note(f"{path}: measured in another environment; this release is measured again")
    return earlier if same else None


def decide(
    timeline: Timeline, tolerances: Mapping[str, float], policy: Policy
) -> tuple[SortedDecisions, str]:
    """Measure, and decide everything.

    Returns:
        What was found, and how sure the gate is, in a line.
    """
    if not timeline.pairs:
        timeline.draw_counts(1, ())
        if "latency" in timeline.signals:
            timeline.draw_latencies(policy.screen, ())
        if "scaling" in timeline.signals:
            timeline.draw_scalings(LOADED_SCREEN, ())
        return SortedDecisions((), (), {}, ()), "one release has no neighbour to be held against"
    places = {
        pair.key(name): ReleaseCase(
            pair.head.version, pair.base.version, name, record, pair.null is not None
        )
        for pair in timeline.pairs
        for name, record in pair.head.session.records.items()
    }
    questions = make_release_criteria(places, timeline.signals, tolerances)
    verdicts = judge(questions, timeline, policy)
    decisions = sort_decisions(places, questions, verdicts)
    return decisions, _describe_certainty(questions, verdicts, policy)


def _describe_certainty(
    questions: Sequence[Criterion], verdicts: Sequence[Verdict], policy: Policy
) -> str:
    taken = [
        verdict
        for question, verdict in zip(questions, verdicts, strict=True)
        if not question.is_null and verdict.outcome != "not measured"
    ]
    timed = sum(each.signal not in COUNT_SIGNALS for each in taken)
    said = f"{len(taken):,} decisions"
    if not timed:
        return said
    return (
        f"{said}, {timed:,} of them on latency or scaling: in fewer than {policy.error_rate:g} of "
        "all histories in which nothing changes, chance alone makes one of these find a slower "
        "release"
    )
