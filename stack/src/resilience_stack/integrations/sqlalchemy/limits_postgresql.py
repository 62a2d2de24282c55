"""The time limits of psycopg: connecting, each statement at the server, and a server that is mute.

The server's statement_timeout does not fire while the server is frozen or the network is away, so
the client has a limit of its own. After it nothing is known of the connection: it is closed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator
from time import perf_counter
from typing import Any, Final, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen, PQGenConn
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo
from sqlalchemy import Connection, Engine, event

from resilience_stack.core.deadline import DEADLINE, NEVER, remaining_s
from resilience_stack.integrations.sqlalchemy.pools import SERVER_SHARE

__all__ = ["limit_psycopg", "refuse_bad_options"]

Result = TypeVar("Result")
Yielded = TypeVar("Yielded")
WORTH: Final = 0.8
"""A limit that is above this share of the one in force is not worth a round trip."""
ASYNC_INTERVAL_S: Final = 0.1
"""A coroutine looks at its connection so often even if nothing comes, as with the driver."""
OF_DRIVER: Final = {"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"}
"""Options that psycopg takes itself; all others are libpq's."""
INTERVAL_S: Final = 0.02
"""The clock is looked at so often, at least, while the server says nothing."""


class TimeLimitError(psycopg.OperationalError):
    """The time of the guarded call was up before the server answered."""

    is_time_limit = True


def _limit(steps: Generator[Yielded, Any, Result]) -> Generator[Yielded, Any, Result]:
    """Go through the steps of the driver, each of which waits for the server, while time is left.

    Raises:
        TimeLimitError: When the time is up.
    """
    ends_s = DEADLINE.get()
    try:
        waited_for = next(steps)
        while True:
            ready = yield waited_for
            if perf_counter() >= ends_s:
                steps.close()
                raise TimeLimitError("the server did not answer in time")
            waited_for = steps.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that waits for the server no longer than the guarded call may take."""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Any]:
        steps = super()._connect_gen(conninfo)
        if remaining_s() is None:
            return (yield from steps)
        # The driver's own limit of connecting is two seconds at least, and it looks at the clock
        # too seldom: so the wait takes place here.
        timeout_s = timeout_from_conninfo(conninfo_to_dict(conninfo))
        return waiting.wait_conn(_limit(steps), INTERVAL_S, timeout_s)

    def wait(self, gen: PQGen[Result], *options: Any, **settings: Any) -> Result:
        """Wait for the server; close the connection when the time is up."""
        if remaining_s() is None:
            return super().wait(gen, *options, **settings)
        try:
            return super().wait(_limit(gen), INTERVAL_S)
        except TimeLimitError:
            self.close()
            raise


class LimitedAsyncConnection(psycopg.AsyncConnection[Any]):
    """A connection that is closed when the task that waits for the server is cancelled.

    The driver would ask the server to cancel the statement, and wait for it up to ten seconds.
    """

    async def wait(self, gen: PQGen[Result], *options: Any, **settings: Any) -> Result:
        """Wait for the server."""
        if not options:
            settings.setdefault("interval", ASYNC_INTERVAL_S)  # its default is to look all the time
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, *options, **settings)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


def refuse_bad_options(engine: Engine, guard: str) -> None:
    """Refuse an option in the URL that the driver would refuse at each connection.

    Raises:
        ValueError: If there is one; the text has the guard and the option, not its value.
    """
    _, settings = engine.dialect.create_connect_args(engine.url)
    try:
        make_conninfo(**{name: settings[name] for name in settings.keys() - OF_DRIVER})
    except psycopg.ProgrammingError as error:
        message = (
            f"guard {guard!r}: psycopg refuses the URL of the database ({error}), expected options "
            "of libpq, such as ?sslmode=require"
        )
        raise ValueError(" ".join(message.split())) from None


def limit_psycopg(engine: Engine, limit_s: float) -> None:
    """Put the limits into an engine.

    Args:
        engine: One of psycopg; of an asyncio engine its synchronous one.
        limit_s: The longest that an attempt may take. Where less is left of a call, a transaction
            begins by telling the server so.
    """
    server_ms = math.ceil(limit_s * SERVER_SHARE * 1000)
    options = (
        f"-c statement_timeout={server_ms} "
        f"-c idle_in_transaction_session_timeout={math.ceil(limit_s * 1000)}"
    )

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, args: list[Any], settings: dict[str, Any]
    ) -> psycopg.Connection[Any] | None:
        settings["options"] = f"{settings.get('options') or ''} {options}".strip()
        settings.setdefault("connect_timeout", math.ceil(limit_s))
        if engine.dialect.is_async:
            settings.setdefault("async_creator_fn", LimitedAsyncConnection.connect)
            return None
        return LimitedConnection.connect(*args, **settings)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        ends_s = DEADLINE.get()
        if ends_s == NEVER:
            return
        left_ms = (ends_s - perf_counter()) * SERVER_SHARE * 1000
        if left_ms < WORTH * server_ms:
            milliseconds = max(math.ceil(left_ms), 1)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
