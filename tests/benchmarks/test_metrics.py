"""The metrics behind the suite: processes, scrapes, series."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks.families import built, outcome
from tests.servers.leftovers import wait_until


def test_multiprocess_mode_does_not_spread() -> None:
    """While a counter lies in a file, other metrics of the process do not."""
    values = pytest.importorskip("prometheus_client.values")
    before, environment = values.ValueClass, dict(os.environ)
    with built("metrics.multiprocess_counter_inc[prometheus_client]") as operation:
        operation.call()
        assert values.ValueClass is before
        assert dict(os.environ) == environment


@pytest.mark.parametrize("library", ["pybreaker", "pyresilience", "resilience_stack"])
def test_a_guarded_call_is_counted_in_files(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finds the calls of the case in its folder, and nothing spreads from it."""
    values = pytest.importorskip("prometheus_client.values")
    multiprocess = pytest.importorskip("prometheus_client.multiprocess")
    before, environment = values.ValueClass, dict(os.environ)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with built(f"telemetry.multiprocess_success[{library}]") as operation:
        operation.call()
        operation.call()
        assert operation.count is not None
        counted = operation.count()
        assert counted == 3  # with one of the set-up
        [folder] = tmp_path.iterdir()
        wait_until(lambda: counted in read_files(multiprocess, folder), "they are in no file")
        assert values.ValueClass is before
        assert dict(os.environ) == environment
    assert list(tmp_path.iterdir()) == []


def read_files(multiprocess: ModuleType, folder: Path) -> list[float]:
    """The values of all counters of calls in the files of a folder."""
    registry = pytest.importorskip("prometheus_client").CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(folder))
    return [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]


def test_forked_process_counts_in_its_own_file() -> None:
    """The operation of a file-backed counter also works in a forked process."""
    with built("metrics.multiprocess_counter_inc[prometheus_client]") as operation:
        operation.call()
        child = os.fork()
        if child == 0:
            try:
                operation.call()
            except BaseException:  # noqa: BLE001 - a forked test must not return to pytest
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)

        assert status == 0
        assert operation.count is not None
        assert operation.count() == 2


def test_scrape_writes_one_line_a_series() -> None:
    """The text of a scrape has as many samples as the case's name says."""
    with built("metrics.scrape_100_series[prometheus_client]") as operation:
        lines = operation.call().decode().splitlines()

    assert len([line for line in lines if not line.startswith("#")]) == 100


def test_scrape_of_opentelemetry_has_every_series() -> None:
    """Ten thousand series are not folded into the overflow series of OpenTelemetry."""
    with built("metrics.scrape_10k_series[opentelemetry_sdk,attributes=2]") as operation:
        [resource] = operation.call().resource_metrics
        [metric] = resource.scope_metrics[0].metrics

    assert len(metric.data.data_points) == 10_000


def test_a_child_that_is_made_is_forgotten() -> None:
    """Every call makes another child, so that none is looked up instead of made."""
    with built("metrics.construct_child[prometheus_client]") as operation:
        first, second = operation.call(), operation.call()

    assert first is not None
    assert first is not second


@pytest.mark.parametrize("attributes", [0, 2, 5])
def test_ten_thousand_series_are_not_collected_with_most_attributes(attributes: int) -> None:
    """Making them would take longer than all other cases together."""
    name = f"metrics.scrape_10k_series[opentelemetry_sdk,attributes={attributes}]"
    reason = "10 000 series are collected with 2 attributes only"

    assert (outcome(name) == reason) is (attributes == 5)
