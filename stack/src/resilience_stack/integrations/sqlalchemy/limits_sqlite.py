"""The time limits of SQLite: how long to wait for a lock, and when to end a long statement."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from resilience_stack.core.deadline import DEADLINE, NEVER
from resilience_stack.integrations.sqlalchemy.pools import SERVER_SHARE

__all__ = ["limit_sqlite"]

STEPS: Final = 10_000
"""So many instructions of SQLite's machine run between two looks at the clock."""
LIMIT: Final = "resilience_limit"


class _Limit:
    """The limits that one connection has at the moment."""

    __slots__ = ("busy_ms", "ends_s")

    def __init__(self, busy_ms: int) -> None:
        self.busy_ms = busy_ms
        self.ends_s = NEVER

    def is_over(self) -> bool:
        """Say whether the statement that runs has to end; asked by whatever thread runs it."""
        return perf_counter() >= self.ends_s


def limit_sqlite(engine: Engine, limit_s: float) -> None:
    """Put the limits into an engine.

    Args:
        engine: One of sqlite3 or aiosqlite; of an asyncio engine its synchronous one.
        limit_s: The longest that an attempt may take.
    """
    longest_ms = math.ceil(limit_s * SERVER_SHARE * 1000)

    def prepare(connection: Any) -> _Limit:
        limit = _Limit(longest_ms)
        if engine.dialect.is_async:
            connection.run_async(lambda made: made.set_progress_handler(limit.is_over, STEPS))
        else:
            connection.set_progress_handler(limit.is_over, STEPS)
        _wait_for_locks(connection, longest_ms)
        return limit

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        limit: _Limit | None = connection.info.get(LIMIT)
        if limit is None:
            limit = connection.info[LIMIT] = prepare(connection.connection.dbapi_connection)
        ends_s = limit.ends_s = DEADLINE.get()
        if ends_s == NEVER:
            return
        left_ms = max(math.ceil((ends_s - perf_counter()) * SERVER_SHARE * 1000), 1)
        # Telling aiosqlite's thread costs as much as a statement: a new limit has to be worth it.
        if not 0.8 * limit.busy_ms <= left_ms <= 2 * limit.busy_ms:
            limit.busy_ms = min(left_ms, longest_ms)
            _wait_for_locks(connection.connection, limit.busy_ms)


def _wait_for_locks(connection: Any, milliseconds: int) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    finally:
        cursor.close()
