"""A real Prometheus for a test: on a free port of this machine, with its data in a folder."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import require

PATIENCE_S = 120.0
"""No busy machine takes so long; a server that hangs does."""
Labels = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Prometheus:
    """A running Prometheus.

    Attributes:
        at_s: The moment that queries are about, in seconds since 1970; None for now.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    at_s: float | None = None

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; an answer that is an error fails the test."""
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expr: str) -> dict[Labels, float]:
        """Return the values of an expression by their labels."""
        moment = {} if self.at_s is None else {"time": str(self.at_s)}
        data = self.get("query", query=expr, **moment)
        if data["resultType"] == "scalar":
            return {frozenset(): float(data["result"][1])}
        return {
            frozenset(entry["metric"].items()): float(entry["value"][1]) for entry in data["result"]
        }

    def wait_for(self, expr: str) -> None:
        """Ask until the expression has a value."""
        ends_s = time.monotonic() + PATIENCE_S
        while not self.query(expr):
            assert time.monotonic() < ends_s, f"no {expr}: {self.log.read_text()}"
            time.sleep(0.2)

    def is_ready(self) -> bool:
        """Whether it answers."""
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready").close()
            return True
        return False


def find_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def start(folder: Path, config: Mapping[str, Any], *options: str) -> Iterator[Prometheus]:
    """Run a Prometheus with this configuration and options; ``folder/data`` has its data."""
    program = require("prometheus")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    log, port = folder / "prometheus.log", find_port()
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *options,
    ]
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        server = Prometheus(process, port, log)
        ends_s = time.monotonic() + PATIENCE_S
        while not server.is_ready():
            assert time.monotonic() < ends_s, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
