"""A service that a real Prometheus has scraped, beside results of the suite."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from resilience_bench.files import results
from resilience_bench.report import openmetrics
from tests.conftest import ROOT
from tests.monitoring import prometheus_server
from tests.monitoring.prometheus_server import Prometheus
from tests.monitoring.rules import RULE_FILES
from tests.monitoring.service import Service

RUNS = ("quick", "real", "threads")
SCRAPES = 4
"""So often the service is scraped before the tests ask: two are enough for a rate."""

SWINGS = 9
"""A breaker that swings at each scrape has changed six times at least, as the alert asks."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus, and what the suite's results say by the files themselves."""

    prometheus: Prometheus
    figures: list[Sample]


@pytest.fixture(scope="session")
def exports() -> dict[str, str]:
    """What the suite measured of the stack, in the form in which Prometheus reads it."""
    return {name: _export(ROOT / "results" / f"{name}.json") for name in RUNS}


def _export(path: Path) -> str:
    result = results.read(path)
    mine = tuple(each for each in result.cases if each.case.library == "resilience_stack")
    return openmetrics.render(dataclasses.replace(result, cases=mine))


@pytest.fixture(scope="session")
def exported(exports: dict[str, str]) -> dict[str, frozenset[str]]:
    """The labels of every metric that the stack and the suite export, by the metric's name."""
    families: list[Metric] = list(_collect_stack())
    for text in exports.values():
        families += text_string_to_metric_families(text)
    found: dict[str, frozenset[str]] = {"up": frozenset()}
    for sample in (sample for family in families for sample in family.samples):
        found[sample.name] = found.get(sample.name, frozenset()) | set(sample.labels)
    return found


def _collect_stack() -> Iterator[Metric]:
    with pytest.MonkeyPatch.context() as patch:
        registry: CollectorRegistry = Service(patch.setattr).registry
        yield from registry.collect()


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.monitoring.service", str(folder)]
    with (
        (folder / "service.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def watched(exports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A Prometheus that has scraped the service some times, and the suite's results."""
    folder = tmp_path_factory.mktemp("watched")
    for name, text in exports.items():
        (folder / name).write_text(text)
    gone = prometheus_server.find_port()
    with _serve(folder) as port, contextlib.ExitStack() as soon_gone:
        scraped = [f"127.0.0.1:{port}"]
        leaving = soon_gone.enter_context(_serve(folder))
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in RULE_FILES],
            "scrape_configs": [
                {
                    "job_name": "shop",
                    "static_configs": [{"targets": [*scraped, f"127.0.0.1:{gone}"]}],
                },
                {
                    "job_name": "swing",
                    "metrics_path": "/swing",
                    "static_configs": [{"targets": scraped}],
                },
                {
                    "job_name": "leaving",
                    "static_configs": [{"targets": [f"127.0.0.1:{leaving}"]}],
                },
                *(
                    {
                        "job_name": name,
                        "metrics_path": f"/{name}",
                        "static_configs": [{"targets": scraped}],
                    }
                    for name in exports
                ),
            ],
        }
        with prometheus_server.start(folder, config) as server:
            server.wait_for(f'count_over_time(up{{job="shop"}}[1h]) >= {SCRAPES}')
            server.wait_for("job_guard:resilience_attempts_per_call:ratio_rate5m")
            for name in exports:
                server.wait_for(f'resilience_bench_run_info{{job="{name}"}}')
            server.wait_for('up{job="shop"} == 0')
            server.wait_for('instance:resilience_guards:count{job="leaving"}')
            soon_gone.close()
            server.wait_for('up{job="leaving"} == 0')
            server.wait_for(f'count_over_time(up{{job="swing"}}[1h]) >= {SWINGS}')
            server.at_s = server.query("time()")[frozenset()]
            yield Watched(server, [sample for text in exports.values() for sample in _parse(text)])


def _parse(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples
