"""Scripted workers that count, and the records that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from resilience_bench._model import (
    CaseInfo,
    CaseRecord,
    CaseStatus,
)
from resilience_bench.measure.counting import (
    CountingSession,
)
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.session import FinishedBlock, Profile, Session
from tests.scripted import (
    CONTROL,
    info,
)

CASES = [info("a", "x"), info("b", "x"), info("c", "x")]

A, B, C = (each.case.name for each in CASES)


@dataclass(slots=True)
class Launcher(ScriptedLauncher):
    """A scripted launcher that counts how often it was asked to stop."""

    stops: int = 0

    def stop(self) -> None:
        """Note it."""
        self.stops += 1


def records(cases: Iterable[CaseInfo], status: CaseStatus = "measured") -> dict[str, CaseRecord]:
    """What is known of cases before they are counted."""
    return {case.case.name: CaseRecord(case.case, status, "", CONTROL) for case in cases}


def made(
    launcher: Launcher,
    status: CaseStatus = "measured",
    cases: Sequence[CaseInfo] = CASES,
    **more: Any,
) -> CountingSession:
    """Passes over the three cases, or others."""
    session = Session(launcher, cases, Profile("tiny", workers=2, samples=4), **more)
    session.records = records(cases, status)
    return CountingSession(session)


def names(done: FinishedBlock) -> list[str]:
    """The names of the cases of a block."""
    return [case.case.name for case in done.cases]
