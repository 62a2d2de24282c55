"""Real workers: what they measure, and how they live and end."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience_bench.measure.launcher import ProcessLauncher, WorkerFailedError
from resilience_bench.worker.protocol import (
    EndMessage,
    Plan,
    SamplesMessage,
    StatusMessage,
)
from tests.measure.launcher_factories import plan


def test_worker_measures_reference_control_and_operation(file: Path) -> None:
    """Each is sampled as often as the plan says, or a multiple of it for the reference."""
    messages = ProcessLauncher().run(plan(file, "good"), hash_seed=0)
    sampled = {
        (message.kind, message.name): message
        for message in messages
        if isinstance(message, SamplesMessage)
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
        waiting = pool.submit(launcher.run, plan(file, "hanging"), 0)
        while not launcher._running and not waiting.done():
            time.sleep(0.01)
        launcher.stop()
        with pytest.raises(WorkerFailedError, match="was ended by SIGKILL"):
            waiting.result()
    assert not launcher._running
    launcher.stop()


def test_worker_gets_its_hash_seed(tmp_path: Path) -> None:
    """Worker i runs with hash seed i."""
    path = tmp_path / "seeded.py"
    path.write_text(
        "import os\nfrom resilience_bench import scenario\n"
        "@scenario(returns=os.environ['PYTHONHASHSEED'])\n"
        "def seed(payload):\n    def read():\n        payload()\n"
        "        return '5'\n    return read\n"
    )
    [reported] = [
        each
        for each in ProcessLauncher().run(
            Plan("measure", (str(path),), ("seeded.seed",), samples=2), hash_seed=5
        )
        if isinstance(each, StatusMessage)
    ]
    assert reported.status == "ready"


def test_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """After kill -9 of the parent no worker is left behind."""
    file, started = tmp_path / "endless.py", tmp_path / "started-"
    file.write_text(
        "import os\nfrom resilience_bench import scenario\n"
        "@scenario\n"
        "def endless(payload):\n"
        f"    open({str(started)!r} + str(os.getpid()), 'w').close()\n"
        "    return payload\n"
    )
    plan = Plan("measure", (str(file),), ("endless.endless",), samples=10**9, time_limit_s=3600)
    code = (
        "import sys\nfrom resilience_bench.measure.launcher import ProcessLauncher\n"
        "from resilience_bench.worker.protocol import Plan\n"
        f"ProcessLauncher().run(Plan.from_json({plan.to_json()!r}), 0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    while not (written := list(tmp_path.glob("started-*"))):
        assert parent.poll() is None
        time.sleep(0.01)
    worker = int(written[0].name.removeprefix("started-"))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert _is_gone(worker)


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
