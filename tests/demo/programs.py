"""The demo as a program, as the tests start it and end it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.servers.leftovers import PATIENCE_S

COMMAND = (sys.executable, "-m", "demo", "--port", "0", "--workers", "1", "--rate", "10")
ALONE = ("--without", "redis", "--without", "postgresql", "--without", "prometheus")
"""Options of a demo that needs no installed server."""
FIRST_WORDS = "open "
"""What the line with the address begins with; it is the last one before the demo runs."""


def run_demo(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a demo until it ends by itself."""
    return subprocess.run(
        ["env", *(f"{name}={value}" for name, value in variables.items()), *COMMAND, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def start_demo(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running demo, and the address of its page; it is ended if it has not ended yet."""
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        if not line.startswith(FIRST_WORDS):
            process.terminate()
            raise AssertionError(process.stderr.read())
        yield process, line.split()[1]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def read_command(pid: int) -> str:
    """The command of a process, words with blanks between; empty if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
