"""redis-server: on a loopback port, with nothing on disk."""

from __future__ import annotations

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import (
    HOST,
    Recipe,
    ask,
    choose_folder,
    choose_port,
    find_program,
)


def check_programs() -> None:
    """Raise ProgramMissingError unless redis-server is installed."""
    _find_server()


def prepare() -> Recipe:
    """Prepare a server; ProgramMissingError if it is not installed."""
    folder, port = choose_folder("redis"), choose_port()
    return Recipe(
        KeepingPlan(folder, (make_command(folder, port),)),
        ServerAddress(folder, HOST, port),
        lambda: ask(port, b"PING\r\n").startswith(b"+PONG"),
    )


def make_command(folder: str, port: int) -> tuple[str, ...]:
    """Return what starts a server that keeps everything in memory."""
    return (
        _find_server(),
        *("--port", str(port), "--bind", HOST),
        *("--save", "", "--appendonly", "no", "--dir", folder),
    )


def _find_server() -> str:
    return find_program("redis-server", "Redis", "redis-server")
