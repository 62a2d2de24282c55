"""A Redis that can be made slow, refusing and frozen: redis-server behind a proxy of our own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers import redis
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import HOST, Recipe, ask, choose_folder, choose_port

SOURCE: Final = Path(__file__).resolve().parents[2]
"""The folder that this package lies in: the proxy need not find it by itself."""
PROGRAM: Final = (
    f"import sys; sys.path.append({str(SOURCE)!r}); "
    "from resilience_bench.servers.flaky_program import main; main()"
)


def check_programs() -> None:
    """Raise ProgramMissingError unless redis-server is installed."""
    redis.check_programs()


def prepare() -> Recipe:
    """Prepare a server; ProgramMissingError if redis-server is not installed."""
    folder = choose_folder("flaky-redis")
    port, control_port, hidden_port = (choose_port() for _ in range(3))
    ports = tuple(map(str, (port, control_port, hidden_port)))
    serve = redis.make_command(folder, hidden_port)
    command = (sys.executable, "-I", "-c", PROGRAM, HOST, *ports, *serve)
    return Recipe(
        KeepingPlan(folder, (command,)),
        ServerAddress(folder, HOST, port, control_port=control_port),
        lambda: ask(port, b"PING\r\n").startswith(b"+PONG"),
    )
