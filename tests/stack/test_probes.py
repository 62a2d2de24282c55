"""Probes whose checks hang, are cancelled, or make a coroutine that nobody awaits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from resilience_stack import Probe, ProbeSettings, remaining_s
from tests.stack.bench import PATIENCE_S, Bench, Flaky

OFTEN = ProbeSettings(interval_s=0.001, trips_after=1, limit_s=0.01)


async def run_until_open(bench: Bench, probe: Probe) -> None:
    """Run a probe in a task until it has opened the breaker."""
    task = asyncio.ensure_future(probe.run())
    async with asyncio.timeout(PATIENCE_S):
        while bench.guard().state != "open":
            assert not task.done(), "the probe has ended"
            await asyncio.sleep(0.001)
    probe.stop()
    await asyncio.wait_for(task, PATIENCE_S)


def test_a_check_that_hangs_has_failed_at_its_limit(bench: Bench) -> None:
    """So a frozen dependency opens the breaker before requests find out."""
    bench.guard()

    async def check() -> None:
        await asyncio.Event().wait()

    asyncio.run(run_until_open(bench, bench.manager.probe("database", check, OFTEN)))
    assert bench.manager.guard("database").status().last_error == "probe: TimeoutError"


def test_a_check_whose_own_task_is_cancelled_has_failed(bench: Bench) -> None:
    """Something that it waits for was cancelled, not the probe: that goes on."""
    bench.guard()

    async def check() -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    asyncio.run(run_until_open(bench, bench.manager.probe("database", check, OFTEN)))
    assert bench.manager.guard("database").status().last_error == "probe: CancelledError"


def test_a_plain_check_knows_how_long_it_may_take(bench: Bench) -> None:
    """It asks as a guarded function does; afterwards there is no limit any more."""
    bench.guard()
    limits: list[float | None] = []
    probe = bench.manager.probe("database", lambda: limits.append(remaining_s()))
    assert probe.check_once()
    [limit_s] = limits
    assert limit_s is not None
    assert 0 < limit_s <= ProbeSettings().limit_s
    assert remaining_s() is None


def test_a_check_that_returns_a_coroutine_says_nothing(bench: Bench) -> None:
    """Nobody would await it: it is refused, and the breaker stays as it is."""
    guard = bench.guard()
    guard.trip("shown in a test")
    probe = bench.manager.probe("database", lambda: Flaky(0).awaited())
    with pytest.raises(TypeError, match=r"type 'await probe\.run"):
        probe.check_once()
    assert guard.state == "open"


def test_a_stopped_probe_can_be_started_again(bench: Bench) -> None:
    """It checks again; a second start of one that runs makes no second thread."""
    bench.guard()
    checked = threading.Event()
    probe = bench.manager.probe("database", checked.set, OFTEN)
    for _ in range(2):
        checked.clear()
        probe.start()
        thread = probe._thread
        probe.start()
        assert probe._thread is thread
        assert checked.wait(PATIENCE_S)
        probe.stop(PATIENCE_S)


@pytest.mark.parametrize("limit_s", [0, -1, float("nan"), float("inf"), 1e7, True, "1"])
def test_a_limit_that_makes_no_sense_is_refused(limit_s: object) -> None:
    """When the settings are made, with field and value."""
    with pytest.raises((TypeError, ValueError), match=r"ProbeSettings\.limit_s is .*expected"):
        ProbeSettings(limit_s=limit_s)  # type: ignore[arg-type]
