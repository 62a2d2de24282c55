"""Processes of the tests: on free ports, and ended whatever happens to the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from tests.conftest import require

__all__ = ["PATIENCE_S", "Process", "reserve_port", "wait_for_threads", "wait_until"]

PATIENCE_S = 60.0
"""A server that is not ready by then, or does not end by then, is broken."""


def reserve_port() -> int:
    """Return a port of 127.0.0.1 where nobody listens, and that nobody else gets.

    Its socket is bound until this process ends, and never listens: connections are refused. A
    server with SO_REUSEADDR, as each of the tests is, can listen there, and again after a crash.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    holder.detach()
    return port


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Ask again and again until it holds.

    Raises:
        TimeoutError: If it never does; the text says what was waited for.
    """
    ends_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > ends_s:
            message = f"waited {PATIENCE_S:g} s in vain: {what}"
            raise TimeoutError(message)
        time.sleep(0.01)


def wait_for_threads(others: Collection[threading.Thread]) -> None:
    """Wait until all threads have ended but these.

    Threads of other tests may end meanwhile, so their number says nothing.

    Raises:
        TimeoutError: If one never does.
    """
    wait_until(lambda: set(threading.enumerate()) <= set(others), "all threads have ended")


class Process:
    """A process that ends when this one does, however that ends.

    Attributes:
        popen: The running process.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        user: str | None = None,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            command: The program and its arguments.
            log: Where its output goes.
            user: Who it is run as; by default whoever runs the tests.
            cwd: Where it runs.
            env: What is added to the environment.
        """
        # setpriv of util-linux asks the kernel to end the process when its parent dies.
        as_user = (f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [require("setpriv"), *as_user, "--pdeathsig=KILL", "--", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self.popen.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def freeze(self) -> None:
        """Stop it where it is, with SIGSTOP; the kernel goes on accepting connections for it."""
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        return self._end(signal.SIGTERM)

    def stop(self) -> None:
        """End it whatever state it is in."""
        if self.is_running():
            self.thaw()
            self.popen.terminate()
            try:
                self.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait(PATIENCE_S)

    def _end(self, number: signal.Signals) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE_S)
