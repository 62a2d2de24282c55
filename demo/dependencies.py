"""What the service calls, and how each of it can be broken and healed."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.kept_server import KeptServer
from resilience_bench.servers.open_servers import start_server
from resilience_bench.servers.proxy import Proxy
from resilience_bench.servers.recipe import Recipe

WAYS: Final[tuple[str, ...]] = ("slow", "refuse", "freeze", "kill")
"""How a dependency with a server breaks; "" stands for one that is whole."""
SLOW_S: Final = 0.15
"""How much later each part of an answer of a slow server comes."""


class Dependency(Protocol):
    """Something that the service calls.

    Attributes:
        name: That of its guard.
        title: What it is.
        ways: How it can be broken.
        broken: How it is broken; empty if it is whole.
    """

    name: str
    title: str
    ways: tuple[str, ...]
    broken: str

    def damage(self, way: str) -> None:
        """Break it in one of its ways; what was broken before is healed first."""

    def heal(self) -> None:
        """Make it whole again."""

    def explain_end(self) -> str:
        """Return how its server ended without a button; empty if it did not."""

    def close(self) -> None:
        """End what belongs to it."""


class ServedDependency:
    """A server of our own behind a proxy.

    Attributes:
        port: Where the service finds it, whatever happens to the server.
    """

    def __init__(
        self,
        name: str,
        title: str,
        prepare: Callable[[], Recipe],
        fill: Callable[[ServerAddress], None] = lambda _address: None,
    ) -> None:
        """Start the server and the proxy.

        Args:
            name: That of its guard.
            title: What it is.
            prepare: Makes the recipe of the server.
            fill: Called with the address of a server that has just started, which is empty.

        Raises:
            ProgramMissingError: If it is not installed.
            ServerFailedError: If it does not start.
        """
        self.name, self.title, self.ways, self.broken = name, title, WAYS, ""
        self._prepare, self._fill = prepare, fill
        self._server: KeptServer | None = None
        with contextlib.ExitStack() as stack:
            stack.callback(self._end_server)
            self._proxy = stack.enter_context(Proxy(self._start_server().port))
            self.port = self._proxy.port
            self._held = stack.pop_all()

    def damage(self, way: str) -> None:
        """Break it; to freeze it is to stop the processes of the server where they are known."""
        self.heal()
        if way == "slow":
            self._proxy.delay(SLOW_S)
        elif way == "refuse":
            self._proxy.refuse()
        elif way == "freeze":
            if self._server is None or not self._server.freeze():
                self._proxy.freeze()
        else:
            self._end_server()
            self._proxy.refuse()
        self.broken = way

    def heal(self) -> None:
        """Make it whole; a server that was killed is replaced by a new one."""
        if self.explain_end():
            self._end_server()
        if self._server is None:
            self._proxy.lead_to(self._start_server().port)
        else:
            self._server.thaw()
        self._proxy.pass_through()
        self._proxy.listen()
        self.broken = ""

    def explain_end(self) -> str:
        """Return how the server ended without a button, with its last words."""
        return self._server.explain_end() if self._server is not None else ""

    def close(self) -> None:
        """End the server and the proxy."""
        self._held.close()

    def _start_server(self) -> ServerAddress:
        self._server = start_server(self._prepare)
        self._fill(self._server.address)
        return self._server.address

    def _end_server(self) -> None:
        # First None: nobody is to take what is ended here for a server that ended by itself.
        server, self._server = self._server, None
        if server is not None:
            server.close()


class LockedFile:
    """A database of SQLite: it has no server, but somebody may hold its lock."""

    def __init__(self, name: str, path: Path) -> None:
        """Take a file that is there."""
        self.name, self.title = name, "SQLite"
        self.ways: tuple[str, ...] = ("freeze",)
        self.broken = ""
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)

    def damage(self, way: str) -> None:
        """Lock the file, as soon as nobody else does."""
        self.heal()
        self._connection.execute("BEGIN EXCLUSIVE")
        self.broken = way

    def heal(self) -> None:
        """Unlock the file."""
        if self._connection.in_transaction:
            self._connection.rollback()
        self.broken = ""

    def explain_end(self) -> str:
        """Return nothing: there is no server."""
        return ""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def make_killable(recipe: Recipe) -> Recipe:
    """Return the recipe with a server that is ended as a crash ends it, without a last word."""
    plan = dataclasses.replace(recipe.plan, quit_signal=signal.SIGKILL)
    return dataclasses.replace(recipe, plan=plan)
