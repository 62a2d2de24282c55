"""A host measures a block once, keeps its result, and stops when nobody waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.fleet import desk

KEY = "0123456789abcdef"
PLACE = (__name__, "start_a_process")


@pytest.fixture(autouse=True)
def _host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an empty folder, and its lock."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(desk.HOST_VARIABLE, "one")
    desk.get_host_folder("one").mkdir(parents=True)


def start_a_process(content: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement: a process that writes down its ID and ends, or is ended."""
    code = f"import os, time; print(os.getpid(), flush=True); time.sleep({content['seconds']})"
    with Path(content["file"]).open("a", encoding="ascii") as file:
        done = subprocess.run([sys.executable, "-c", code], stdout=file, check=False)
    return {"value": {"code": done.returncode}}


def test_a_block_is_measured_once(tmp_path: Path) -> None:
    """Asked again, a host answers what it has kept."""
    content = {"seconds": 0, "file": str(tmp_path / "pids")}
    first = desk.measure_block(KEY, PLACE, content)
    assert first["value"] == {"code": 0}
    again = desk.measure_block(KEY, PLACE, content)
    assert (again["value"], again["seconds"]) == (first["value"], first["seconds"])
    assert len((tmp_path / "pids").read_text().split()) == 1
    assert desk.list_held() == [KEY]


def test_a_stopped_block_ends_and_is_not_kept(tmp_path: Path) -> None:
    """What it has started is ended, its result is none, and it can be measured anew."""
    path = tmp_path / "pids"
    replies: list[dict[str, Any]] = []

    def measure() -> None:
        replies.append(desk.measure_block(KEY, PLACE, {"seconds": 3600, "file": str(path)}))

    thread = threading.Thread(target=measure)
    thread.start()
    while not path.exists() or not path.read_text().endswith("\n"):
        time.sleep(0.01)
    desk.stop_block("another key")
    assert desk.list_held() == [KEY]
    desk.stop_block(KEY)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)
    assert (replies[0]["value"], replies[0]["failure"]) == (None, "it was stopped")
    assert desk.list_held() == []
    again = desk.measure_block(KEY, PLACE, {"seconds": 0, "file": str(path)})
    assert again["value"] == {"code": 0}
