"""A pytest suite on two sides: its tests as cases, and which of them both sides have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from resilience_bench._model import CaseInfo
from resilience_bench._verdicts import Tolerance
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import NoScenariosError, VariantError, format_names
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import PROFILES, Profile
from resilience_bench.worker.protocol import (
    DeclarationMessage,
    Message,
    Plan,
    ProblemMessage,
    PytestSuite,
    ToleranceMessage,
)

COLLECTION_LIMIT_S: Final = 120.0
"""The time limit for collecting a suite."""
SUITE_PROFILE: Final[Profile] = replace(PROFILES["quick"], time_limit_s=150.0)
"""A suite's own fixtures and imports take time as well."""


class Launching(Protocol):
    """Something that has a launcher for every variant."""

    def launcher(self, variant: Variant) -> Launcher:
        """Return the launcher of a variant."""


@dataclass(frozen=True, slots=True)
class SuiteLauncher:
    """Runs every plan with the tests of a suite as its cases."""

    workers: Launcher
    suite: PytestSuite

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """See `resilience_bench.measure.launcher.Launcher.run`."""
        return self.workers.run(replace(plan, suite=self.suite), hash_seed)

    def stop(self) -> None:
        """See `resilience_bench.measure.launcher.Launcher.stop`."""
        self.workers.stop()


@dataclass(frozen=True, slots=True)
class SuiteLaunching:
    """The launchers of variants that each have their own copy of a suite, by the variant's text."""

    workers: Launching
    suites: Mapping[str, PytestSuite]

    def launcher(self, variant: Variant) -> SuiteLauncher:
        """See `Launching.launcher`."""
        return SuiteLauncher(self.workers.launcher(variant), self.suites[variant.text])


@dataclass(frozen=True, slots=True)
class CollectedSuite:
    """The benchmarks of one side, what their markers allow, and what did not import."""

    text: str
    cases: Mapping[str, CaseInfo]
    tolerances: tuple[Tolerance, ...]
    problems: tuple[str, ...]


def collect(launcher: Launcher, text: str) -> CollectedSuite:
    """List the benchmarks of one side; VariantError if its worker does not come to its end."""
    plan = Plan("discover", (), time_limit_s=COLLECTION_LIMIT_S)
    try:
        messages = launcher.run(plan, hash_seed=0)
    except WorkerFailedError as error:
        raise VariantError(
            f"{text}: collecting its tests {error}; expected what 'pytest --collect-only' does "
            "there; mend it, or name another revision"
        ) from error
    infos = [message.info for message in messages if isinstance(message, DeclarationMessage)]
    allowed = [
        Tolerance(message.case, message.shares, message.floor_ns, "its marker resilience_benchmark")
        for message in messages
        if isinstance(message, ToleranceMessage)
    ]
    problems = [message.text for message in messages if isinstance(message, ProblemMessage)]
    cases = {info.case.name: info for info in infos}
    return CollectedSuite(text, cases, tuple(allowed), tuple(problems))


def pair(base: CollectedSuite, head: CollectedSuite) -> tuple[Selection, list[str]]:
    """Return the cases that both sides have, and notes about the others.

    VariantError if a file of one side's benchmarks does not import on the other, NoScenariosError
    if there are no benchmarks, or none on both sides.
    """
    for side, other in ((head, base), (base, head)):
        _refuse_unimportable(side, other)
    if not base.cases and not head.cases:
        reasons = f"; {format_names(head.problems, '; ')}" if head.problems else ""
        raise NoScenariosError(
            "no benchmark in this suite: expected tests with the fixture 'benchmark' or "
            "'resilience_benchmark', or that marker; name other paths behind 'pytest'"
            f"{reasons}"
        )
    shared = tuple(info for name, info in head.cases.items() if name in base.cases)
    notes = [
        f"only {one.text} has {format_names(names)}: there is nothing to compare with"
        for one, other in ((head, base), (base, head))
        if (names := [name for name in one.cases if name not in other.cases])
    ]
    if not shared:
        raise NoScenariosError(
            f"no benchmark that both sides have; {'; '.join(notes)}; type an older or newer "
            "revision, or select other tests"
        )
    notes += [
        f"{side.text}: not collected: {text}" for side in (base, head) for text in side.problems
    ]
    return Selection(shared, ()), notes


def select_tolerances(suite: CollectedSuite, selection: Selection) -> list[Tolerance]:
    """Return what the markers of the selected cases allow."""
    names = {info.case.name for info in selection.cases}
    return [one for one in suite.tolerances if one.cases in names]


def _refuse_unimportable(side: CollectedSuite, other: CollectedSuite) -> None:
    """Refuse a side that cannot import a file in which the other has benchmarks."""
    files = {info.path for name, info in other.cases.items() if name not in side.cases}
    for problem in side.problems:
        path = problem.partition(": ")[0]
        has_ended = path == "pytest" or (not path and not side.cases)
        if path in files or (has_ended and other.cases):
            raise VariantError(
                f"{side.text}: {problem}; expected a suite that is collected there, as it is in "
                f"{other.text}; mend it, name another revision, or select other tests"
            )
