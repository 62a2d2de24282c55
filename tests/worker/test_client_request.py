"""Requests to valgrind: harmless without it, and left alone where they cannot be made."""

from __future__ import annotations

import mmap
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from resilience_bench.measure import callgrind
from resilience_bench.worker import client_request
from resilience_bench.worker.client_request import is_possible, make_starter, make_zeroer

COUNTED = """import os
from resilience_bench.worker.client_request import make_starter, make_zeroer
start, zero = make_starter(), make_zeroer()
start()
sum(range(20_000))
"""


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Each test makes its own request."""
    client_request._make_request.cache_clear()


def test_a_request_does_nothing_without_valgrind() -> None:
    """It is a few instructions that leave everything as it was."""
    assert is_possible() is (platform.machine() == "x86_64")
    for _ in range(3):
        make_starter()()
        make_zeroer()()


def test_another_processor_counts_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instructions of a request are those of one kind of processor."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not is_possible()
    make_starter()()
    make_zeroer()()


def test_a_system_that_forbids_it_counts_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems let no program write instructions for itself."""

    def refused(*_args: object, **_kwargs: object) -> None:
        raise PermissionError

    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(mmap, "mmap", refused)
    assert not is_possible()
    make_starter()()
    make_zeroer()()


@pytest.mark.needs("valgrind")
def test_the_counters_are_zero_after_a_request(tmp_path: Path) -> None:
    """What came before is in no dump: no more than a hundredth of it is left."""

    def count(name: str, request: str) -> int:
        folder = tmp_path / name
        folder.mkdir()
        command = [*callgrind.build_command(folder), sys.executable, "-c"]
        subprocess.run([*command, f"{COUNTED}{request}os.getppid()"], check=True)
        (dump,) = folder.glob("*.1")
        return callgrind._read_total(dump)

    assert 0 < count("zeroed", "zero(); ") < count("plain", "") / 100
