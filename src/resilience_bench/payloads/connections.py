"""Connections of a payload: each thread has its own, so that bare calls share no lock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Connection = TypeVar("Connection")


class _PerThread(threading.local, Generic[Connection]):
    """An object whose ``connection`` is another one in each thread."""

    def __init__(
        self, connect: Callable[[], Connection], opened: list[Connection]
    ) -> None:  # called in each thread that uses it
        self.connection = connect()
        opened.append(self.connection)


@contextlib.contextmanager
def open_per_thread(
    connect: Callable[[], Connection], close: Callable[[Connection], object]
) -> Iterator[_PerThread[Connection]]:
    """Yield an object whose ``connection`` a thread opens when it first uses it.

    Args:
        connect: Opens a connection.
        close: Closes one; called at the end for all of them, by one thread.
    """
    opened: list[Connection] = []
    try:
        yield _PerThread(connect, opened)
    finally:
        for connection in opened:
            with contextlib.suppress(Exception):  # its server may be gone
                close(connection)
