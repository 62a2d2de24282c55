"""A worker ends what an earlier worker of its host has left behind, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

from resilience_bench.fleet import desk
from resilience_bench.fleet.worker import end_leftovers

MEASURING = "import sys; print(flush=True); sys.stdin.read()"


def start_leftover(folder: str) -> subprocess.Popen[bytes]:
    """Start a process that looks like a measuring one of the host with this folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURING, "resilience_bench.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, desk.HOST_VARIABLE: "one", desk.FOLDER_VARIABLE: folder},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    return process


def test_another_fleet_with_a_host_of_the_same_name_is_left_alone() -> None:
    """Only processes of the host's own folder are ended."""
    own, other = start_leftover("/fleet/own/one"), start_leftover("/fleet/other/one")
    try:
        end_leftovers("/fleet/own/one")
        assert own.wait() < 0
        assert other.communicate()[0] == b""
        assert other.returncode == 0
    finally:
        for process in (own, other):
            process.kill()
            process.communicate()
