"""A service that gets SIGTERM while its calls of a host are in flight."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.stack.integration.http_server import HttpServer
from tests.stack.integration.processes import PATIENCE_S, Process, reserve_port, wait_until

MODULE = "tests.stack.integration.serving_http"
GUNICORN = ("gunicorn", f"{MODULE}:wsgi", "--worker-tmp-dir", "/dev/shm", "--graceful-timeout=60")
UVICORN = ("uvicorn", f"{MODULE}:asgi", "--lifespan=on")


@pytest.fixture
def host() -> Iterator[HttpServer]:
    """The host that the service calls."""
    with HttpServer() as server:
        yield server


def count_calls(families: Iterable[Metric]) -> dict[str, float]:
    """Return the calls of all guards by outcome, and their retries as "retried"."""
    found = {"success": 0.0, "failure": 0.0, "rejected": 0.0, "retried": 0.0}
    for family in families:
        for sample in family.samples:
            if sample.name == "resilience_calls_total":
                found[sample.labels["outcome"]] += sample.value
            elif sample.name == "resilience_retries_total":
                found["retried"] += sample.value
    return found


@pytest.mark.parametrize(("kind", "at_once"), [("plain", 1), ("tasks", 4)])
def test_sigterm_cuts_calls_off(host: HttpServer, tmp_path: Path, kind: str, at_once: int) -> None:
    """It ends; each call that was cut off is counted once, as a failure, and not sent again."""
    log = tmp_path / "log"
    url = f"http://127.0.0.1:{host.port}/"
    process = Process([sys.executable, "-m", MODULE, kind, url], log=log, cwd=ROOT)
    try:
        wait_until(
            lambda: not process.is_running() or len(host.journal) > 20, "the service calls nobody"
        )
        host.hold.clear()
        wait_until(lambda: host.held == at_once, f"not {at_once} calls are in flight")
        sent = len(host.journal)
        assert process.terminate() == 0, log.read_text()
    finally:
        process.stop()
    assert len(host.journal) == sent
    assert count_calls(text_string_to_metric_families(log.read_text())) == {
        "success": sent - at_once,
        "failure": at_once,
        "rejected": 0,
        "retried": 0,
    }


@pytest.mark.parametrize(
    ("command", "stopping"),
    [(GUNICORN, "Handling signal: term"), (UVICORN, "Waiting for connections to close")],
    ids=["gunicorn", "uvicorn"],
)
def test_sigterm_lets_a_request_finish(
    host: HttpServer, tmp_path: Path, command: tuple[str, ...], stopping: str
) -> None:
    """A graceful server answers the request whose call is in flight; it is one success."""
    log, port = tmp_path / "log", reserve_port()
    address = [f"--bind=127.0.0.1:{port}"] if "gunicorn" in command else [f"--port={port}"]
    files = tmp_path / "metrics"
    files.mkdir()
    process = Process(
        [sys.executable, "-m", *command, *address],
        log=log,
        cwd=ROOT,
        env={"PROMETHEUS_MULTIPROC_DIR": str(files)},
    )

    def ask() -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{host.port}") as response:
            body: bytes = response.read()
            return body

    def answers() -> bool:
        assert process.is_running(), log.read_text()
        try:
            return ask() == b"body"
        except urllib.error.URLError:
            return False

    try:
        wait_until(answers, "the service does not answer")
        host.hold.clear()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            wait_until(lambda: host.held == 1, "no call is in flight")
            process.popen.terminate()
            wait_until(lambda: stopping in log.read_text(), "the server does not stop")
            host.hold.set()
            assert asked.result(PATIENCE_S) == b"body"
        # gunicorn ends well; uvicorn shuts down, then lets the signal end it.
        assert process.popen.wait(PATIENCE_S) in {0, -signal.SIGTERM}, log.read_text()
    finally:
        host.hold.set()
        process.stop()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(files))
    expected = {"success": 2, "failure": 0, "rejected": 0, "retried": 0}
    assert count_calls(registry.collect()) == expected
    assert len(host.journal) == 2
