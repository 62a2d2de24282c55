"""The gate on real workers: what is planted is found, and a slower operation fails a check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("resilience-bench"))
SUMMING = """
import os
from resilience_bench import scenario

@scenario
def summing(payload):
    "A few microseconds of work in pure Python."
    count = int(os.environ["COUNT"])
    def operation():
        sum(range(count))
        return payload()
    return operation
"""
COUNT = 400


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


@pytest.mark.minutes
def test_a_planted_slowdown_is_found_and_a_healthy_build_passes(tmp_path: Path) -> None:
    """A quarter more is far outside what is tolerated, and nothing more is found in nothing."""
    selectors = ["control.call", "breaker.closed_success[p*"]
    builds = ["--gate", "compare", "--builds", "1", "--planted-builds", "1", "--drawn", "20"]
    plants = ["--plant", "25", "--planted-cases", "2", "--signals", "latency"]
    done = run(tmp_path, "prove", *selectors, *builds, *plants, "-o", "proof.json")
    assert done.returncode == 0, done.stdout + done.stderr
    held = json.loads((tmp_path / "proof.json").read_text())
    healthy, planted = sorted(held["builds"], key=lambda each: each["planted_percent"])
    assert (healthy["planted_percent"], healthy["red"]) == (0.0, {"latency": []})
    assert planted["planted_percent"] == 25.0
    assert len(planted["planted"]) == 2
    assert planted["red"] == {"latency": sorted(planted["planted"])}
    drawn = [each for each in held["rates"] if each["builds"] == "drawn"]
    assert {each["planted_percent"]: each["trials"] for each in drawn} == {0.0: 100, 25.0: 20}


@pytest.mark.minutes
@pytest.mark.needs("valgrind")
def test_a_check_fails_for_more_instructions_and_for_nothing_else(tmp_path: Path) -> None:
    """The same code passes against what was learned of it; a quarter more work does not."""
    (tmp_path / "baselines").mkdir()  # not the checkout's, whose budgets are of other cases
    (tmp_path / "mine.py").write_text(SUMMING)
    options = ["--signals", "instructions"]
    learning = ["baseline", "learn", "mine.py", "--runs", "2", *options, "-o", "learned.json"]
    checking = ["check", "mine.py", "--baseline", "learned.json", *options, "--strict"]
    learned = run(tmp_path, *learning, COUNT=str(COUNT))
    assert learned.returncode == 0, learned.stderr
    same = run(tmp_path, *checking, "-o", "same.json", COUNT=str(COUNT))
    assert same.returncode == 0, same.stdout + same.stderr
    costlier = run(tmp_path, *checking, "-o", "costlier.json", COUNT=str(COUNT * 5 // 4))
    assert costlier.returncode == 1, costlier.stdout + costlier.stderr
    assert "REGRESSED  mine.summing" in costlier.stdout
