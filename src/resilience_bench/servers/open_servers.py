"""The servers of a run: each is started when a case first needs it, and ended with the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Final

from resilience_bench.servers import flaky_redis, folder, http, postgres, redis
from resilience_bench.servers.kept_server import KeptServer, ServerEndedError, ServerFailedError
from resilience_bench.servers.recipe import ProgramMissingError, Recipe

MODULES: Final[Mapping[str, ModuleType]] = {
    "flaky-redis": flaky_redis,
    "folder": folder,
    "http": http,
    "postgres": postgres,
    "redis": redis,
}
TRIES: Final = 3
"""Another program may take the port of a server before it does."""


class Servers(contextlib.AbstractContextManager["Servers"]):
    """The servers of a run, by name; a context manager that ends all of them.

    A server that did not start is not tried again, and one that ended is not started again.
    """

    def __init__(self, modules: Mapping[str, ModuleType] = MODULES) -> None:
        """Start nothing yet.

        Args:
            modules: Modules with ``prepare`` and ``check_programs``, by the name of their server.
        """
        self._modules = modules
        self._running: dict[str, KeptServer] = {}
        self._failed: dict[str, str] = {}

    def __exit__(self, *raised: object) -> None:
        """End all servers."""
        self.close()

    def find_address(self, name: str) -> str:
        """Return the address of a server as text; start it if nobody has asked before.

        Args:
            name: One of `payload_definition.SERVERS`.

        Raises:
            ProgramMissingError: If it is not installed.
            ServerFailedError: If it does not start, or has ended since.
        """
        if name in self._failed:
            raise ServerFailedError(self._failed[name])
        if name not in self._running:
            try:
                self._running[name] = start_server(self._modules[name].prepare)
            except ServerFailedError as error:
                self._failed[name] = f"the server {name} {error}"
                raise ServerFailedError(self._failed[name]) from error
        if end := self.explain_end(name):
            raise ServerFailedError(end)
        return self.get_address(name)

    def get_address(self, name: str) -> str:
        """Return the address of a server that was started; KeyError if it was not."""
        return self._running[name].address.to_json()

    def check_programs(self, name: str) -> None:
        """Raise ProgramMissingError if a server is not installed; start nothing."""
        self._modules[name].check_programs()

    def explain_end(self, name: str) -> str:
        """Return how a server ended, with its last words; empty if it runs or never did."""
        running = self._running.get(name)
        end = running.explain_end() if running else ""
        return f"the server {name} is gone: {end}" if end else ""

    def quote_last_words(self, name: str) -> str:
        """Return what a running server printed last; empty if it never ran."""
        running = self._running.get(name)
        return f"the server {name} runs; {running.quote_last_words()}" if running else ""

    def close(self) -> None:
        """End all servers and remove their folders."""
        while self._running:
            self._running.popitem()[1].close()


def start_server(prepare: Callable[[], Recipe]) -> KeptServer:
    """Start a server, on another port if it ends because the first one was taken meanwhile.

    Args:
        prepare: Makes the recipe of a try.

    Raises:
        ProgramMissingError: If it is not installed.
        ServerFailedError: If no try succeeds; the error is that of the last one.
    """
    for _ in range(TRIES - 1):
        with contextlib.suppress(ServerEndedError):
            return KeptServer(prepare())
    return KeptServer(prepare())


__all__ = ["ProgramMissingError", "ServerFailedError", "Servers", "start_server"]
