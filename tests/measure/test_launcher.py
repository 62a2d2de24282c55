"""Real workers that crash, hang, print rubbish, or go on as they should."""

from __future__ import annotations

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience_bench.measure.callgrind import ValgrindFailedError
from resilience_bench.measure.launcher import ProcessLauncher, WorkerFailedError
from resilience_bench.worker.protocol import (
    CountsMessage,
    EndMessage,
    LoadMessage,
    Plan,
    SamplesMessage,
    StatusMessage,
    TallyMessage,
    WeightMessage,
)

HANG_LIMIT_S = 8
"""Long enough for a worker to reach the place where it hangs, on a busy machine as well."""
FILE = """
import os, signal, sys, threading, time
from resilience_bench import RESULT, Counted, scenario

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
def good_again(payload):
    return payload

@scenario
def exiting(payload):
    os._exit(7)

@scenario
def raising(payload):
    raise OSError("no such thing")

def waits_for_ever(lock):
    lock.acquire()

@scenario
def deadlocking(payload):
    lock = threading.Lock()
    def operation():
        if threading.current_thread() is not threading.main_thread():
            lock.acquire()  # and never lets go
        return payload()
    return operation

@scenario(across_processes=True)
def hanging_in_a_process(payload):
    here, lock = os.getpid(), threading.Lock()
    lock.acquire()
    def operation():
        if os.getpid() != here:
            waits_for_ever(lock)
        return payload()
    return operation

@scenario
def counting(payload):
    lock, calls = threading.Lock(), [0]
    def operation():
        with lock:
            calls[0] += 1
        return payload()
    return Counted(operation, lambda: calls[0])
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
    sampled = {
        (each.kind, each.name): each for each in messages if isinstance(each, SamplesMessage)
    }
    assert set(sampled) == {
        ("reference", "reference"),
        ("control", "1xreturns"),
        ("operation", "cases.good"),
    }
    assert {len(each.samples.elapsed_ns) for each in sampled.values()} == {3}
    assert isinstance(messages[-1], EndMessage)


def test_what_the_measured_code_prints_does_not_matter(file: Path) -> None:
    """Standard output belongs to the protocol alone; prints go elsewhere."""
    messages = ProcessLauncher().run(plan(file, "chatty"), hash_seed=0)
    assert StatusMessage("cases.chatty", "ready", "", "1xreturns") in messages


def test_dishonest_and_raising_cases_are_broken_and_the_rest_goes_on(file: Path) -> None:
    """A case that does not do what it says is not timed; the reason has seen and expected."""
    messages = ProcessLauncher().run(plan(file, "lying", "raising", "good"), hash_seed=0)
    told = {each.case: each for each in messages if isinstance(each, StatusMessage)}
    assert told["cases.lying"].status == "broken"
    assert told["cases.lying"].reason == "call 1 ran the payload 0 times, expected 1"
    assert told["cases.raising"].reason == "building it raised OSError: no such thing"
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
    with pytest.raises(WorkerFailedError, match=r"hung past its time limit of 8 s.*hanging") as e:
        ProcessLauncher().run(plan(file, "hanging", time_limit_s=HANG_LIMIT_S), hash_seed=0)
    assert e.value.suspect == "cases.hanging"


def load_plan(
    file: Path, load: str, *scenarios: str, payload: str = "noop", limit_s: float = 30.0
) -> Plan:
    """A small plan for cases of the file under a load."""
    label = load if payload == "noop" else f"{load},{payload}"
    under = tuple((f"cases.{each}[{label}]", f"cases.{each}", load, payload) for each in scenarios)
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
        (each.kind, each.name): each.samples for each in messages if isinstance(each, LoadMessage)
    }
    name = a_plan.cases[0]
    assert set(loaded) == {("control", f"1xreturns {load} {payload}"), ("operation", name)}
    for samples in loaded.values():
        assert len(samples.calls) == 3
        assert (samples.callers, len(samples.reads)) == ((4, 0) if payload == "io" else (2, 3))
    [told] = [each for each in messages if isinstance(each, TallyMessage)]
    assert told.case == name
    assert told.tally.payload_runs == told.tally.promised_runs == told.tally.calls
    assert told.tally.counted == told.tally.promised_count


def test_a_deadlock_under_threads_says_where_every_thread_stood(file: Path) -> None:
    """The worker ends itself, names the case, and tells threads at one place together."""
    with pytest.raises(WorkerFailedError) as caught:
        ProcessLauncher().run(
            load_plan(file, "threads-5", "good", "deadlocking", limit_s=HANG_LIMIT_S), hash_seed=0
        )
    assert caught.value.is_hung
    assert caught.value.suspect == "cases.deadlocking[threads-5]"
    told = str(caught.value)
    assert told.startswith("hung past its time limit of 8 s; ")
    assert re.search(r"\d threads stood at cases\.py:\d+ in operation < ", told)
    assert "1 thread stood at callers.py:" in told
    assert " in run_together < " in told
    assert str(file.parent) not in told


def test_a_process_that_hangs_says_where_it_stood(file: Path) -> None:
    """The case's time is enough, also for what was forked off: nobody waits for the plan's."""
    with pytest.raises(WorkerFailedError) as caught:
        ProcessLauncher().run(
            load_plan(file, "processes-2", "hanging_in_a_process", limit_s=HANG_LIMIT_S),
            hash_seed=0,
        )
    assert caught.value.is_hung
    assert caught.value.suspect == "cases.hanging_in_a_process[processes-2]"
    told = str(caught.value)
    assert told.startswith("hung past its time limit of 8 s; ")
    assert re.search(r"2 threads stood at cases\.py:\d+ in waits_for_ever < ", told)


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


def printing(folder: Path, *names: str) -> ProcessLauncher:
    """A launcher whose Python only says on its error output what these variables are."""
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\ncat > /dev/null\nenv | grep -E '{'|'.join(names)}' >&2\nexit 3\n")
    fake.chmod(0o755)
    return ProcessLauncher(str(fake), folder / "source")


def test_worker_imports_this_package_from_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that the launcher is given comes first on the path, then what was there."""
    monkeypatch.setenv("PYTHONPATH", "/inherited")
    with pytest.raises(WorkerFailedError, match=f"PYTHONPATH={tmp_path}/source:/inherited"):
        printing(tmp_path, "PYTHONPATH").run(Plan("discover", ()), hash_seed=0)


def test_every_seed_has_another_memory_layout(tmp_path: Path) -> None:
    """The environment is longer from seed to seed, which moves the stack."""
    said = []
    for seed in range(3):
        with pytest.raises(WorkerFailedError) as caught:
            printing(tmp_path, "LAYOUT").run(Plan("discover", ()), hash_seed=seed)
        said.append(str(caught.value).count("x"))
    assert said[0] < said[1] < said[2]


def test_a_stopped_launcher_ends_the_workers_that_others_wait_for(file: Path) -> None:
    """The thread that waits for a worker learns that it was killed."""
    launcher = ProcessLauncher()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(launcher.run, plan(file, "hanging", time_limit_s=60), 0)
        while not launcher._running and not waiting.done():
            time.sleep(0.01)
        launcher.stop()
        with pytest.raises(WorkerFailedError, match="was ended by SIGKILL"):
            waiting.result()
    assert not launcher._running
    launcher.stop()


def test_counting_without_dumps_is_valgrinds_failure(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valgrind that only runs the program is told, and not taken for a case's failure."""
    fake = tmp_path / "valgrind"
    fake.write_text('#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    counting = Plan("count", (str(file),), ("cases.good",))
    with pytest.raises(ValgrindFailedError, match="valgrind wrote no counters"):
        ProcessLauncher().run(counting, hash_seed=0)


def test_weighing_tells_a_weight_for_each_case(file: Path) -> None:
    """A worker weighs what can be built, says what is wrong with the rest, and times nothing."""
    weighing = Plan("weigh", (str(file),), ("cases.good", "cases.raising"))
    messages = ProcessLauncher().run(weighing, hash_seed=0)
    [weighed] = [each for each in messages if isinstance(each, WeightMessage)]
    assert (weighed.case, weighed.weight.kept_blocks) == ("cases.good", 0.0)
    told = {each.case: each.status for each in messages if isinstance(each, StatusMessage)}
    assert told == {"cases.good": "ready", "cases.raising": "broken"}
    assert not any(isinstance(each, SamplesMessage) for each in messages)


@pytest.mark.needs("valgrind")
def test_counting_tells_counts_for_controls_and_cases(file: Path) -> None:
    """A case that crashes, or cannot be built, costs only itself; every count is positive."""
    names = tuple(f"cases.{name}" for name in ("good", "raising", "exiting", "good_again"))
    messages = ProcessLauncher().run(Plan("count", (str(file),), names), hash_seed=0)
    counted = {(each.kind, each.name): each for each in messages if isinstance(each, CountsMessage)}
    assert set(counted) == {
        ("control", "1xreturns"),
        ("operation", "cases.good"),
        ("operation", "cases.good_again"),
    }
    assert all(each.counts.per_call > 0 for each in counted.values())
    told = {each.case: each for each in messages if isinstance(each, StatusMessage)}
    assert told["cases.raising"].status == "broken"
    assert told["cases.exiting"].reason == "its process under valgrind ended with exit code 7"


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
        if isinstance(each, StatusMessage)
    ]
    assert told.status == "ready"


def test_worker_ends_when_its_parent_is_killed(file: Path) -> None:
    """After kill -9 of the parent no worker is left behind."""
    long_plan = Plan("measure", (str(file),), ("cases.good",), samples=10**7, time_limit_s=60)
    code = (
        "import sys\nfrom resilience_bench.measure.launcher import ProcessLauncher\n"
        "from resilience_bench.worker.protocol import Plan\n"
        f"ProcessLauncher().run(Plan.from_json({long_plan.to_json()!r}), 0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    worker = _wait_for_child(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert _is_gone(worker)


def _wait_for_child(pid: int) -> int:
    for _ in range(2400):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            time.sleep(1)
            return int(children[0])
        time.sleep(0.05)
    pytest.fail("the worker did not start")


def _is_gone(pid: int) -> bool:
    for _ in range(2400):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
