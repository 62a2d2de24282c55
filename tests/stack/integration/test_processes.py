"""Metrics of a service with several worker processes, as gunicorn runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import require

WORKERS = 4
FAMILIES = {
    "resilience_breaker_state",
    "resilience_breaker_state_seconds_total",
    "resilience_breaker_transitions_total",
    "resilience_bulkhead_limit",
    "resilience_cache_failed_writes_total",
    "resilience_cache_reads_total",
    "resilience_call_seconds",
    "resilience_calls_in_flight",
    "resilience_calls_total",
    "resilience_fallback_failures_total",
    "resilience_fallbacks_total",
    "resilience_guard_degraded",
    "resilience_retries_total",
    "resilience_retry_budget_exhausted_total",
}
"""All metrics of the stack."""
PATIENCE_S = 120.0
"""No busy machine takes so long; a service that hangs does."""
SERVICE = """
import os
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from resilience_stack import Bulkhead, Fallback, Policy, ResilienceManager, Retry, RetryBudget
from resilience_stack.integrations.redis import Cache, policy

manager = ResilienceManager(sleep=lambda seconds: None)
once_more = (Retry(attempts=2, wait_initial_s=0.0, jitter_s=0.0),)
stock = manager.guard("stock", Policy(fail_max=1_000_000, retries=once_more))
prices = manager.guard("prices", Policy(retries=()), Fallback(default=lambda: "0"))
everything = Policy(retries=once_more, bulkhead=Bulkhead(limit=3), budget=RetryBudget())
search = manager.guard("search", everything, Fallback(stale_s=60, default=lambda: "0"))
cache = Cache(manager.guard("cache", policy()), "redis://127.0.0.1:1/0")


@stock
def count(fails):
    if fails:
        raise ConnectionError
    return "3"


@prices
def ask():
    raise ConnectionError


count(False)  # before the fork, where gunicorn loads the application first


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        body = generate_latest(registry).decode()
    elif path == "/rendered":
        body = manager.render_metrics()[0].decode()
    else:
        try:
            body = ask() if path == "/price" else count(path == "/fail")
        except ConnectionError:
            body = "failed"
        body += f" {os.getpid()}"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [body.encode()]
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    loads_first: bool

    def get(self, path: str) -> str:
        """Return the body of a response; a service that begins is waited for."""
        ends_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as response:
                    return str(response.read().decode())
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, (self.folder / "log.txt").read_text()
                assert time.monotonic() < ends_s
                time.sleep(0.05)

    def scrape(self, path: str = "/metrics") -> dict[tuple[str, ...], float]:
        """Return the samples of all processes by name and values of labels."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.get(path))
            for sample in family.samples
        }

    def wait_for(self, expected: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
        """Scrape until the samples are as expected; what was scraped last if they never are."""
        ends_s = time.monotonic() + PATIENCE_S
        while True:
            found = self.scrape()
            shown = {key: found.get(key) for key in expected}
            if shown == expected or time.monotonic() > ends_s:
                assert shown == expected
                return found
            time.sleep(0.1)


@pytest.fixture(params=["loaded by each worker", "loaded before the fork"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A gunicorn with some workers, on a free port."""
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "metrics").mkdir()
    with socket.socket() as listening, (tmp_path / "log.txt").open("wb") as log:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        os.set_inheritable(listening.fileno(), True)  # noqa: FBT003
        loads_first = "before" in request.param
        preload = ["--preload"] if loads_first else []
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "service:app", *preload),
                *("--workers", str(WORKERS), "--bind", f"fd://{listening.fileno()}"),
                *("--timeout", "600", "--graceful-timeout", "60", "--worker-tmp-dir", "/dev/shm"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")},
            pass_fds=[listening.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            yield Service(process, listening.getsockname()[1], tmp_path, loads_first)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_every_call_of_every_process_is_counted_once(service: Service) -> None:
    """A scrape shows the calls of all workers, also of one that was ended since, and no more."""
    for path in ["/", "/", "/fail", "/price"] * 25:
        service.get(path)
    loads = 1 if service.loads_first else WORKERS
    expected = {
        ("resilience_calls_total", "stock", "success"): 50.0 + loads,
        ("resilience_call_seconds_count", "stock", "success"): 50.0 + loads,
        ("resilience_call_seconds_bucket", "stock", "+Inf", "success"): 50.0 + loads,
        ("resilience_calls_total", "stock", "failure"): 25.0,
        ("resilience_retries_total", "stock"): 25.0,
        ("resilience_fallbacks_total", "prices", "default"): 25.0,
    }
    shown = service.wait_for(expected)
    prices = [shown[("resilience_calls_total", "prices", end)] for end in ("failure", "rejected")]
    assert sum(prices) == 25.0  # how many until a breaker opens depends on who serves
    assert shown[("resilience_breaker_transitions_total", "closed", "stock", "open")] == 0.0

    served_by = [service.get("/").split()[-1] for _ in range(10)]
    os.kill(int(served_by[-1]), signal.SIGTERM)  # right after its last call
    loads += 0 if service.loads_first else 1  # of the worker that takes its place
    success = ("resilience_calls_total", "stock", "success")
    service.wait_for({**expected, **{key: 60.0 + loads for key in expected if "success" in key}})
    for path in ("/metrics", "/rendered"):
        assert service.scrape(path)[success] == 60.0 + loads


def test_the_places_of_a_bulkhead_are_those_of_the_workers(service: Service) -> None:
    """A master that has loaded the application serves nothing: the alert needs the true limit."""
    service.get("/")
    service.wait_for({("resilience_bulkhead_limit", "search"): 3.0 * WORKERS})


def test_promtool_has_nothing_to_say(service: Service, tmp_path: Path) -> None:
    """The exposition of several processes, and that of one, pass promtool's lint."""
    promtool = require("promtool")
    service.get("/price")
    service.wait_for({("resilience_calls_total", "prices", "failure"): 1.0})
    command = "from service import manager; from prometheus_client import REGISTRY, generate_latest"
    alone = subprocess.run(
        [sys.executable, "-c", f"{command}; print(generate_latest(REGISTRY).decode())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    command = "from service import manager; print(manager.render_metrics()[0].decode())"
    rendered = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for exposition in (service.get("/metrics"), alone.stdout, rendered.stdout):
        named = {line.split()[2] for line in exposition.splitlines() if line.startswith("# TYPE")}
        assert {name for name in named if not name.endswith("_created")} >= FAMILIES
        said = subprocess.run(
            [promtool, "check", "metrics"],
            input=exposition,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (said.returncode, said.stdout + said.stderr) == (0, "")
