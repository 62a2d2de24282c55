"""Results, baselines and scripted workers for the commands that judge."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from resilience_bench._model import Case, Result, Samples
from resilience_bench._verdicts import Baseline
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.gate import baseline, learning
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.stats.latency import estimate
from resilience_bench.worker.protocol import (
    Message,
    Plan,
    SamplesMessage,
    StatusMessage,
)
from tests.factories import (
    make_allocations,
    make_case,
    make_instructions,
    make_weight,
    measured_result,
)
from tests.scripted import Script, info, suite

CASES = [info("closed", "pybreaker"), info("closed", "purgatory"), info("first", family="retry")]

PYBREAKER, PURGATORY, RETRY = (each.case.name for each in CASES)

ONE, TWO = make_case("one"), make_case("two")

Run = Callable[..., tuple[int, str, str]]


def noisy(times: Mapping[str, float] | None = None, wrong: Iterable[Message] = ()) -> Script:
    """A worker of a machine that is not always as fast: 1 us a case, or so many times that.

    What is wrong takes the place of whatever it would have said of these cases.
    """
    factors = times or {}
    statuses = {each.case: each for each in wrong if isinstance(each, StatusMessage)}

    def reported(message: Message, seed: int) -> Message:
        if isinstance(message, SamplesMessage) and message.kind == "operation":
            call_ns = 1000 * factors.get(message.name, 1.0) * (1 + seed % 7 / 500)
            return replace(message, samples=Samples(100, (round(100 * call_ns),) * 4))
        return message

    def script(plan: Plan, seed: int) -> list[Message]:
        if plan.action == "discover":
            return list(suite(CASES)(plan, seed))
        fine = replace(plan, cases=tuple(name for name in plan.cases if name not in statuses))
        said = [reported(message, seed) for message in suite(CASES)(fine, seed)]
        return [*said, *(each for name, each in statuses.items() if name in plan.cases)]

    return script


def assert_refused(reported: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, nothing on the output, and one line without a traceback that says these."""
    code, out, err = reported
    assert (code, out) == (2, "")
    [line] = [each for each in err.splitlines() if each.startswith("resilience-bench")]
    assert "Traceback" not in err
    for part in parts:
        assert part in line


def made(factors: Mapping[Case, float] | None = None, **more: Any) -> Result:
    """A result of two cases with all signals, as fast as ever or so many times slower."""
    slower = factors or {}
    times = {ONE: 1000.0 * slower.get(ONE, 1.0), TWO: 2000.0 * slower.get(TWO, 1.0)}
    result = measured_result(times, workers=14, spread=0.005)
    counts = {case: round(10 * each) for case, each in times.items()}
    parts: dict[str, Any] = {
        "signals": SIGNALS,
        "instructions": (make_instructions(counts),),
        "allocations": (make_allocations(dict.fromkeys(times, make_weight())),),
    }
    return replace(result, **{**parts, **more})


def learned(*runs: Result) -> Baseline:
    """What is learned of runs, or of three healthy ones."""
    return learning.learn([(run, estimate(run)) for run in runs or [made()] * 3], "first")


Files = Callable[..., tuple[str, ...]]


def budget(tmp_path: Path, text: str) -> Path:
    """A file of budgets with one table."""
    path = tmp_path / "baselines" / "budgets.toml"
    path.write_text(f'[[budget]]\ncases = "breaker.*"\nreason = "fast enough"\n{text}\n')
    return path


def acceptable(tmp_path: Path) -> Path:
    """Where the baseline of this machine is."""
    return tmp_path / "baselines" / f"{baseline.make_environment_name(detect_environment())}.json"


def killing(action: str, seed: int) -> Script:
    """Workers of a command that somebody ends in the middle."""

    def script(plan: Plan, now: int) -> Iterable[Message]:
        if (plan.action, now) == (action, seed):
            os.kill(os.getpid(), signal.SIGTERM)
            wait_for_the_interrupt()
        return noisy()(plan, now)

    return script


def wait_for_the_interrupt() -> None:
    """In a thread: wait until the main thread has been interrupted, and shuts its threads down."""
    main = threading.main_thread().ident
    if main is None or main == threading.get_ident():
        return
    ends_s = time.monotonic() + 60
    while time.monotonic() < ends_s:
        frame, names = sys._current_frames().get(main), set()
        while frame:
            names.add(frame.f_code.co_name)
            frame = frame.f_back
        if "shutdown" in names:
            return
        time.sleep(0.002)


Compare = Callable[..., tuple[int, str, str]]
