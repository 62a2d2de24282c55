"""Measures the cases of one signal in asv's environment, all of them at once.

asv starts a process for each combination of parameters. They would spend most of their time on
starting workers, so asv has everything measured at once, and then reads the estimates.
Runs inside asv's environments, so: standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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
"""Names the profile; environment variables are all that asv passes on to its processes."""
EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=0),
    "standard": Effort(workers=10, rounds=24, window_ns=10_000_000, timed=0),
    "thorough": Effort(workers=20, rounds=40, window_ns=10_000_000, timed=0),
}
"""How much is measured under load, by profile."""
COUNTING_PROCESSES: Final = 3
"""How many processes count the instructions of a case, each with its own memory layout."""
DIGITS: Final = 6
SKIPPED_STATUSES: Final = frozenset({"not installed", "not available"})
"""The statuses of a case that this environment cannot run."""


@dataclass(frozen=True, slots=True)
class MissingEstimate:
    """The reason why a case has no figure; ``is_skipped`` if it is absent rather than broken."""

    reason: str
    is_skipped: bool


@dataclass(frozen=True, slots=True)
class SignalEstimates:
    """The figures of one signal, and the reasons of the cases that have none.

    ``lacking`` says why the signal as a whole cannot be measured here; empty if it can.
    """

    figures: CaseEstimates
    missing: dict[str, MissingEstimate]
    lacking: str = ""

    def skip_if_absent(self, case: str) -> None:
        """Have asv skip a case that cannot be measured here, by NotImplementedError."""
        if self.lacking:
            raise NotImplementedError(self.lacking)
        if (missing := self.missing.get(case)) and missing.is_skipped:
            raise NotImplementedError(missing.reason)

    def get_estimate(self, case: str, quantity: str) -> float:
        """Return the figure of a case, rounded to `DIGITS` significant digits.

        RuntimeError if there is none; asv takes it for a failure, and shows the reason.
        """
        if missing := self.missing.get(case):
            raise RuntimeError(missing.reason)
        found = self.figures.get(case, {}).get(quantity)
        if found is None:
            raise RuntimeError(f"no worker reported its {quantity}")
        return float(f"{found:.{DIGITS}g}")


def measure_signal(
    signal: TrackedSignal, cases: Sequence[CaseInfo], launcher: Launcher | None = None
) -> SignalEstimates:
    """Measure a signal of cases: those with one caller, or those under a load for ``scaling``.

    The workers run this interpreter by default. ValueError if the environment names an unknown
    profile.
    """
    _, lacking = find_measurable_signals([signal])
    if lacking:
        return SignalEstimates({}, {}, "; ".join(lacking.values()))
    profile = os.environ.get(PROFILE_VARIABLE) or "quick"
    if profile not in EFFORTS:
        raise ValueError(f"{PROFILE_VARIABLE} is {profile!r}, expected {', '.join(EFFORTS)}")
    arguments = (launcher or ProcessLauncher(), cases, PROFILES[profile])
    if signal == "scaling":
        session: Session = LoadSession(*arguments, effort=EFFORTS[profile])
    else:
        session = Session(*arguments, signal=signal)
    return SignalEstimates(_estimate(session), _find_missing(session))


def _estimate(session: Session) -> CaseEstimates:
    """Measure, and return the figures."""
    if session.signal == "instructions":
        counting = prepare_counting_session(session)
        passes = counting.run(["instructions"], range(COUNTING_PROCESSES))
        counted = [block.record for block in passes]
        return estimates.estimate_instructions(
            record for record in counted if isinstance(record, InstructionRecord)
        )
    records = [block.record for block in session.run()]
    controls = {name: record.control for name, record in session.records.items()}
    if isinstance(session, LoadSession):
        under_load = [record for record in records if isinstance(record, LoadRecord)]
        return estimates.estimate_scaling(under_load, controls)
    alone = [record for record in records if isinstance(record, WorkerRecord)]
    return estimates.estimate_latency(alone, controls)


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
