"""A unit of work is one transaction: replayed as a whole, committed once."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from resilience_bench.servers.proxy import Proxy
from resilience_stack import find_failure
from resilience_stack.integrations.sqlalchemy import is_commit_unknown
from tests.stack.bench import Bench
from tests.stack.integration.databases import MakeClient
from tests.stack.integration.postgresql_server import PostgresqlServer

INSERT = "INSERT INTO orders (item) VALUES ('tea')"
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("is_last", [True, False])
def test_a_backend_terminated_in_a_transaction(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient, *, is_last: bool
) -> None:
    """It is replayed from its beginning, and there is exactly one commit in the end.

    So it is when the COMMIT is what finds the connection dead: the server's last words say that
    nothing was committed.
    """
    client = make_client(bench, postgresql.url())

    def terminate(attempt: int) -> None:
        if attempt == 1:
            postgresql.ask(TERMINATE)

    client.run(INSERT, terminate, *([] if is_last else ["SELECT 1"]))
    assert postgresql.ask("SELECT item FROM orders") == [("tea",)]
    assert client.attempts == 2
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 0, 0), 1)
    assert bench.transitions() == {"open": 0, "half-open": 0, "closed": 0}


def test_a_commit_whose_answer_is_lost(
    bench: Bench, postgresql: PostgresqlServer, postgresql_proxy: Proxy, make_client: MakeClient
) -> None:
    """It is not replayed: the error says that the transaction may have happened, as it has."""
    client = make_client(bench, postgresql.url(postgresql_proxy.port))
    with pytest.raises(DBAPIError) as caught:
        client.run(INSERT, lambda _attempt: postgresql_proxy.cut(after_bytes=0))
    assert is_commit_unknown(caught.value)
    assert "the COMMIT was sent and its answer was lost" in "".join(caught.value.__notes__)
    assert postgresql.ask("SELECT item FROM orders") == [("tea",)]
    assert (bench.calls(), bench.sample("retries_total")) == ((0, 1, 0), 0)


def test_a_commit_that_is_not_answered_in_time(
    bench: Bench, postgresql: PostgresqlServer, postgresql_proxy: Proxy, make_client: MakeClient
) -> None:
    """Nor is it replayed when it is a time limit that ends the waiting."""
    client = make_client(bench, postgresql.url(postgresql_proxy.port))
    client.run("SELECT 1")
    client.limit_attempts(1)
    with pytest.raises((DBAPIError, TimeoutError)) as caught:
        client.run(INSERT, lambda _attempt: postgresql_proxy.truncate(0, silently=True))
    failure = find_failure(caught.value)
    assert is_commit_unknown(caught.value)
    assert (failure and failure.category) == "timeout"
    assert postgresql.ask("SELECT item FROM orders") == [("tea",)]
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 1, 0), 0)


def test_an_integrity_error_is_an_answer(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """It comes out as it is, is not retried, and counts as a success of the database."""
    client = make_client(bench, postgresql.url(), fail_max=1)
    client.run(INSERT)
    with pytest.raises(IntegrityError) as caught:
        client.run(INSERT)
    failure = find_failure(caught.value)
    assert failure is not None
    assert (failure.category, failure.attempt) == ("answer", 1)
    assert (bench.calls(), bench.sample("retries_total")) == ((2, 0, 0), 0)
    assert bench.transitions() == {"open": 0, "half-open": 0, "closed": 0}


def test_an_exception_of_the_caller_is_no_failure(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """The transaction is rolled back, the exception comes out, the breaker counts nothing."""
    client = make_client(bench, postgresql.url(), fail_max=1)

    def fail(_attempt: int) -> None:
        raise ConnectionError("that of another service")

    with pytest.raises(ConnectionError):
        client.run(INSERT, fail)
    assert postgresql.ask("SELECT item FROM orders") == []
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 0, 0), 0)
    assert bench.transitions()["open"] == 0


def test_a_serialization_failure_is_retried(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """A healthy database asks for another attempt: it gets one, and no failure is counted."""
    client = make_client(bench, postgresql.url(), fail_max=1)
    postgresql.ask(INSERT)

    def meddle(attempt: int) -> None:
        if attempt == 1:
            postgresql.ask("UPDATE orders SET item = 'coffee'")

    client.run(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SELECT item FROM orders",
        meddle,
        "UPDATE orders SET item = item || ' with milk'",
    )
    assert postgresql.ask("SELECT item FROM orders") == [("coffee with milk",)]
    assert client.attempts == 2
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 0, 0), 1)
    assert bench.transitions()["open"] == 0
