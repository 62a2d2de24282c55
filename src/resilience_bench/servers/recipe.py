"""What it takes to start a server: its programs, its address, and how it says that it is ready."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.keeper import KeepingPlan

HOST: Final = "127.0.0.1"
ANSWER_S: Final = 1.0


class ProgramMissingError(Exception):
    """A program of a server is not installed; the text says what to type."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One server, before it is started: what its keeper does, and where it will listen."""

    plan: KeepingPlan
    address: ServerAddress
    is_ready: Callable[[], bool]


def choose_folder(name: str) -> str:
    """Return the path of a temporary folder for a server; the keeper creates it."""
    return str(Path(tempfile.gettempdir()) / f"resilience-bench-{name}-{secrets.token_hex(8)}")


def choose_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def find_program(name: str, owner: str, package: str, *folders: Path) -> str:
    """Return the path of a program; ProgramMissingError if it is neither in PATH nor there."""
    for folder in folders:
        if (folder / name).is_file():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise ProgramMissingError(f"{owner}'s {name} is not installed; type: apt install {package}")


def ask(port: int, question: bytes) -> bytes:
    """Return the first bytes that a server answers; none if it does not listen yet."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((HOST, port), ANSWER_S) as connection,
    ):
        connection.sendall(question)
        return connection.recv(100)
    return b""
