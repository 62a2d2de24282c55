"""Units of work of coroutine functions."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from resilience_stack.core.deadline import DEADLINE
from resilience_stack.core.guard import Guard
from resilience_stack.integrations.sqlalchemy.engines import describe_place, make_limited_engine
from resilience_stack.integrations.sqlalchemy.notes import explain
from resilience_stack.integrations.sqlalchemy.verdicts import mark_commit_unknown

__all__ = ["AsyncDatabase"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class AsyncDatabase:
    """What `Database` is, for asyncio.

    An attempt whose time is up, or whose task is cancelled, ends at once; its connection is closed
    and never given out again.
    """

    def __init__(self, guard: Guard, database: str | URL | AsyncEngine, **options: Any) -> None:
        """Make an engine with the limits of the guard in it, see `Database`."""
        self.guard = guard
        given = database.sync_engine if isinstance(database, AsyncEngine) else database
        self.engine = AsyncEngine(make_limited_engine(guard, given, options, is_async=True))
        self.place = describe_place(self.engine.sync_engine)

    async def run(
        self,
        work: Callable[Concatenate[AsyncSession, Parameters], Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a unit of work and await it, see `Database.run`."""
        return await self.guard.call_async(_Transaction(self, work), *args, **kwargs)

    def transaction(
        self, work: Callable[Concatenate[AsyncSession, Parameters], Awaitable[Result]]
    ) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
        """Return the unit of work as a coroutine function that is called without the session."""
        guarded = self.guard(_Transaction(self, work))
        return functools.wraps(work)(guarded)

    async def check(self, limit_s: float = 1.0) -> None:
        """Ask the database whether it answers, past the guard: what a probe needs.

        Raises:
            Exception: If it does not, within so many seconds.
        """
        token = DEADLINE.set(min(perf_counter() + limit_s, DEADLINE.get()))
        try:
            async with asyncio.timeout(limit_s), self.engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        finally:
            DEADLINE.reset(token)

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self.engine.dispose()


@dataclass(frozen=True, slots=True)
class _Transaction(Generic[Parameters, Result]):
    """A unit of work as the guard sees it: each call is an attempt, in a transaction of its own."""

    database: AsyncDatabase
    work: Callable[Concatenate[AsyncSession, Parameters], Awaitable[Result]]

    async def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        database = self.database
        try:
            async with AsyncSession(database.engine, expire_on_commit=False) as session:
                result = await self.work(session, *args, **kwargs)
                await session.flush()
                try:
                    await session.commit()
                except BaseException as error:
                    mark_commit_unknown(error)
                    raise
                return result
        except Exception as error:
            explain(error, database.guard.name, database.place)
            raise
