"""An HTTP server of the standard library, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers import http_program
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import HOST, Recipe, ask, choose_folder, choose_port


def check_programs() -> None:
    """Do nothing: Python is there."""


def prepare() -> Recipe:
    """Prepare a server."""
    folder, port = choose_folder("http"), choose_port()
    command = (sys.executable, "-I", str(Path(http_program.__file__)), HOST, str(port))
    return Recipe(
        KeepingPlan(folder, (command,)),
        ServerAddress(folder, HOST, port),
        lambda: ask(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"),
    )
