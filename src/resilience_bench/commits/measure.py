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
from resilience_bench.commits.estimates import Figures
from resilience_bench.measure.counting import measurable, passes_of
from resilience_bench.measure.launcher import Launcher, ProcessLauncher
from resilience_bench.measure.load_session import Effort, LoadSession
from resilience_bench.measure.session import PROFILES, Session

Tracked = Literal["latency", "instructions", "scaling"]
"""The signals that asv tracks."""
PROFILE_VARIABLE: Final = "RESILIENCE_BENCH_PROFILE"
"""How much to measure; environment variables are all that asv passes on to its processes."""
EFFORTS: Final[Mapping[str, Effort]] = {
    "quick": Effort(workers=5, rounds=16, window_ns=10_000_000, timed=0),
    "standard": Effort(workers=10, rounds=24, window_ns=10_000_000, timed=0),
    "thorough": Effort(workers=20, rounds=40, window_ns=10_000_000, timed=0),
}
"""How much is measured under load, by profile."""
COUNTED_BY: Final = 3
"""So many processes count the instructions of a case, each with a memory layout of its own."""
DIGITS: Final = 6
NOT_HERE: Final = frozenset({"not installed", "not available"})
"""What becomes of a case that this environment cannot do."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a case has no figure; ``is_skipped`` if it is not there rather than broken."""

    reason: str
    is_skipped: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one signal, and what became of the cases that have none.

    ``lacking`` says why the signal as a whole cannot be measured here; empty if it can.
    """

    figures: Figures
    missing: dict[str, Missing]
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

    def figure(self, case: str, quantity: str) -> float:
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


def measured(
    signal: Tracked, cases: Sequence[CaseInfo], launcher: Launcher | None = None
) -> Measured:
    """Measure a signal of cases.

    Args:
        signal: Which.
        cases: Those with one caller, or those under a load for ``scaling``.
        launcher: Starts the workers; by default with this interpreter.

    Raises:
        ValueError: If the environment asks for a profile that there is not.
    """
    _, lacking = measurable([signal])
    if lacking:
        return Measured({}, {}, "; ".join(lacking.values()))
    profile = os.environ.get(PROFILE_VARIABLE) or "quick"
    if profile not in EFFORTS:
        message = f"{PROFILE_VARIABLE} is {profile!r}, expected {', '.join(EFFORTS)}"
        raise ValueError(message)
    return _MEASURES[signal](launcher or ProcessLauncher(), cases, profile)


def _latency(launcher: Launcher, cases: Sequence[CaseInfo], profile: str) -> Measured:
    session = Session(launcher, cases, PROFILES[profile])
    records = [each.record for each in session.run() if isinstance(each.record, WorkerRecord)]
    return Measured(estimates.of_latency(records, _controls(session)), _missing(session))


def _instructions(launcher: Launcher, cases: Sequence[CaseInfo], profile: str) -> Measured:
    session = Session(launcher, cases, PROFILES[profile], signal="instructions")
    passes = passes_of(session)
    done = [each for index in range(COUNTED_BY) for each in passes.run(["instructions"], index)]
    records = [each.record for each in done if isinstance(each.record, InstructionRecord)]
    return Measured(estimates.of_instructions(records), _missing(session))


def _scaling(launcher: Launcher, cases: Sequence[CaseInfo], profile: str) -> Measured:
    session = LoadSession(launcher, cases, PROFILES[profile], effort=EFFORTS[profile])
    records = [each.record for each in session.run() if isinstance(each.record, LoadRecord)]
    return Measured(estimates.of_scaling(records, _controls(session)), _missing(session))


_MEASURES: Final[Mapping[Tracked, Callable[[Launcher, Sequence[CaseInfo], str], Measured]]] = {
    "latency": _latency,
    "instructions": _instructions,
    "scaling": _scaling,
}


def _controls(session: Session) -> dict[str, str]:
    return {name: record.control for name, record in session.records.items()}


def _missing(session: Session) -> dict[str, Missing]:
    found = {}
    for name, record in session.records.items():
        if record.status != "measured":
            found[name] = Missing(
                f"{record.status}: {record.reason}", is_skipped=record.status in NOT_HERE
            )
        elif session.signal in record.missing:
            found[name] = Missing(record.missing[session.signal], is_skipped=False)
    return found
