"""One plan under several interpreters, which take turns worker by worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from resilience_bench._model import CaseInfo, CaseRecord, Signal
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.measure.counting import measure_signals
from resilience_bench.measure.discovery import Listing
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.load_session import LoadSession, create_sessions
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import FinishedBlock, Profile, Session
from resilience_bench.scenarios.loads import NOOP, SINGLE


@dataclass(slots=True)
class MeasuredInterpreter:
    """One interpreter, the sessions under it, and the file that keeps what they measure."""

    interpreter: Interpreter
    alone: Session
    loaded: LoadSession
    recording: Recording

    def count_visits(self, signals: Sequence[Signal]) -> int:
        """How many cases are visited in all, each as often as it is."""
        passes = {"latency": self.alone.profile.workers, "scaling": 0}
        alone = sum(len(self.alone.cases) * passes.get(each, 1) for each in signals)
        workers = self.loaded.effort.workers if "scaling" in signals else 0
        return alone + len(self.loaded.cases) * workers


def create_interpreter_sessions(
    interpreter: Interpreter,
    launcher: Launcher,
    cases: Sequence[CaseInfo],
    profile: Profile,
    listing: Listing,
) -> tuple[Session, LoadSession]:
    """The sessions of a selection under one interpreter; what cannot be measured there is told.

    Args:
        interpreter: Knows what could not be installed for it.
        launcher: Starts its workers.
        cases: The selected cases, as our own interpreter lists them.
        profile: How much is measured.
        listing: What the interpreter itself makes of their files.
    """
    alone, loaded = create_sessions(launcher, cases, profile)
    there = {info.case.name for info in listing.cases}
    for info in cases:
        reason = interpreter.explain_unavailability(info)
        status: CaseRecord = alone.records[info.case.name]
        if info.case.with_load(SINGLE, NOOP).name not in there:
            why = "; ".join(each for each in listing.problems if each.startswith(info.path))
            reason = why or f"its file does not define it under {interpreter.name}"
            alone.records[info.case.name] = replace(status, status="not available", reason=reason)
        elif reason:
            alone.records[info.case.name] = replace(status, status="not installed", reason=reason)
    return alone, loaded


def measure_interleaved(
    arms: Sequence[MeasuredInterpreter], signals: Sequence[Signal]
) -> Iterator[tuple[MeasuredInterpreter, FinishedBlock]]:
    """Measure; yields whenever a block is done, with whose it is.

    Worker by worker, and in the other direction every other time: so whatever the machine does in
    the meantime hits all interpreters alike. Instructions and allocations do not depend on the
    hour, and are measured one interpreter after the other.

    Raises:
        ValgrindFailedError: If valgrind does not work.
    """
    if "latency" in signals:
        for arm, index in _interleave_workers(arms, arms[0].alone.profile.workers):
            for done in arm.alone.visit(index):
                yield arm, done
    for arm in arms:
        counted = [each for each in signals if each not in {"latency", "scaling"}]
        for done in measure_signals(arm.alone, counted) if arm.alone.cases else ():
            yield arm, done
    if "scaling" in signals:
        for arm, index in _interleave_workers(arms, arms[0].loaded.effort.workers):
            for done in arm.loaded.visit(index):
                yield arm, done


def _interleave_workers(
    arms: Sequence[MeasuredInterpreter], workers: int
) -> Iterator[tuple[MeasuredInterpreter, int]]:
    for index in range(workers):
        for arm in arms if index % 2 == 0 else arms[::-1]:
            yield arm, index
