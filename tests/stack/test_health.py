"""Health and recovery: ready or not, and a breaker that closes before a request has to try."""

from __future__ import annotations

import asyncio
import threading

import pytest

from resilience_stack import Fallback, ProbeSettings
from resilience_stack.core import breaker
from tests.stack.bench import PATIENCE_S, Bench, Flaky, exhaust


def open_guard(bench: Bench, **settings: object) -> None:
    """Make a guard whose breaker is open."""
    guard = bench.guard(fail_max=1, retries=(), **settings)
    guard.force("open") if settings.get("fallback") else exhaust(lambda: guard.call(Flaky(9)))


def test_all_is_well_without_a_guard(bench: Bench) -> None:
    """A service without dependencies is ready."""
    health = bench.manager.health()
    assert (health.status, health.http_status, health.to_json()) == (
        "pass",
        200,
        {"status": "pass", "checks": {}},
    )


@pytest.mark.parametrize(
    ("settings", "status", "http_status"),
    [
        ({}, "fail", 503),
        ({"critical": False}, "warn", 200),
        ({"fallback": Fallback(default=lambda: "default")}, "warn", 200),
    ],
)
def test_an_open_breaker(
    bench: Bench, settings: dict[str, object], status: str, http_status: int
) -> None:
    """Only a critical dependency without a fallback takes the service out of the balancer."""
    open_guard(bench, **settings)
    health = bench.manager.health()
    assert (health.status, health.http_status) == (status, http_status)
    [check] = health.to_json()["checks"]["database:breaker"]
    assert (check["status"], check["observedValue"]) == (status, "open")


def test_a_due_probe_lets_requests_come_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the next call is let through the service warns: else nobody would ever try again."""
    monkeypatch.setattr(breaker, "monotonic", lambda: bench.now_s)
    open_guard(bench, reset_timeout_s=60)
    assert bench.manager.health().status == "fail"
    bench.now_s += 60
    assert bench.manager.health().status == "warn"


def test_the_report_has_what_an_operator_asks_for(bench: Bench) -> None:
    """State, since when, last error, failure share and what the guard is like."""
    open_guard(bench)
    [check] = bench.manager.health().to_json()["checks"]["database:breaker"]
    assert check["lastError"] == "ConnectionError"
    assert check["failureShare"] == 1.0
    assert check["since"].endswith("+00:00")
    assert (check["critical"], check["fallback"]) == (True, False)


def test_a_probe_closes_the_breaker(bench: Bench) -> None:
    """As soon as the dependency answers, and not before; no request has to find out."""
    guard = bench.guard(fail_max=1, retries=())
    exhaust(lambda: guard.call(Flaky(9)))
    works = [False]

    def check() -> None:
        if not works[0]:
            raise ConnectionError

    probe = bench.manager.probe("database", check)
    assert not probe.check_once()
    assert guard.state == "open"
    works[0] = True
    assert probe.check_once()
    assert guard.state == "closed"
    assert bench.calls() == (0, 1, 0)


def test_a_probe_opens_the_breaker_after_failures_in_a_row(bench: Bench) -> None:
    """If it may: so that requests do not pay for finding out."""
    guard = bench.guard()
    probe = bench.manager.probe("database", Flaky(9), ProbeSettings(trips_after=2))
    probe.check_once()
    assert guard.state == "closed"
    probe.check_once()
    assert guard.state == "open"
    assert guard.status().last_error == "probe: ConnectionError"


def test_a_probe_leaves_a_forced_guard_alone(bench: Bench) -> None:
    """What was forced by hand stays so."""
    guard = bench.guard()
    guard.force("open")
    bench.manager.probe("database", Flaky(0)).check_once()
    assert guard.state == "open"


def test_probes_run_in_a_thread_until_they_are_stopped(bench: Bench) -> None:
    """The thread checks again and again, and ends with the probe."""
    bench.guard()
    checked = threading.Event()
    probe = bench.manager.probe("database", checked.set, ProbeSettings(interval_s=0.001))
    probe.start()
    assert checked.wait(PATIENCE_S)
    probe.stop(PATIENCE_S)
    assert probe._thread is not None
    assert not probe._thread.is_alive()


def test_probes_run_in_a_task_until_it_is_cancelled(bench: Bench) -> None:
    """A check may be a coroutine function; a failing one does not end the task."""
    bench.guard()

    async def scenario() -> int:
        function, done = Flaky(1), asyncio.Event()

        async def check() -> None:
            await asyncio.sleep(0)
            function()
            done.set()

        task = asyncio.ensure_future(
            bench.manager.probe("database", check, ProbeSettings(interval_s=0.001)).run()
        )
        await asyncio.wait_for(done.wait(), PATIENCE_S)
        task.cancel()
        return function.calls

    assert asyncio.run(scenario()) >= 2


@pytest.mark.parametrize("settings", [{"interval_s": 0}, {"jitter": 1}, {"trips_after": 0}])
def test_a_probe_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    """When its settings are made."""
    with pytest.raises(ValueError, match="expected"):
        ProbeSettings(**settings)  # type: ignore[arg-type]


def test_a_coroutine_function_is_no_check_of_a_thread(bench: Bench) -> None:
    """Nobody would await it: that it was made is no sign that the dependency answers."""
    guard = bench.guard()
    guard.trip("shown in a test")
    probe = bench.manager.probe("database", Flaky(0).awaited)
    for check in (probe.check_once, probe.start):
        with pytest.raises(TypeError, match=r"type 'await probe\.run"):
            check()
    assert guard.state == "open"
