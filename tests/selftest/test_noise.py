"""Processes that keep the cores busy."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.process import BaseProcess

import pytest

from resilience_bench.selftest import noise
from resilience_bench.selftest.noise import keep_cores_busy


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours are not waited for."""
    monkeypatch.setattr(noise.time, "sleep", lambda seconds: None)


def neighbours_of_an_error(running: set[BaseProcess]) -> None:
    """Fail among neighbours, and tell which ones there were."""
    before = set(multiprocessing.active_children())
    with keep_cores_busy(2):
        running |= set(multiprocessing.active_children()) - before
        assert all(each.is_alive() for each in running)
        raise RuntimeError("stop")


@pytest.mark.usefixtures("_no_pause")
def test_neighbours_run_as_long_as_the_context() -> None:
    """As many processes as were asked for, and none after it, also if it ended with an error."""
    before = set(multiprocessing.active_children())
    running: set[BaseProcess] = set()
    with pytest.raises(RuntimeError, match="stop"):
        neighbours_of_an_error(running)
    assert len(running) == 2
    assert not any(each.is_alive() for each in running)
    assert set(multiprocessing.active_children()) == before


@pytest.mark.usefixtures("_no_pause")
def test_no_neighbours_start_nothing() -> None:
    """The usual proof burns no core."""
    before = set(multiprocessing.active_children())
    with keep_cores_busy(0):
        assert set(multiprocessing.active_children()) == before


def test_a_neighbour_ends_with_its_parent() -> None:
    """One whose parent is another process, because its own was killed, burns no more."""
    noise._keep_core_busy(os.getppid() + 1)
