"""One plan under several interpreters: who has its turn when, and what cannot be measured where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience_bench._model import CaseInfo, Signal
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.environments.variants import Variant
from resilience_bench.measure.interleave import (
    MeasuredVariant,
    create_interpreter_sessions,
    measure_interleaved,
)
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.load_session import Effort
from resilience_bench.measure.selection import Selection
from resilience_bench.measure.session import Profile
from tests.factories import make_environment
from tests.scripted import info, suite

PROFILE = Profile("quick", workers=3, samples=4)
PLAIN = info("closed", "a")
LOADED = CaseInfo(PLAIN.case.with_load("threads-4", "io"), PLAIN.path, PLAIN.description)
REAL = CaseInfo(PLAIN.case.with_load("single", "sqlite"), PLAIN.path, PLAIN.description)


def interpreter(name: str, lacking: dict[str, str] | None = None) -> Interpreter:
    """An interpreter that nobody starts."""
    variant = Variant(name, Path(name), Path(name) / "bin" / "python", made=False, packages={})
    return Interpreter(variant, make_environment(python=name), lacking or {})


def arm(name: str, *cases: CaseInfo) -> MeasuredVariant:
    """An arm with scripted workers and no file."""
    launcher = ScriptedLauncher(suite([PLAIN]))
    listing = Selection((PLAIN,), ())
    alone, loaded = create_interpreter_sessions(
        interpreter(name), launcher, cases, PROFILE, listing
    )
    for session in loaded:
        session.effort = Effort(workers=2, rounds=1, window_ns=1, timed=0)
    unused: Any = None
    return MeasuredVariant(alone, unused, loaded, name)


def test_workers_take_turns_in_both_directions() -> None:
    """A B, B A, A B: whatever the machine does meanwhile hits both alike."""
    arms = [arm("A", PLAIN, LOADED), arm("B", PLAIN, LOADED)]
    signals: list[Signal] = ["latency", "allocations", "scaling"]
    order = [
        (each.name, done.signal, done.index) for each, done in measure_interleaved(arms, signals)
    ]
    assert order == [
        *[("A", "latency", 0), ("B", "latency", 0), ("B", "latency", 1), ("A", "latency", 1)],
        *[("A", "latency", 2), ("B", "latency", 2)],
        *[("A", "allocations", 0), ("B", "allocations", 0)],
        *[("A", "scaling", 0), ("B", "scaling", 0), ("B", "scaling", 1), ("A", "scaling", 1)],
    ]
    assert [each.count_visits(signals) for each in arms] == [6, 6]


@pytest.mark.parametrize(
    ("signal", "case", "workers"),
    [("latency", PLAIN, 3), ("scaling", LOADED, 2), ("share", REAL, 2)],
)
def test_only_what_is_asked_for_is_measured(signal: Signal, case: CaseInfo, workers: int) -> None:
    """Arms without cases of a signal are left alone."""
    arms = [arm("A", case)]
    assert {done.signal for _, done in measure_interleaved(arms, [signal])} == {signal}
    assert arms[0].count_visits([signal]) == workers


def test_what_an_interpreter_cannot_do_is_reported() -> None:
    """A library that does not install, and a file that it cannot import."""
    missing = info("other", "b", path="/scenarios/other.py")
    wanting = CaseInfo(info("wanting", "c").case, PLAIN.path, "", distributions=("Some_Lib",))
    listing = Selection((PLAIN, wanting), ("/scenarios/other.py:1: SyntaxError: nonsense",))
    launcher = ScriptedLauncher(suite([PLAIN]))
    alone, _ = create_interpreter_sessions(
        interpreter("A", {"some-lib": "no wheel"}),
        launcher,
        [PLAIN, missing, wanting],
        PROFILE,
        listing,
    )
    reported = {name: (each.status, each.reason) for name, each in alone.records.items()}
    assert reported[PLAIN.case.name][0] == "interrupted"
    assert reported[missing.case.name] == ("not available", listing.problems[0])
    status, reason = reported[wanting.case.name]
    assert status == "not installed"
    assert "Some_Lib does not install under A" in reason
    assert "no wheel" in reason
