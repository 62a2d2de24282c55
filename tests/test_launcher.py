"""Real workers that crash, hang, print rubbish, or go on as they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience_bench.launcher import ProcessLauncher, WorkerFailedError
from resilience_bench.worker.protocol import Done, Plan, Sampled, Status

FILE = """
import os, signal, sys, time
from resilience_bench import RESULT, scenario

@scenario
def good(payload):
    return payload

@scenario
def chatty(payload):
    print("to standard output")
    os.write(1, b"to the file descriptor")
    return payload

@scenario
def crashing(payload):
    os.kill(os.getpid(), signal.SIGKILL)

@scenario
def hanging(payload):
    while True:
        time.sleep(0.01)

@scenario
def lying(payload):
    return lambda: RESULT

@scenario
def raising(payload):
    raise OSError("no such thing")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario file with good and bad cases."""
    path = tmp_path / "cases.py"
    path.write_text(FILE)
    return path


def plan(file: Path, *scenarios: str, time_limit_s: float = 30.0) -> Plan:
    """A small plan for cases of the file."""
    names = tuple(f"cases.{name}" for name in scenarios)
    return Plan("measure", (str(file),), names, samples=3, time_limit_s=time_limit_s)


def test_worker_measures_reference_control_and_operation(file: Path) -> None:
    """Each is sampled as often as the plan says, or a multiple of it for the reference."""
    messages = ProcessLauncher().run(plan(file, "good"), hash_seed=0)
    sampled = {(each.kind, each.name): each for each in messages if isinstance(each, Sampled)}
    assert set(sampled) == {
        ("reference", "reference"),
        ("control", "1xreturns"),
        ("operation", "cases.good"),
    }
    assert {len(each.samples.elapsed_ns) for each in sampled.values()} == {3}
    assert isinstance(messages[-1], Done)


def test_what_the_measured_code_prints_does_not_matter(file: Path) -> None:
    """Standard output belongs to the protocol alone; prints go elsewhere."""
    messages = ProcessLauncher().run(plan(file, "chatty"), hash_seed=0)
    assert Status("cases.chatty", "ready", "", "1xreturns") in messages


def test_dishonest_and_raising_cases_are_broken_and_the_rest_goes_on(file: Path) -> None:
    """A case that does not do what it says is not timed; the reason has seen and expected."""
    messages = ProcessLauncher().run(plan(file, "lying", "raising", "good"), hash_seed=0)
    told = {each.case: each for each in messages if isinstance(each, Status)}
    assert told["cases.lying"].status == "broken"
    assert told["cases.lying"].reason == "call 1 ran the payload 0 times, expected 1"
    assert told["cases.raising"].reason == "building it raised OSError: no such thing"
    operations = [m.name for m in messages if isinstance(m, Sampled) and m.kind == "operation"]
    assert operations == ["cases.good"]


def test_crash_names_the_signal_and_the_case(file: Path) -> None:
    """A worker that is killed says by what, and at which case it was."""
    with pytest.raises(WorkerFailedError, match="was ended by SIGKILL") as caught:
        ProcessLauncher().run(plan(file, "good", "crashing"), hash_seed=0)
    assert caught.value.suspect == "cases.crashing"


def test_hang_says_where_it_stood(file: Path) -> None:
    """A worker past its time limit ends itself and says in which line it was."""
    with pytest.raises(WorkerFailedError, match=r"hung past its time limit of 2 s.*hanging") as e:
        ProcessLauncher().run(plan(file, "hanging", time_limit_s=2), hash_seed=0)
    assert e.value.suspect == "cases.hanging"


def test_rubbish_is_a_failure(tmp_path: Path) -> None:
    """A program that is no worker at all is told as such, with what it said."""
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


def test_worker_gets_its_hash_seed(tmp_path: Path) -> None:
    """Worker i runs with hash seed i."""
    path = tmp_path / "seeded.py"
    path.write_text(
        "import os\nfrom resilience_bench import scenario\n"
        "@scenario(returns=os.environ['PYTHONHASHSEED'])\n"
        "def seed(payload):\n    def read():\n        payload()\n"
        "        return '5'\n    return read\n"
    )
    [told] = [
        each
        for each in ProcessLauncher().run(
            Plan("measure", (str(path),), ("seeded.seed",), samples=2), hash_seed=5
        )
        if isinstance(each, Status)
    ]
    assert told.status == "ready"


def test_worker_ends_when_its_parent_is_killed(file: Path) -> None:
    """After kill -9 of the parent no worker is left behind."""
    long_plan = Plan("measure", (str(file),), ("cases.good",), samples=10**7, time_limit_s=60)
    code = (
        "import sys\nfrom resilience_bench.launcher import ProcessLauncher\n"
        "from resilience_bench.worker.protocol import Plan\n"
        f"ProcessLauncher().run(Plan.from_json({long_plan.to_json()!r}), 0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    worker = _wait_for_child(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert _is_gone(worker)


def _wait_for_child(pid: int) -> int:
    for _ in range(200):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            time.sleep(1)
            return int(children[0])
        time.sleep(0.05)
    pytest.fail("the worker did not start")


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
