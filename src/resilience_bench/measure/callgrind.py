"""valgrind's callgrind: the command to run a worker under it, and the counts in its dumps."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from resilience_bench._model import Counts
from resilience_bench.errors import UserError
from resilience_bench.worker import client_request
from resilience_bench.worker.protocol import CountsMessage, MarkMessage, Message

SHOWN_LINES: Final = 2
PROBE_LIMIT_S: Final = 60.0
# https://valgrind.org/docs/manual/cl-format.html: "totals" or "summary", by version.
_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)", flags=re.MULTILINE)


class ValgrindFailedError(UserError):
    """valgrind is installed, but does not work."""


def explain_unavailability() -> str:
    """Return why instructions cannot be counted here, and what to install; empty if they can."""
    if sys.platform != "linux":
        return f"valgrind does not count Python's instructions on {sys.platform}"
    if shutil.which("valgrind") is None:
        return "valgrind is not installed; type: apt-get install valgrind"
    return ""


def build_command(folder: Path) -> list[str]:
    """Return the prefix of a command that has callgrind dump its counters into a folder."""
    return [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--trace-children=yes",
        # Raw instruction counts, dumped whenever the worker calls os.getppid().
        "--dump-before=getppid",
        "--dump-line=no",  # only the total of a dump is read
        "--vex-iropt-level=1",  # translating costs more here than running what was translated
        # The worker asks for counting when an operation stands ready, where it is able to.
        f"--instr-atstart={'no' if client_request.is_possible() else 'yes'}",
        f"--callgrind-out-file={folder}/%p",
    ]


def insert_counts(messages: Sequence[Message], folder: Path) -> Iterator[Message]:
    """Yield the messages, with the counts in place of the marks."""
    for message in messages:
        if isinstance(message, MarkMessage):
            # Dump 1 is what came before the first mark.
            first, second = (_read_total(folder / f"{message.process}.{part}") for part in (2, 3))
            counts = Counts(message.calls, (first, second))
            yield CountsMessage(message.kind, message.name, counts)
        else:
            yield message


def _read_total(dump: Path) -> int:
    try:
        total = _TOTAL.search(dump.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ValgrindFailedError(
            f"valgrind wrote no counters to {dump.name} ({error.strerror}); {_VERSION}"
        ) from error
    if total is None:
        raise ValgrindFailedError(
            f"valgrind wrote a dump without a total to {dump.name}; {_VERSION}"
        )
    return int(total[1])


_VERSION: Final = "type 'valgrind --version'; expected 3.15 or newer"


@functools.cache
def ensure_working(python: str = sys.executable) -> None:
    """Run Python under valgrind; ValgrindFailedError, with its last lines, if that fails."""
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    probe = [*callgrind, python, "-S", "-c", ""]
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            probe, capture_output=True, text=True, check=False, timeout=PROBE_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = str(error)
    else:
        if done.returncode == 0:
            return
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        failure = " | ".join(lines[-SHOWN_LINES:]) or f"exit code {done.returncode}"
    raise ValgrindFailedError(
        f"valgrind failed: {failure}; {_VERSION}, or leave instructions out with --signals"
    )
