"""A database that is killed, frozen, cut off, slow or full: exact counts, and no way back to it."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import SQLAlchemyError

from resilience_bench.servers.proxy import Proxy
from resilience_stack import Bulkhead, CircuitBreakerError, Fallback, find_failure
from tests.stack.bench import Bench
from tests.stack.integration.databases import MakeClient
from tests.stack.integration.postgresql_server import PostgresqlServer
from tests.stack.integration.processes import PATIENCE_S, wait_until

ASK = "SELECT 42"
BACKEND = "SELECT pg_backend_pid()"
FAILURES = (SQLAlchemyError, TimeoutError)
"""Lost connections and full pools are SQLAlchemy's errors, the limits of coroutines are not."""


def test_a_server_that_is_killed_and_started_again(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """Attempts fail until the breaker opens, calls are rejected, and one probe closes it."""
    client = make_client(bench, postgresql.url(), fail_max=5, reset_timeout_s=60)
    assert client.run(ASK) == 42
    postgresql.kill()
    for attempts in (3, 2):  # the breaker opens at the fifth failure: no third attempt
        with pytest.raises(FAILURES) as caught:
            client.run(ASK)
        failure = find_failure(caught.value)
        assert failure is not None
        assert (failure.category, failure.attempt) == ("connection", attempts)
    with pytest.raises(CircuitBreakerError):
        client.run(ASK)
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 2, 1), 3)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}

    postgresql.start()
    bench.now_s += 61
    assert [client.run(ASK), client.run(ASK)] == [42, 42]
    assert client.attempts == 3 + 5
    assert (bench.calls(), bench.sample("retries_total")) == ((3, 2, 1), 3)
    assert bench.transitions() == {"open": 1, "half-open": 1, "closed": 1}


def test_a_server_that_was_restarted_meanwhile(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """Nobody hears of it: the dead connections of the pool are replaced, at most by a retry."""
    client = make_client(bench, postgresql.url(), fail_max=2)
    before = client.run(BACKEND)
    postgresql.kill()
    postgresql.start()
    assert client.run(BACKEND) != before
    assert bench.calls() == (2, 0, 0)
    assert (bench.sample("retries_total") or 0) <= 1
    assert bench.transitions()["open"] == 0


def test_a_frozen_server(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """Each attempt ends at its limit, connecting as well, and its connection is not used again."""
    client = make_client(bench, postgresql.url(), attempts=2)
    before = client.run(BACKEND)
    client.limit_attempts(0.3)
    with postgresql.frozen():
        for _ in range(2):
            with pytest.raises(FAILURES) as caught:
                client.run(ASK)
            failure = find_failure(caught.value)
            assert failure is not None
            assert (failure.category, failure.attempt) == ("timeout", 2)
        assert (bench.calls(), bench.sample("retries_total")) == ((1, 2, 0), 2)
    client.limit_attempts()
    assert client.run(BACKEND) != before
    assert bench.calls() == (2, 2, 0)
    assert bench.transitions()["open"] == 0


@pytest.mark.parametrize("end", ["cut", "truncate"])
def test_a_connection_cut_in_mid_answer(
    bench: Bench,
    postgresql: PostgresqlServer,
    postgresql_proxy: Proxy,
    make_client: MakeClient,
    end: str,
) -> None:
    """The attempt is made again on another connection; nobody gets half an answer."""
    client = make_client(bench, postgresql.url(postgresql_proxy.port))
    client.run(ASK)
    getattr(postgresql_proxy, end)(after_bytes=20_000)
    assert client.run("SELECT repeat('x', 100000)") == "x" * 100_000
    assert (client.attempts, postgresql_proxy.connections) == (3, 2)
    assert (bench.calls(), bench.sample("retries_total")) == ((2, 0, 0), 1)


def test_an_answer_slower_than_the_limit(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """Each attempt ends at its limit, at the server too: nothing goes on there."""
    client = make_client(bench, postgresql.url(), attempts=2)
    client.limit_attempts(2.0)  # within it the statement has to reach the server
    with pytest.raises(FAILURES) as caught:
        client.run("SELECT pg_sleep(600)")
    failure = find_failure(caught.value)
    assert (failure and failure.category) == "timeout"
    client.limit_attempts()
    assert client.run(ASK) == 42
    wait_until(
        lambda: not postgresql.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
        "the server still sleeps",
    )
    assert (client.attempts, bench.calls(), bench.sample("retries_total")) == (3, (1, 1, 0), 1)
    assert bench.transitions()["open"] == 0


def test_an_exhausted_pool(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """A call waits for a connection as long as an attempt may take; a fallback may answer."""
    pool = {"pool_size": 1, "max_overflow": 0}
    fallback = Fallback(default=lambda: "default")
    settings = {"attempt_s": 0.2, "attempts": 2, "options": pool, "fallback": fallback}
    client = make_client(bench, postgresql.url(), **settings)
    client.hold()
    assert client.run(ASK) == "default"
    assert postgresql.connections() == 1
    assert (bench.calls(), bench.sample("retries_total")) == ((0, 1, 0), 1)
    assert bench.sample("fallbacks_total", source="default") == 1
    assert bench.transitions()["open"] == 0


@pytest.mark.parametrize("outage", ["killed", "frozen"])
def test_a_crowd_during_an_outage(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient, outage: str
) -> None:
    """The breaker opens once, everybody gets an error, no thread and no connection is left.

    A bulkhead as wide as the pool keeps those waiting who have not begun: they are rejected.
    """
    pool = {"pool_size": 4, "max_overflow": 4}
    bulkhead = Bulkhead(limit=8, wait_s=PATIENCE_S)
    settings = {"fail_max": 5, "bulkhead": bulkhead, "options": pool}
    client = make_client(bench, postgresql.url(), **settings)
    assert [client.run(ASK) for _ in range(3)] == [42] * 3
    threads = set(threading.enumerate())
    if outage == "killed":
        postgresql.kill()
        ended = client.run_crowd(ASK)
    else:
        client.limit_attempts(0.5)
        with postgresql.frozen():
            ended = client.run_crowd(ASK)
    assert all(isinstance(one, Exception) for one in ended)
    success, failures, rejected = bench.calls()
    assert failures is not None
    assert 1 <= failures <= 10
    assert (success, rejected) == (3, client.crowd - failures)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}

    postgresql.start()
    client.limit_attempts()
    bench.now_s += 61
    assert [client.run(ASK) for _ in range(10)] == [42] * 10
    assert set(threading.enumerate()) <= threads
    assert postgresql.connections() <= 8
    assert bench.transitions() == {"open": 1, "half-open": 1, "closed": 1}


def test_recovery_by_a_probe(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """It closes the breaker as soon as the server answers, and no call fails after that."""
    client = make_client(bench, postgresql.url(), fail_max=2, reset_timeout_s=3600)
    client.run(ASK)
    postgresql.kill()
    with pytest.raises(FAILURES):
        client.run(ASK)
    with pytest.raises(CircuitBreakerError):
        client.run(ASK)
    postgresql.start()
    client.recover_by_probe()
    assert [client.run(ASK) for _ in range(5)] == [42] * 5
    assert (bench.calls(), bench.sample("retries_total")) == ((6, 1, 1), 1)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 1}
