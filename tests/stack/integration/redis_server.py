"""A redis-server of the tests: without a trace on disk, killed, frozen and restarted at will."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import require
from tests.stack.integration.processes import Process, reserve_port, wait_until

__all__ = ["RedisServer"]


class RedisServer:
    """One server on a port of its own; nothing it holds outlives it.

    Attributes:
        port: Where it listens, after a restart too.
        process: The running server.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        """Start it, and wait until it answers.

        Args:
            folder: A temporary one of the test.
            settings: More arguments of ``redis-server``, such as ``--maxmemory``, ``2mb``.
        """
        self._folder = folder
        self._settings = settings
        self.port = reserve_port()
        self.process = self._start()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"redis://127.0.0.1:{self.port}/0"

    def restart(self) -> None:
        """Start it again, empty, on the same port."""
        self.stop()
        self.process = self._start()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def freeze(self) -> None:
        """Stop it where it is: it accepts connections, and answers nothing."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()

    def stop(self) -> None:
        """End it at once: it has nothing to lose."""
        if self.process.is_running():
            self.process.kill()

    def ask(self, *command: str) -> Any:
        """Send one command past every guard; what the server answers."""
        client = redis.Redis(
            port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=30, decode_responses=True
        )
        with client:
            return client.execute_command(*command)

    def count_commands(self, name: str) -> int:
        """How often the server was asked to do this command since it started."""
        found = self.ask("INFO", "commandstats").get(f"cmdstat_{name.lower()}")
        return found["calls"] if found else 0

    def count_clients(self) -> int:
        """How many clients are connected, but for the one that asks."""
        connected: int = self.ask("INFO", "clients")["connected_clients"]
        return connected - 1

    def _start(self) -> Process:
        process = Process(
            [
                require("redis-server"),
                *("--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
                *self._settings,
            ],
            log=self._folder / "redis.log",
        )
        try:
            wait_until(lambda: self._answers(process), "redis-server answers")
        except BaseException:
            process.stop()
            raise
        return process

    def _answers(self, process: Process) -> bool:
        if not process.is_running():
            message = f"redis-server has ended: {(self._folder / 'redis.log').read_text()[-500:]}"
            raise RuntimeError(message)
        try:
            return bool(self.ask("PING"))
        except redis.ConnectionError:
            return False
