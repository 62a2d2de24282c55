"""PostgreSQL: a cluster of its own, on a loopback port and a Unix socket in its folder."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
from pathlib import Path
from typing import Final

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import (
    HOST,
    Recipe,
    choose_folder,
    choose_port,
    find_program,
)

USER: Final = "bench"
OWNERS: Final = ("postgres", "nobody")
"""Who runs it where root runs the suite: it refuses to run as root."""
PID_FILE: Final = "data/postmaster.pid"
SETTINGS: Final = {
    "listen_addresses": HOST,
    # Shares are upper bounds: a call that also waits for the disk is longer.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "500",  # of a crowd that has just ended some may still be closing
    "dynamic_shared_memory_type": "mmap",
    "lc_messages": "C",
}


def check_programs() -> None:
    """Raise ProgramMissingError unless PostgreSQL is installed."""
    for name in ("initdb", "postgres"):
        _find_program(name)


def prepare() -> Recipe:
    """Prepare a server; ProgramMissingError if it is not installed."""
    folder, port, password = choose_folder("postgres"), choose_port(), secrets.token_hex(16)
    data = f"{folder}/data"
    create = (
        *(_find_program("initdb"), "--no-sync", "--pgdata", data, "--username", USER),
        # Only its owner and root can enter the folder of the socket.
        *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
        *("--pwfile", f"{folder}/password", "--locale", "C", "--encoding", "UTF8"),
    )
    serve = (
        *(_find_program("postgres"), "-D", data, "-p", str(port), "-k", folder),
        *(f"--{name}={value}" for name, value in SETTINGS.items()),
    )
    plan = KeepingPlan(
        folder,
        (create, serve),
        files={"password": password},
        user=_find_owner(),
        quit_signal=signal.SIGQUIT,
        shared_memory=PID_FILE,
    )
    address = ServerAddress(folder, HOST, port, USER, password)
    return Recipe(plan, address, lambda: _is_ready(Path(folder) / PID_FILE))


def _is_ready(pid_file: Path) -> bool:
    """Return whether the last line of postmaster.pid says that connections are accepted."""
    try:
        return pid_file.read_text(encoding="ascii").split()[-1:] == ["ready"]
    except (OSError, ValueError):
        return False


def _find_program(name: str) -> str:
    # Debian has the programs of all versions in no folder of PATH.
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    return find_program(name, "PostgreSQL", "postgresql", *newest_first)


def _find_owner() -> str:
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in OWNERS if name in names), "")
