"""A scheduler and workers on loopback, each worker a host of its own by name."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BIN: Final = Path(sys.executable).parent
PATIENCE_S: Final = 240.0
LIBRARY: Final = Path(__file__).resolve().parent


def find_free_port() -> int:
    """Return a port of loopback that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class LocalFleet:
    """The processes of a fleet below a folder; each is started and ended by its own name."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=find_free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    replaced: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address of the scheduler."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start the scheduler, again where it ended before, and wait until it listens."""
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self._start("scheduler", [str(BIN / "dask"), "scheduler", *where])
        wait_for(self._is_listening)

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start_worker(self, host: str, cwd: Path | None = None) -> None:
        """Start the worker of a host; it joins in a few seconds."""
        command = [str(BIN / "resilience-bench"), "fleet", "worker", self.address, "--host", host]
        self._start(host, command, cwd)

    def wait_for_workers(self, *hosts: str) -> None:
        """Wait until the workers of these hosts have joined."""
        wait_for(lambda: all("measuring for" in self.read_log(host) for host in hosts))

    def read_log(self, name: str) -> str:
        """Return what a process has printed since it was last started."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start(self, name: str, command: Sequence[str], cwd: Path | None = None) -> None:
        path = os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH", "")]))
        own = {"PYTHONPATH": path, "RESILIENCE_BENCH_CACHE": str(self.folder / "cache")}
        if name in self.processes:
            self.replaced.append(self.processes[name])
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=cwd or self.folder,
                env={**os.environ, **own, **self.variables},
            )

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one process by its ID, and wait for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait()

    def end(self) -> None:
        """End all processes that are left."""
        for name in list(self.processes):
            self.kill(name)
        for process in self.replaced:
            process.kill()
            process.wait()


@contextlib.contextmanager
def start_fleet(
    folder: Path, hosts: Sequence[str], variables: Mapping[str, str] | None = None
) -> Iterator[LocalFleet]:
    """Start a scheduler and a worker a host; all are ended in the end."""
    fleet = LocalFleet(folder, variables or {})
    try:
        fleet.start_scheduler()
        for host in hosts:
            fleet.start_worker(host)
        fleet.wait_for_workers(*hosts)
        yield fleet
    finally:
        fleet.end()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; TimeoutError after some minutes."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a process of the fleet did not start")
        time.sleep(0.1)
