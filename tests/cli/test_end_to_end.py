"""The installed command on real workers: a user's own file, Ctrl-C, and kill -9 in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.files import results
from resilience_bench.measure.session import PROFILES

COMMAND = str(Path(sys.executable).with_name("resilience-bench"))
FILE = """
import os, signal
from resilience_bench import FAILS, PayloadError, Unsupported, scenario

@scenario
def bare(payload):
    "Nothing around the call."
    return payload

@scenario
def framed(payload):
    def operation():
        return payload()
    return operation

@scenario(outcomes=(FAILS,), raises=PayloadError)
def failing(payload):
    return payload

@scenario
async def awaited(payload):
    return payload

@scenario
def impossible(payload):
    raise Unsupported("there is no such thing")

@scenario
def deadly(payload):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside the project with a scenario file."""
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path


def start(folder: Path, *arguments: str, path: str = "") -> subprocess.Popen[str]:
    """Start the command in a folder, with a PATH of its own if there is one."""
    return subprocess.Popen(
        [COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def shown(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The cases of a results file, as the JSON of show has them."""
    process = start(folder, "show", name, "--format", "json")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return {entry["case"]: entry for entry in json.loads(out)["cases"]}


def measured_by(path: Path, name: str) -> int:
    """How many workers' samples of a case a results file holds."""
    return sum(name in worker["operations"] for worker in json.loads(path.read_text())["workers"])


def wait_for_a_worker(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a running command has written the samples of its first worker."""
    for _ in range(6000):
        # The file is replaced as a whole, so it is never half there.
        if path.exists() and json.loads(path.read_text())["workers"]:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail(f"{path} was not written")


def test_a_users_file_is_measured_with_what_becomes_of_every_case(folder: Path) -> None:
    """A file outside the project is measured; a case that kills its worker costs only itself."""
    process = start(folder, "run", "mine.py", "-o", "out.json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "mine.bare" in out
    cases = shown(folder, "out.json")
    statuses = {name.partition(".")[2]: entry["status"] for name, entry in cases.items()}
    assert statuses == {
        "bare": "measured",
        "framed": "measured",
        "failing": "measured",
        "awaited": "measured",
        "impossible": "not available",
        "deadly": "failed",
    }
    assert "SIGKILL" in cases["mine.deadly"]["reason"]
    assert cases["mine.framed"]["overhead_ns"]["value"] > 0
    assert cases["mine.framed"]["latency_ns"]["value"] > cases["mine.bare"]["latency_ns"]["value"]
    assert measured_by(folder / "out.json", "mine.bare") == PROFILES["quick"].workers


def test_ctrl_c_stops_at_once_and_keeps_what_was_measured(folder: Path) -> None:
    """After an interrupt the file has the finished workers, and the command says where it is."""
    process = start(folder, "run", "mine.py", "--profile", "thorough", "-o", "out.json")
    wait_for_a_worker(folder / "out.json", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "interrupted; what was measured is in out.json" in err
    assert "Traceback" not in err
    stored = json.loads((folder / "out.json").read_text())
    assert not stored["complete"]
    assert 1 <= len(stored["workers"]) < 100


def test_kill_9_of_the_parent_leaves_a_whole_file_and_no_worker(folder: Path) -> None:
    """Whoever kills the command finds the finished workers in the file, and nothing running."""
    process = start(folder, "run", "mine.py", "--profile", "thorough", "-o", "out.json")
    wait_for_a_worker(folder / "out.json", process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.communicate()
    assert shown(folder, "out.json")["mine.bare"]["status"] == "measured"
    for child in children:
        for _ in range(6000):
            if not Path(f"/proc/{child}").exists():
                break
            time.sleep(0.05)
        else:
            pytest.fail("a worker was left behind")
    # It may have been writing.
    assert {path.name for path in folder.glob(".*.tmp")} <= {f".{process.pid}.tmp"}


def test_kill_9_of_a_worker_costs_a_retry(folder: Path) -> None:
    """A worker that is killed once is started again, and nothing is missing in the end."""
    names = ("mine.bare", "mine.framed")
    process = start(folder, "run", "mine.py", *names, "--signals", "latency", "-o", "out.json")
    wait_for_a_worker(folder / "out.json", process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(6000):
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            if process.poll() is None and (running := children.read_text().split()):
                os.kill(int(running[0]), signal.SIGKILL)
                break
        time.sleep(0.01)
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert measured_by(folder / "out.json", "mine.framed") == PROFILES["quick"].workers


def test_reading_only_the_head_of_the_output_is_no_error(folder: Path) -> None:
    """``resilience-bench list | head -1`` ends quietly."""
    script = f"{COMMAND} list mine.py | head -1"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == "mine.bare\n"
    assert done.stderr == ""


LOOPS = """
import itertools, os, signal
from resilience_bench import scenario

def looping(turns, payload):
    def operation():
        for _ in itertools.repeat(None, turns):
            pass
        return payload()
    return operation

@scenario
def once(payload):
    return looping(500, payload)

@scenario
def twice(payload):
    return looping(1000, payload)

@scenario
async def awaited(payload):
    return payload

@scenario
def deadly(payload):
    counts = "vgpreload" in os.environ.get("LD_PRELOAD", "")  # only valgrind sets it
    left = iter(range(29))
    def operation():
        if counts and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGSEGV)
        return payload()
    return operation
"""


def per_call(path: Path) -> dict[str, float]:
    """Instructions a call, by scenario, of the one process that a results file holds."""
    [counting] = results.read(path).instructions
    return {
        name.removeprefix("loops."): counts.per_call for name, counts in counting.operations.items()
    }


@pytest.mark.needs("valgrind")
def test_instructions_repeat_and_grow_with_the_work(tmp_path: Path) -> None:
    """Two runs count the same; twice the loop is about twice; a crash costs its case only."""
    (tmp_path / "loops.py").write_text(LOOPS)
    for name in ("one.json", "two.json"):
        process = start(tmp_path, "run", "loops.py", "--signals", "instructions", "-o", name)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    one, two = per_call(tmp_path / "one.json"), per_call(tmp_path / "two.json")
    assert set(one) == set(two) == {"once", "twice", "awaited"}
    for name in ("once", "twice"):
        assert two[name] == pytest.approx(one[name], rel=0.005)
    assert one["twice"] / one["once"] == pytest.approx(2, rel=0.1)
    assert one["awaited"] > 0
    records = {case.case.scenario: case for case in results.read(tmp_path / "one.json").cases}
    assert "SIGSEGV" in records["deadly"].missing["instructions"]
    assert not records["once"].missing


@pytest.mark.needs("valgrind")
def test_ctrl_c_while_counting_leaves_no_valgrind_behind(tmp_path: Path) -> None:
    """The command ends with its usual exit code, and takes valgrind and its children with it."""
    (tmp_path / "loops.py").write_text(LOOPS)
    process = start(tmp_path, "run", "loops.py", "--signals", "instructions", "-o", "out.json")
    valgrind = wait_for_valgrind(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not Path(f"/proc/{valgrind}").exists()


def wait_for_valgrind(process: subprocess.Popen[str]) -> int:
    """Wait until a running command has started valgrind; returns its process."""
    for _ in range(6000):
        # A process is a child of the thread that started it.
        for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread, or the child, has just ended
                for child in children.read_text().split():
                    if b"--tool=callgrind" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("valgrind was not started")


def test_without_valgrind_the_rest_is_measured_and_the_table_says_so(folder: Path) -> None:
    """A machine without valgrind is no failure; what to install is said."""
    (folder / "empty").mkdir()
    process = start(folder, "run", "mine.py", "mine.bare", "-o", "out.json", path=f"{folder}/empty")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "valgrind is not installed; type: apt-get install valgrind" in " ".join(
        (out + err).split()
    )
    stored = results.read(folder / "out.json")
    assert stored.complete
    assert (len(stored.instructions), len(stored.allocations)) == (0, 1)


def test_with_a_broken_valgrind_the_latency_is_kept(folder: Path) -> None:
    """The last line names what valgrind said; what was timed before is in the file."""
    fake = folder / "bin" / "valgrind"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'valgrind: no such tool' >&2\nexit 1\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    process = start(folder, "run", "mine.py", "mine.bare", "-o", "out.json", path=path)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 2, err
    assert out == ""
    assert "Traceback" not in err
    [complaint] = [line for line in err.splitlines() if line.startswith("resilience-bench: ")]
    assert complaint.startswith("resilience-bench: valgrind failed: valgrind: no such tool; ")
    assert err.endswith(f"{complaint}\n")
    assert measured_by(folder / "out.json", "mine.bare") == PROFILES["quick"].workers
