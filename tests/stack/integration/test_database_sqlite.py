"""SQLite, the embedded default: locks and long statements have limits, transactions are whole."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from resilience_stack import CircuitBreakerError, Fallback, find_failure
from tests.stack.bench import Bench
from tests.stack.integration.databases import MakeClient
from tests.stack.integration.processes import wait_for_threads

INSERT = "INSERT INTO orders (item) VALUES ('tea')"
COUNT = "SELECT count(*) FROM orders"
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
FAILURES = (SQLAlchemyError, TimeoutError)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with an empty table of orders."""
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        connection.execute("CREATE TABLE orders (item TEXT NOT NULL UNIQUE)")
    return tmp_path / "orders.db"


@pytest.fixture
def locker(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else, who writes and has not committed."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_transaction_is_committed_once(bench: Bench, path: Path, make_client: MakeClient) -> None:
    """What a unit of work has written is there for the next one."""
    client = make_client(bench, f"sqlite:///{path}")
    client.run(INSERT)
    assert client.run(COUNT) == 1
    assert bench.calls() == (2, 0, 0)


def test_a_locked_database_is_waited_for(
    bench: Bench, path: Path, locker: sqlite3.Connection, make_client: MakeClient
) -> None:
    """As long as an attempt may take; then the transaction is tried again as a whole."""
    client = make_client(bench, f"sqlite:///{path}")
    client.limit_attempts(0.2)

    def unlock(attempt: int) -> None:
        client.limit_attempts()
        if attempt == 2:
            locker.rollback()

    client.run(unlock, COUNT, INSERT)
    assert client.run(COUNT) == 1
    assert client.attempts == 3
    assert (bench.calls(), bench.sample("retries_total")) == ((2, 0, 0), 1)


def test_a_database_that_stays_locked(
    bench: Bench, path: Path, locker: sqlite3.Connection, make_client: MakeClient
) -> None:
    """It is a time limit: the breaker counts it, opens, and rejects."""
    client = make_client(bench, f"sqlite:///{path}", attempts=2, fail_max=2)
    client.limit_attempts(0.1)
    with pytest.raises(FAILURES) as caught:
        client.run(INSERT)
    failure = find_failure(caught.value)
    assert (failure and failure.category) == "timeout"
    with pytest.raises(CircuitBreakerError):
        client.run(INSERT)
    assert (bench.calls(), bench.sample("retries_total")) == ((0, 1, 1), 1)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
    locker.rollback()
    client.limit_attempts()
    bench.now_s += 61
    client.run(INSERT)
    assert bench.transitions() == {"open": 1, "half-open": 1, "closed": 1}


def test_the_fallback_goes_on_while_the_database_is_locked(
    bench: Bench, path: Path, locker: sqlite3.Connection, make_client: MakeClient
) -> None:
    """Before the breaker opens and after it, and readiness warns of the same guard."""
    fallback = Fallback(default=lambda *_: "default")
    client = make_client(bench, f"sqlite:///{path}", fallback=fallback, attempts=1, fail_max=2)
    client.limit_attempts(0.1)
    assert [client.run(INSERT) for _ in range(5)] == ["default"] * 5
    assert (client.attempts, bench.calls()) == (2, (0, 2, 3))
    assert bench.sample("fallbacks_total", source="default") == 5
    assert (bench.manager.health().status, bench.manager.health().http_status) == ("warn", 200)


def test_an_endless_statement(bench: Bench, path: Path, make_client: MakeClient) -> None:
    """It is interrupted at the limit of each attempt, and no thread goes on with it."""
    client = make_client(bench, f"sqlite:///{path}", attempts=2)
    client.limit_attempts(0.1)
    before = threading.enumerate()
    with pytest.raises(FAILURES) as caught:
        client.run(ENDLESS)
    failure = find_failure(caught.value)
    assert failure is not None
    assert (failure.category, failure.attempt) == ("timeout", 2)
    client.limit_attempts()
    assert client.run(COUNT) == 0
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 1, 0), 1)
    client.close()
    wait_for_threads(before)


def test_an_integrity_error_is_an_answer(bench: Bench, path: Path, make_client: MakeClient) -> None:
    """So is a wrong statement: both count as success, and neither is retried."""
    client = make_client(bench, f"sqlite:///{path}", fail_max=1)
    client.run(INSERT)
    with pytest.raises(IntegrityError):
        client.run(INSERT)
    with pytest.raises(OperationalError, match="no such table"):
        client.run("SELECT * FROM nowhere")
    assert (bench.calls(), bench.sample("retries_total")) == ((3, 0, 0), 0)
    assert client.run(COUNT) == 1


def test_a_unit_of_work_that_raises_is_rolled_back(
    bench: Bench, path: Path, make_client: MakeClient
) -> None:
    """The caller's exception comes out, and nothing is in the table."""
    client = make_client(bench, f"sqlite:///{path}", fail_max=1)

    def fail(_attempt: int) -> None:
        raise ValueError("that of the caller")

    with pytest.raises(ValueError, match="that of the caller"):
        client.run(INSERT, fail)
    assert client.run(COUNT) == 0
    assert bench.calls() == (2, 0, 0)


def test_a_file_that_cannot_be_opened(
    bench: Bench, tmp_path: Path, make_client: MakeClient
) -> None:
    """One line names the guard and the setting, and nothing is retried."""
    client = make_client(bench, f"sqlite:///{tmp_path}/nowhere/orders.db")
    with pytest.raises(OperationalError) as caught:
        client.run(COUNT)
    assert "guard 'database': the file of the database cannot be used" in caught.value.__notes__[0]
    assert f"{tmp_path}/nowhere/orders.db" in caught.value.__notes__[0]
    assert (bench.calls(), bench.sample("retries_total")) == ((0, 1, 0), 0)


def test_a_file_that_is_gone(bench: Bench, path: Path, make_client: MakeClient) -> None:
    """Whether it was there at first or not, it is a failure of the database, and is not retried."""
    url = f"sqlite:///file:{path}?mode=rw&uri=true"
    client = make_client(bench, url, {"pool_size": 1})
    client.run(COUNT)
    path.rename(f"{path}.taken")
    with pytest.raises(OperationalError) as caught:
        client.run(INSERT)
    assert "guard 'database': the file of the database cannot be used" in caught.value.__notes__[0]
    with pytest.raises(OperationalError, match="unable to open database file"):
        make_client(bench, url).run(COUNT)
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 2, 0), 0)


def test_a_crowd_before_a_locked_database(
    bench: Bench, path: Path, locker: sqlite3.Connection, make_client: MakeClient
) -> None:
    """The breaker opens once, everybody gets an error, and no thread is left."""
    before = threading.enumerate()
    client = make_client(bench, f"sqlite:///{path}", fail_max=5)
    client.limit_attempts(0.3)
    ended = client.run_crowd(INSERT)
    assert all(isinstance(one, Exception) for one in ended)
    success, failures, rejected = bench.calls()
    assert (success, (failures or 0) + (rejected or 0)) == (0, client.crowd)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
    locker.rollback()
    client.limit_attempts()
    client.recover_by_probe()
    client.run(INSERT)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 1}
    client.close()
    wait_for_threads(before)
