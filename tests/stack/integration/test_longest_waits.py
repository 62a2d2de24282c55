"""How long a crowd waits while its database is silent, by a clock that skips the waits."""

from __future__ import annotations

import statistics
import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from resilience_bench.servers.proxy import Proxy
from resilience_stack import ResilienceManager, find_failure
from resilience_stack.integrations.sqlalchemy import Database, policy
from tests.stack.bench import Bench, in_threads
from tests.stack.integration.postgresql_server import PostgresqlServer
from tests.stack.integration.processes import wait_until
from tests.stack.integration.skipped_time import ThreadClock

DEADLINE_S, ATTEMPT_S, TOLERANCE_S = 0.73, 0.31, 0.05
"""Limits that are no multiples of the intervals at which a driver looks at its clock."""
THREADS = 64
ASK = text("SELECT 42")
Server = tuple[str, Proxy]


@pytest.fixture(params=[(5, 1), (10_000, 0)], ids=["opens", "stays closed"])
def limits(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Failures that open the breaker, and how often it opens: if never, all use up their time."""
    made: tuple[int, int] = request.param
    return made


@pytest.fixture
def server(postgresql: PostgresqlServer, postgresql_proxy: Proxy) -> Server:
    """The URL of the server, and the proxy before it."""
    return postgresql.url(postgresql_proxy.port), postgresql_proxy


def make_guard(bench: Bench, fail_max: int, **sleeps: Any) -> Any:
    """Make a guard that tries again until the deadline."""
    bench.registry = CollectorRegistry()
    bench.manager = ResilienceManager(bench.registry, **sleeps)
    limits = {"deadline_s": DEADLINE_S, "attempt_s": ATTEMPT_S}
    waits = {"wait_initial_s": 0.01, "wait_max_s": 0.01, "jitter_s": 0.0}
    return bench.manager.guard("database", policy(attempts=9, fail_max=fail_max, **limits, **waits))


def check_waits(bench: Bench, ended: list[Any], opened: int) -> None:
    """Assert that all have failed, and of a hundred 99 within the limit; the breaker's changes."""
    failures = [find_failure(error) for error in ended]
    waits_s = [failure.elapsed_s for failure in failures if failure is not None]
    assert len(waits_s) == len(ended)
    longest_s = statistics.quantiles(waits_s, n=100, method="inclusive")[98]
    assert longest_s <= DEADLINE_S + TOLERANCE_S
    if not opened:
        assert min(waits_s) > 2 * ATTEMPT_S
    _, failed, rejected = bench.calls()
    assert (failed or 0) + (rejected or 0) == len(ended)
    assert bench.transitions() == {"open": opened, "half-open": 0, "closed": 0}


def test_threads_wait_no_longer_than_their_deadline(
    bench: Bench, server: Server, limits: tuple[int, int]
) -> None:
    """The driver gives up in time, in a statement and in connecting, however often it is tried."""
    url, proxy = server
    clock = ThreadClock(threading.Barrier(THREADS))
    guard = make_guard(bench, limits[0], sleep=clock.sleep)
    pool = {"pool_size": THREADS, "max_overflow": 0}
    database = Database(guard, url, **pool)
    with database.engine.connect() as one, database.engine.connect() as other:
        assert [one.scalar(ASK), other.scalar(ASK)] == [42, 42]
    proxy.freeze()

    def run() -> object:
        try:
            return database.run(lambda session: session.scalar(ASK))
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            return error

    with clock.installed():
        ended = in_threads(*[run] * THREADS)
    database.close()
    check_waits(bench, ended, limits[1])
    wait_until(lambda: proxy.connections >= THREADS, "not every thread has asked the server")
