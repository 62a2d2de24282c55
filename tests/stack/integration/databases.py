"""One way for the tests to use a guarded database, by plain functions and by coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Protocol

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from resilience_stack import Fallback, Guard, ProbeSettings
from resilience_stack.integrations.sqlalchemy import AsyncDatabase, Database, policy
from tests.stack.bench import Bench, in_threads
from tests.stack.integration.processes import PATIENCE_S, wait_until

__all__ = ["Client", "MakeClient", "PlainClient", "Step", "TaskClient"]

Step = str | Callable[[int], object]
"""A statement of a unit of work, or what is called with the number of the attempt."""
EVERY_MOMENT = ProbeSettings(interval_s=0.01)


class Client(Protocol):
    """A service that uses one guarded database.

    Attributes:
        attempts: How many attempts its units of work have begun.
        crowd: How many callers ``run_crowd`` has.
    """

    attempts: int
    crowd: int

    def run(self, *steps: Step) -> Any:
        """Run a unit of work; return the first value of its last statement."""

    def run_crowd(self, *steps: Step) -> list[Any]:
        """Run a unit of work by many at once; return what they return or raise."""

    def limit_attempts(self, seconds: float = PATIENCE_S) -> None:
        """Let each further attempt take so long; what has to succeed has a long time."""

    def hold(self) -> None:
        """Take a connection out of the pool, until `close`."""

    def recover_by_probe(self) -> None:
        """Check the database in the background until the guard is closed."""

    def close(self) -> None:
        """Close everything."""


class MakeClient(Protocol):
    """Makes a client; what is no option of the engine is a setting of the policy."""

    def __call__(
        self,
        bench: Bench,
        url: str | URL,
        options: dict[str, Any] | None = None,
        fallback: Fallback | None = None,
        **settings: Any,
    ) -> Client:
        """Make it."""


class PlainClient:
    """A client that calls plain functions, many at once in threads."""

    crowd = 64

    def __init__(
        self,
        bench: Bench,
        url: str | URL,
        options: dict[str, Any] | None = None,
        fallback: Fallback | None = None,
        **settings: Any,
    ) -> None:
        self.attempts = 0
        self._bench = bench
        self._guard = make_guard(bench, fallback, settings)
        self._database = Database(self._guard, url, **(options or {}))
        self._held = ExitStack()

    def run(self, *steps: Step) -> Any:
        """Run a unit of work."""
        attempts = 0

        def work(session: Session) -> Any:
            nonlocal attempts
            attempts += 1
            self.attempts += 1
            result = None
            for step in steps:
                if not isinstance(step, str):
                    result = step(attempts)
                elif returns_rows(step):
                    result = session.scalar(text(step))
                else:
                    session.execute(text(step))
            return result

        return self._database.run(work)

    def run_crowd(self, *steps: Step) -> list[Any]:
        """Run it by many at once."""

        def work() -> Any:
            try:
                return self.run(*steps)
            except Exception as error:  # noqa: BLE001 - it is what the test looks at
                return error

        return in_threads(*[work] * self.crowd)

    def limit_attempts(self, seconds: float = PATIENCE_S) -> None:
        """Let each further attempt take so long."""
        limit_attempts(self._guard, seconds)

    def hold(self) -> None:
        """Take a connection out of the pool."""
        self._held.enter_context(self._database.engine.connect())

    def recover_by_probe(self) -> None:
        """Check until the guard is closed."""
        probe = self._bench.manager.probe("database", self._database.check, EVERY_MOMENT)
        probe.start()
        wait_until(lambda: self._guard.state == "closed", "the breaker is not closed")
        probe.stop()

    def close(self) -> None:
        """Close everything."""
        self._held.close()
        self._database.close()


class TaskClient:
    """A client that calls coroutines in an event loop of its own, many at once in tasks."""

    crowd = 1000

    def __init__(
        self,
        bench: Bench,
        url: str | URL,
        options: dict[str, Any] | None = None,
        fallback: Fallback | None = None,
        **settings: Any,
    ) -> None:
        self.attempts = 0
        self._bench = bench
        self._runner = asyncio.Runner()
        self._is_closed = False
        self._guard = make_guard(bench, fallback, settings)
        self._database = AsyncDatabase(self._guard, url, **(options or {}))
        self._held = AsyncExitStack()

    def run(self, *steps: Step) -> Any:
        """Run a unit of work."""
        return self._runner.run(self._run(*steps))

    async def _run(self, *steps: Step) -> Any:
        attempts = 0

        async def work(session: AsyncSession) -> Any:
            nonlocal attempts
            attempts += 1
            self.attempts += 1
            result = None
            for step in steps:
                if not isinstance(step, str):
                    result = step(attempts)
                elif returns_rows(step):
                    result = await session.scalar(text(step))
                else:
                    await session.execute(text(step))
            return result

        return await self._database.run(work)

    def run_crowd(self, *steps: Step) -> list[Any]:
        """Run it by many at once."""

        async def gathered() -> list[Any]:
            runs: list[Coroutine[Any, Any, Any]] = [self._run(*steps) for _ in range(self.crowd)]
            return await asyncio.gather(*runs, return_exceptions=True)

        return self._runner.run(gathered())

    def limit_attempts(self, seconds: float = PATIENCE_S) -> None:
        """Let each further attempt take so long."""
        limit_attempts(self._guard, seconds)

    def hold(self) -> None:
        """Take a connection out of the pool."""

        async def held() -> None:
            await self._held.enter_async_context(self._database.engine.connect())

        self._runner.run(held())

    def recover_by_probe(self) -> None:
        """Check until the guard is closed."""

        async def recovered() -> None:
            probe = self._bench.manager.probe("database", self._database.check, EVERY_MOMENT)
            running = asyncio.ensure_future(probe.run())
            await asyncio.to_thread(
                wait_until, lambda: self._guard.state == "closed", "the breaker is not closed"
            )
            probe.stop()
            await running

        self._runner.run(recovered())

    def close(self) -> None:
        """Close everything."""

        async def closed() -> None:
            await self._held.aclose()
            await self._database.close()

        if not self._is_closed:
            self._is_closed = True
            self._runner.run(closed())
            # What was cancelled ends in a thread of aiosqlite, which needs the loop to say so.
            wait_until(lambda: not _find_workers(), "a thread of aiosqlite does not end")
            self._runner.close()


def make_guard(bench: Bench, fallback: Fallback | None, settings: dict[str, Any]) -> Guard:
    """Make a guard whose limits no busy machine reaches, but for those that a test sets."""
    limits = {"deadline_s": PATIENCE_S, "attempt_s": PATIENCE_S}
    return bench.manager.guard("database", policy(**{**limits, **settings}), fallback)


def limit_attempts(guard: Guard, seconds: float) -> None:
    """Change how long an attempt may take, which a policy says once and for all."""
    assert guard._attempt is not None
    guard._attempt._seconds = seconds


def _find_workers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if "_connection_worker_thread" in one.name]


def returns_rows(statement: str) -> bool:
    """Say whether a statement returns rows."""
    return statement.startswith(("SELECT", "SHOW", "WITH"))
