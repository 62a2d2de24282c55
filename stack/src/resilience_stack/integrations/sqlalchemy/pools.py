"""Pools of connections: a wait that ends with the call, and no dead connection given out twice."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from resilience_stack.core.deadline import remaining_s

__all__ = ["SERVER_SHARE", "AsyncPatientPool", "PatientPool", "check_idle_connections"]

SERVER_SHARE: Final = 0.9
"""The share of the time left after which pool and server give up, so that it is they who say it."""
UNGUARDED_S: Final = 5.0
"""How long who is not in a guarded call waits for a connection."""
IDLE_S: Final = 1.0
"""A connection that was used since is taken to be alive: to ask costs a round trip."""
USED: Final = "resilience_used_s"


class PatientPool(QueuePool):
    """A pool that lets a guarded call wait for a connection while it has time."""

    @property
    def _timeout(self) -> float:
        left_s = remaining_s()
        return UNGUARDED_S if left_s is None else left_s * SERVER_SHARE

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        """Leave it to the calls."""


class AsyncPatientPool(PatientPool, AsyncAdaptedQueuePool):
    """The same for asyncio."""


def check_idle_connections(engine: Engine) -> None:
    """Ask a connection that was idle whether it is alive, before it is given out.

    A dead one takes those that are as old with it, and a new one is made. What dies in use is
    noticed by SQLAlchemy, with the same consequence.
    """

    @event.listens_for(engine, "checkin")
    def checkin(_connection: Any, record: Any) -> None:
        record.info[USED] = monotonic()

    @event.listens_for(engine, "checkout")
    def checkout(connection: Any, record: Any, _proxy: object) -> None:
        used_s = record.info.get(USED)
        if used_s is None or monotonic() - used_s < IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("an idle connection had died") from error
