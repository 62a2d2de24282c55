"""Measures the cases of one signal in asv's environment, all of them at once.

asv starts a process for each combination of parameters. They would spend most of their time on
starting workers, so asv has everything measured in one go and hands the figures on.
Runs inside asv's environments, so: standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from resilience_bench._model import CaseInfo, InstructionRecord, LoadRecord, WorkerRecord
from resilience_bench.commits import estimates
from resilience_bench.commits.estimates import CaseEstimates
from resilience_bench.measure.counting import find_measurable_signals, prepare_counting_session
from resilience_bench.measure.launcher import Launcher, ProcessLauncher
from resilience_bench.measure.load_session import Effort, LoadSession
from resilience_bench.measure.session import PROFILES, Session

TrackedSignal = Literal["latency", "instructions", "scaling"]
"""The signals that asv tracks."""
PROFILE_VARIABLE: Final = "RESILIENCE_BENCH_PROFILE"
"""How much to measure; environment variables are all that asv passes on to its processes."""
EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=0),
    "standard": Effort(workers=10, rounds=24, window_ns=10_000_000, timed=0),
    "thorough": Effort(workers=20, rounds=40, window_ns=10_000_000, timed=0),
}
"""How much is measured under load, by profile."""
COUNTING_PROCESSES: Final = 3
"""So many processes count the instructions of a case, each with a memory layout of its own."""
DIGITS: Final = 6
SKIPPED_STATUSES: Final = frozenset({"not installed", "not available"})
"""What becomes of a case that this environment cannot do."""


@dataclass(frozen=True, slots=True)
class MissingEstimate:
    """Why a case has no figure; ``is_skipped`` if it is not there rather than broken."""

    reason: str
    is_skipped: bool


@dataclass(frozen=True, slots=True)
class SignalEstimates:
    """The figures of one signal, and what became of the cases that have none.

    ``lacking`` says why the signal as a whole cannot be measured here; empty if it can.
    """

    figures: CaseEstimates
    missing: dict[str, MissingEstimate]
    lacking: str = ""

    def skip_if_absent(self, case: str) -> None:
        """Have asv skip a case that there is no figure of to be had here.

        Raises:
            NotImplementedError: As asv wants it.
        """
        if self.lacking:
            raise NotImplementedError(self.lacking)
        if (why := self.missing.get(case)) and why.is_skipped:
            raise NotImplementedError(why.reason)

    def get_estimate(self, case: str, quantity: str) -> float:
        """The figure of a case, to so many digits as anybody reads.

        Raises:
            RuntimeError: If there is none; asv takes it for a failure, and shows the reason.
        """
        if why := self.missing.get(case):
            raise RuntimeError(why.reason)
        found = self.figures.get(case, {}).get(quantity)
        if found is None:
            message = f"no worker told its {quantity}"
            raise RuntimeError(message)
        return float(f"{found:.{DIGITS}g}")


def measure_signal(
    signal: TrackedSignal, cases: Sequence[CaseInfo], launcher: Launcher | None = None
) -> SignalEstimates:
    """Measure a signal of cases.

    Args:
        signal: Which.
        cases: Those with one caller, or those under a load for ``scaling``.
        launcher: Starts the workers; by default with this interpreter.

    Raises:
        ValueError: If the environment asks for a profile that there is not.
    """
    _, lacking = find_measurable_signals([signal])
    if lacking:
        return SignalEstimates({}, {}, "; ".join(lacking.values()))
    profile = os.environ.get(PROFILE_VARIABLE) or "quick"
    if profile not in EFFORTS:
        message = f"{PROFILE_VARIABLE} is {profile!r}, expected {', '.join(EFFORTS)}"
        raise ValueError(message)
    return _MEASURES[signal](launcher or ProcessLauncher(), cases, profile)


def _measure_latency(
    launcher: Launcher, cases: Sequence[CaseInfo], profile: str
) -> SignalEstimates:
    session = Session(launcher, cases, PROFILES[profile])
    records = [each.record for each in session.run() if isinstance(each.record, WorkerRecord)]
    return SignalEstimates(
        estimates.estimate_latency(records, _map_controls(session)), _find_missing(session)
    )


def _measure_instructions(
    launcher: Launcher, cases: Sequence[CaseInfo], profile: str
) -> SignalEstimates:
    session = Session(launcher, cases, PROFILES[profile], signal="instructions")
    passes = prepare_counting_session(session)
    done = [
        each for index in range(COUNTING_PROCESSES) for each in passes.run(["instructions"], index)
    ]
    records = [each.record for each in done if isinstance(each.record, InstructionRecord)]
    return SignalEstimates(estimates.estimate_instructions(records), _find_missing(session))


def _measure_scaling(
    launcher: Launcher, cases: Sequence[CaseInfo], profile: str
) -> SignalEstimates:
    session = LoadSession(launcher, cases, PROFILES[profile], effort=EFFORTS[profile])
    records = [each.record for each in session.run() if isinstance(each.record, LoadRecord)]
    return SignalEstimates(
        estimates.estimate_scaling(records, _map_controls(session)), _find_missing(session)
    )


_MEASURES: Final[
    Mapping[TrackedSignal, Callable[[Launcher, Sequence[CaseInfo], str], SignalEstimates]]
] = {
    "latency": _measure_latency,
    "instructions": _measure_instructions,
    "scaling": _measure_scaling,
}


def _map_controls(session: Session) -> dict[str, str]:
    return {name: record.control for name, record in session.records.items()}


def _find_missing(session: Session) -> dict[str, MissingEstimate]:
    found = {}
    for name, record in session.records.items():
        if record.status != "measured":
            found[name] = MissingEstimate(
                f"{record.status}: {record.reason}", is_skipped=record.status in SKIPPED_STATUSES
            )
        elif session.signal in record.missing:
            found[name] = MissingEstimate(record.missing[session.signal], is_skipped=False)
    return found
