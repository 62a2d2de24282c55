"""A unit of work is one transaction: replayed as a whole, committed once."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from resilience_stack.integrations.sqlalchemy import Database, policy
from tests.stack.bench import Bench
from tests.stack.integration.postgresql_server import PostgresqlServer


def test_a_backend_terminated_in_a_transaction(bench: Bench, postgresql: PostgresqlServer) -> None:
    """The transaction is replayed from its beginning, and there is exactly one commit."""
    database = Database(bench.manager.guard("database", policy()), postgresql.url())
    attempts = []

    @database.transaction
    def place(session: Session, item: str) -> str:
        attempts.append(session.scalar(text("SELECT pg_backend_pid()")))
        session.execute(text("INSERT INTO orders (item) VALUES (:item)"), {"item": item})
        if len(attempts) == 1:
            postgresql.ask(f"SELECT pg_terminate_backend({attempts[0]})")
        return "placed"

    assert place("tea") == "placed"
    assert postgresql.ask("SELECT item FROM orders") == [("tea",)]
    assert len(set(attempts)) == 2
    assert (bench.calls(), bench.sample("retries_total")) == ((1, 0, 0), 1)
    database.close()
