"""How the limits of a call reach the server, and what belongs to which guard."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from resilience_stack import Fallback, find_failure
from resilience_stack.integrations.sqlalchemy import AsyncDatabase, Database, policy
from tests.stack.bench import Bench, Flaky
from tests.stack.integration.databases import MakeClient
from tests.stack.integration.postgresql_server import PostgresqlServer
from tests.stack.integration.processes import wait_until

LIMIT = "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"


class Base(DeclarativeBase):
    """Where the mapped classes are."""


class Order(Base):
    """A row of the table of orders."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


def test_the_server_knows_the_limit(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient
) -> None:
    """It gives up a little earlier than the client, so that the connection can be kept."""
    client = make_client(bench, postgresql.url(), attempt_s=10, deadline_s=100)
    assert client.run(LIMIT) == 9000


def test_the_server_receives_a_shorter_time(bench: Bench, postgresql: PostgresqlServer) -> None:
    """A transaction of an enclosing call that has less time left begins by saying so."""
    database = Database(bench.manager.guard("database", policy(deadline_s=100)), postgresql.url())
    outer = bench.guard("outer", deadline_s=20, retries=())
    inner_ms = outer.call(lambda: database.run(lambda session: session.scalar(text(LIMIT))))
    assert 0 < inner_ms <= 18_000
    assert database.run(lambda session: session.scalar(text(LIMIT))) == 90_000
    database.close()


def test_objects_can_be_used_after_the_transaction(
    bench: Bench, postgresql: PostgresqlServer
) -> None:
    """Mapped objects are complete when they leave, so that no connection is needed for them."""
    database = Database(bench.manager.guard("database", policy()), postgresql.url())

    @database.transaction
    def place(session: Session, item: str) -> Order:
        """Place an order."""
        session.add(order := Order(item=item))
        return order

    assert place.__doc__ == "Place an order."
    assert place("tea").item == "tea"
    orders = database.run(lambda session: session.scalars(select(Order)).all())
    assert [order.item for order in orders] == ["tea"]
    database.close()


def test_the_failure_of_an_inner_guard_is_none_of_the_database(
    bench: Bench, postgresql: PostgresqlServer
) -> None:
    """What another guard lets out in a unit of work is its own: here it counts as an answer."""
    database = Database(bench.manager.guard("database", policy(fail_max=1)), postgresql.url())
    inner = bench.guard("inner", deadline_s=0.01, retries=())

    with pytest.raises(ConnectionError) as caught:
        database.run(lambda _session: inner.call(Flaky(9)))
    failure = find_failure(caught.value)
    assert (failure and failure.guard) == "inner"
    assert (bench.calls("inner"), bench.calls()) == ((0, 1, 0), (1, 0, 0))

    async def hang(_session: object) -> None:
        await inner.call_async(asyncio.Event().wait)

    async def outer() -> None:
        hanging = AsyncDatabase(database.guard, postgresql.url())
        with pytest.raises(TimeoutError):
            await hanging.run(hang)
        await hanging.close()

    asyncio.run(outer())
    assert (bench.calls("inner"), bench.calls()) == ((0, 2, 0), (2, 0, 0))
    assert database.guard.state == "closed"
    database.close()


def test_a_stale_answer_of_a_unit_of_work(bench: Bench, postgresql: PostgresqlServer) -> None:
    """The last good rows answer while the server is away, by the arguments of the unit of work."""
    guard = bench.manager.guard("database", policy(), Fallback(stale_s=3600))
    database = Database(guard, postgresql.url())

    def double(session: Session, number: int) -> int | None:
        return session.scalar(text("SELECT 2 * :number"), {"number": number})

    assert (database.run(double, 21), database.transaction(double)(4)) == (42, 8)
    postgresql.kill()
    assert database.run(double, 21) == 42
    assert bench.sample("fallbacks_total", source="stale") == 1
    assert "database" in bench.manager.degraded()
    database.close()


def test_a_cancelled_task_returns_no_connection(bench: Bench, postgresql: PostgresqlServer) -> None:
    """Whoever cancels it gets CancelledError at once, and the connection is closed."""
    guard = bench.manager.guard("database", policy(deadline_s=300))

    async def cancelled() -> None:
        database = AsyncDatabase(guard, postgresql.url(), pool_size=1, max_overflow=0)
        backend = "SELECT pg_backend_pid()"
        before = await database.run(lambda session: session.scalar(text(backend)))

        async def sleep(session: object) -> None:
            await session.execute(text("SELECT pg_sleep(600)"))  # type: ignore[attr-defined]

        task = asyncio.ensure_future(database.run(sleep))
        sleeps = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        await asyncio.to_thread(wait_until, lambda: postgresql.ask(sleeps), "nobody sleeps")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.run(lambda session: session.scalar(text(backend))) != before
        await database.close()

    asyncio.run(cancelled())
    assert bench.calls() == (2, 1, 0)
    assert bench.transitions()["open"] == 0
    postgresql.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    )
