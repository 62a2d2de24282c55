"""Fixtures of the tests of the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from resilience_bench._model import Signal
from resilience_bench.gate.live import LiveSource
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.launcher import ScriptedLauncher
from resilience_bench.measure.recording import Recording
from resilience_bench.measure.session import (
    FinishedBlock,
    Profile,
    Session,
)
from resilience_bench.worker.protocol import (
    Message,
    Plan,
)
from tests.gate.comparison_factories import ARMS, CASES, Log, Made
from tests.scripted import Script, suite


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a comparison of three scripted arms, and the log that they share."""

    def making(
        signals: tuple[Signal, ...] = SIGNALS,
        deadline: float = float("inf"),
        show: Callable[[FinishedBlock], object] = lambda done: None,
        **scripts: Script,
    ) -> tuple[LiveSource, Log]:
        log: Log = []

        def arm(name: str) -> MeasuredVariant:
            answer = scripts.get(name, suite(CASES))

            def script(plan: Plan, seed: int) -> Iterable[Message]:
                log.append((name, plan.action, seed, plan.cases))
                return answer(plan, seed)

            session = Session(ScriptedLauncher(script), CASES, Profile("tiny", 3, 4))
            path = tmp_path / f"{name}.json"
            return MeasuredVariant(
                session, Recording(session.records, "compare", path, signals=signals)
            )

        base, head, null = map(arm, ARMS)
        return LiveSource(head, show, signals, {}, base, null, deadline), log

    return making
