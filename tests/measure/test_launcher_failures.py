"""Workers that crash, hang or print rubbish, and how that is reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience_bench.measure.launcher import ProcessLauncher, WorkerFailedError
from resilience_bench.worker.protocol import (
    LoadMessage,
    Plan,
    SamplesMessage,
    StatusMessage,
    TallyMessage,
)
from resilience_bench.worker.verification import HINT
from tests.measure.launcher_factories import plan

LIMITS_S = (2, 8, 32, 128)


def hang(plan_with: Callable[[float], Plan], place: str) -> WorkerFailedError:
    """Run a plan that hangs, with more and more time, until it is at its place when time is up."""
    for limit_s in LIMITS_S:
        with pytest.raises(WorkerFailedError) as caught:
            ProcessLauncher().run(plan_with(limit_s), hash_seed=0)
        text = str(caught.value)
        assert text.startswith(f"hung past its time limit of {limit_s} s; ")
        if re.search(place, text):
            return caught.value
    pytest.fail(text)


def test_dishonest_and_raising_cases_are_broken_and_the_rest_goes_on(file: Path) -> None:
    """A case that does not do what it says is not timed; the reason has seen and expected."""
    messages = ProcessLauncher().run(plan(file, "lying", "raising", "good"), hash_seed=0)
    reported = {message.case: message for message in messages if isinstance(message, StatusMessage)}
    assert reported["cases.lying"].status == "broken"
    assert reported["cases.lying"].reason == f"call 1 ran the payload 0 times, expected 1; {HINT}"
    assert reported["cases.raising"].reason == "building it raised OSError: no such thing"
    operations = [
        m.name for m in messages if isinstance(m, SamplesMessage) and m.kind == "operation"
    ]
    assert operations == ["cases.good"]


def test_crash_names_the_signal_and_the_case(file: Path) -> None:
    """A worker that is killed says by what, and at which case it was."""
    with pytest.raises(WorkerFailedError, match="was ended by SIGKILL") as caught:
        ProcessLauncher().run(plan(file, "good", "crashing"), hash_seed=0)
    assert caught.value.suspect == "cases.crashing"


def test_hang_says_where_it_stood(file: Path) -> None:
    """A worker past its time limit ends itself and says in which line it was."""
    error = hang(lambda limit_s: plan(file, "hanging", time_limit_s=limit_s), "in hanging")
    assert error.suspect == "cases.hanging"


def load_plan(
    file: Path, load: str, *scenarios: str, payload: str = "noop", limit_s: float = 300.0
) -> Plan:
    """A small plan for cases of the file under a load."""
    label = load if payload == "noop" else f"{load},{payload}"
    under = tuple(
        (f"cases.{scenario}[{label}]", f"cases.{scenario}", load, payload) for scenario in scenarios
    )
    return Plan(
        "load",
        (str(file),),
        tuple(name for name, *_ in under),
        under=under,
        rounds=3,
        window_ns=5_000_000,
        case_limit_s=limit_s,
    )


@pytest.mark.parametrize(("load", "payload"), [("threads-4", "io"), ("mixed-2-2", "noop")])
def test_loading_tells_rates_and_tallies(load: str, payload: str, file: Path) -> None:
    """A worker measures the control and the cases under a load, and counts what they did."""
    a_plan = load_plan(file, load, "counting", payload=payload)
    messages = ProcessLauncher().run(a_plan, hash_seed=0)
    loaded = {
        (message.kind, message.name): message.samples
        for message in messages
        if isinstance(message, LoadMessage)
    }
    name = a_plan.cases[0]
    assert set(loaded) == {("control", f"1xreturns {load} {payload}"), ("operation", name)}
    for samples in loaded.values():
        assert len(samples.calls) == 3
        assert (samples.callers, len(samples.reads)) == ((4, 0) if payload == "io" else (2, 3))
    [reported] = [each for each in messages if isinstance(each, TallyMessage)]
    assert reported.case == name
    assert reported.tally.payload_runs == reported.tally.promised_runs == reported.tally.calls
    assert reported.tally.counted == reported.tally.promised_count


def test_a_deadlock_under_threads_says_where_every_thread_stood(file: Path) -> None:
    """The worker ends itself, names the case, and tells threads at one place together."""
    error = hang(
        lambda limit_s: load_plan(file, "threads-5", "good", "deadlocking", limit_s=limit_s),
        r"5 threads stood at cases\.py:\d+ in operation < ",
    )
    assert error.is_hung
    assert error.suspect == "cases.deadlocking[threads-5]"
    assert "1 thread stood at callers.py:" in str(error)
    assert " in run_together < " in str(error)
    assert str(file.parent) not in str(error)


def test_a_process_that_hangs_says_where_it_stood(file: Path) -> None:
    """The case's time is enough, also for what was forked off: nobody waits for the plan's.

    Several processes write where they stand, and none into what another one writes.
    """
    error = hang(
        lambda limit_s: load_plan(file, "processes-5", "hanging_in_a_process", limit_s=limit_s),
        r"5 threads stood at cases\.py:\d+ in waits_for_ever < ",
    )
    assert error.is_hung
    assert error.suspect == "cases.hanging_in_a_process[processes-5]"


def test_rubbish_is_a_failure(tmp_path: Path) -> None:
    """A program that is no worker at all is reported as such, with what it printed."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\ncat > /dev/null\necho rubbish\n")
    fake.chmod(0o755)
    with pytest.raises(WorkerFailedError, match="no message: 'rubbish'"):
        ProcessLauncher(str(fake)).run(Plan("discover", ()), hash_seed=0)


def test_worker_that_leaves_early_is_a_failure(tmp_path: Path) -> None:
    """Ending well but without the last message is not the end of a block."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\ncat > /dev/null\necho 'oh dear' >&2\nexit 7\n")
    fake.chmod(0o755)
    with pytest.raises(WorkerFailedError, match="exit code 7 before it was done; it said: oh dear"):
        ProcessLauncher(str(fake)).run(Plan("discover", ()), hash_seed=0)
