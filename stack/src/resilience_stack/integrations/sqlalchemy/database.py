"""Units of work of plain functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from resilience_stack.core.deadline import DEADLINE
from resilience_stack.core.guard import Guard
from resilience_stack.integrations.sqlalchemy.engines import describe_place, make_limited_engine
from resilience_stack.integrations.sqlalchemy.notes import explain
from resilience_stack.integrations.sqlalchemy.verdicts import mark_commit_unknown

__all__ = ["Database"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Database:
    """A database behind a guard: each call is one transaction, which a retry replays as a whole.

    A unit of work is a function whose first argument is the session. It is committed when it
    returns, and rolled back when it raises. It may be called again from its beginning, so what it
    does besides the database has to bear that. Objects that it returns can be used afterwards;
    results that have not been read cannot.
    """

    def __init__(self, guard: Guard, database: str | URL | Engine, **options: Any) -> None:
        """Make an engine with the limits of the guard in it; nothing is connected yet.

        Args:
            guard: Made with `policy`.
            database: A URL of SQLite or PostgreSQL, or an engine, which gets the limits as well.
            options: For ``create_engine``, such as ``pool_size`` and ``max_overflow``.

        Raises:
            ValueError: If a setting makes no sense; the text has the guard and the setting.
            ImportError: If the driver is not installed.
        """
        self.guard = guard
        self.engine = make_limited_engine(guard, database, options, is_async=False)
        self.place = describe_place(self.engine)

    def run(
        self,
        work: Callable[Concatenate[Session, Parameters], Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a unit of work.

        Returns:
            What it returns, once it is committed; or what the guard's fallback answers.

        Raises:
            CircuitBreakerError: If the breaker is open: the function was not called.
            Exception: What the last attempt raised.
        """
        return self.guard.call(_Transaction(self, work), *args, **kwargs)

    def transaction(
        self, work: Callable[Concatenate[Session, Parameters], Result]
    ) -> Callable[Parameters, Result]:
        """Return the unit of work as a function that is called without the session.

        Raises:
            TypeError: If it is a coroutine function; `AsyncDatabase` is for those.
        """
        guarded = self.guard(_Transaction(self, work))
        return functools.wraps(work)(guarded)

    def check(self, limit_s: float = 1.0) -> None:
        """Ask the database whether it answers, past the guard: what a probe needs.

        Raises:
            Exception: If it does not, within so many seconds.
        """
        token = DEADLINE.set(min(perf_counter() + limit_s, DEADLINE.get()))
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        finally:
            DEADLINE.reset(token)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()


@dataclass(frozen=True, slots=True)
class _Transaction(Generic[Parameters, Result]):
    """A unit of work as the guard sees it: each call is an attempt, in a transaction of its own."""

    database: Database
    work: Callable[Concatenate[Session, Parameters], Result]

    def __post_init__(self) -> None:
        if inspect.iscoroutinefunction(self.work):
            message = (
                f"guard {self.database.guard.name!r}: {self.work!r} is a coroutine function, "
                "expected a plain one; AsyncDatabase is for coroutine functions"
            )
            raise TypeError(message)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        database = self.database
        try:
            with Session(database.engine, expire_on_commit=False) as session:
                result = self.work(session, *args, **kwargs)
                session.flush()
                try:
                    session.commit()
                except BaseException as error:
                    mark_commit_unknown(error)
                    raise
                return result
        except Exception as error:
            explain(error, database.guard.name, database.place)
            raise
