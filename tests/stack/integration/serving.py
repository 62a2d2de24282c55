"""A service of the tests, run as a program: it places orders in pairs until it gets SIGTERM."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from resilience_stack import ResilienceManager
from resilience_stack.integrations.sqlalchemy import AsyncDatabase, Database, policy

INSERT = text("INSERT INTO orders (item) VALUES (:item)")
PAUSE = text("SELECT pg_sleep(0.02)")
REGISTRY = CollectorRegistry()
MANAGER = ResilienceManager(REGISTRY)


def serve(url: str) -> None:
    """Serve by plain functions."""
    database = Database(MANAGER.guard("database", policy()), url)

    @database.transaction
    def place(session: Session, number: int) -> None:
        session.execute(INSERT, {"item": f"{number} left"})
        session.execute(PAUSE)
        session.execute(INSERT, {"item": f"{number} right"})

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for number in itertools.count():
            place(number)
    finally:
        database.close()


async def serve_async(url: str) -> None:
    """Serve by coroutines, four at once."""
    database = AsyncDatabase(MANAGER.guard("database", policy()), url)

    @database.transaction
    async def place(session: AsyncSession, number: int) -> None:
        await session.execute(INSERT, {"item": f"{number} left"})
        await session.execute(PAUSE)
        await session.execute(INSERT, {"item": f"{number} right"})

    numbers = itertools.count()

    async def place_forever() -> None:
        while True:
            await place(next(numbers))

    tasks = [asyncio.ensure_future(place_forever()) for _ in range(4)]
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in tasks])
    await asyncio.gather(*tasks, return_exceptions=True)
    await database.close()


if __name__ == "__main__":
    kind, where = sys.argv[1:]
    try:
        if kind == "plain":
            serve(where)
        else:
            asyncio.run(serve_async(where))
    finally:
        sys.stdout.write(generate_latest(REGISTRY).decode())
