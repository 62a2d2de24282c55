"""The metrics, as the parsers of Prometheus and of its Python client read them."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import parser as text_format
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_format

from resilience_bench._model import Case, Result
from resilience_bench.errors import UserError
from resilience_bench.quantities import QUANTITIES
from resilience_bench.report import openmetrics
from resilience_bench.report.exported import UNITS, find_unit
from tests.conftest import require
from tests.factories import make_case, make_result, measured_result, with_all_signals
from tests.load_factories import concurrency_result

ODD = 'a "quoted" \\ back\nslash {x="1"} # \x1b[2J \ud800 é'


def read(result: Result) -> dict[str, Metric]:
    """The families of a result, as OpenMetrics' own parser reads them."""
    text = openmetrics.render(result)
    return {
        family.name: family for family in openmetrics_format.text_string_to_metric_families(text)
    }


def count_samples(families: Iterable[Metric]) -> int:
    """The samples of all families."""
    return sum(len(family.samples) for family in families)


@functools.cache
def everything() -> Result:
    """A result with every signal, alone and under loads, and a case with an odd name."""
    every, odd = with_all_signals(concurrency_result()), measured_result({make_case(ODD): 500.0})
    return replace(every, cases=(*every.cases, *odd.cases), workers=(*every.workers, *odd.workers))


def test_times_are_in_seconds_with_their_interval() -> None:
    """The estimate and both ends are metrics of their own; the name ends with the unit."""
    case = make_case(load="single")
    families = read(measured_result({case: 1000.0}, workers=8, spread=0.01))
    values = []
    for name in ("latency_low", "latency", "latency_high"):
        family = families[f"resilience_bench_{name}_seconds"]
        assert (family.type, family.unit) == ("gauge", "seconds")
        [sample] = family.samples
        assert sample.labels == {
            "case": case.name,
            "family": "breaker",
            "scenario": "closed_success",
            "library": "pybreaker",
            "load": "single",
            "payload": "noop",
        }
        values.append(sample.value)
    assert values == sorted(values)
    assert values[1] == pytest.approx(1e-6, rel=0.02)
    [overhead] = families["resilience_bench_overhead_seconds"].samples
    assert overhead.value == pytest.approx(0.95e-6, rel=0.02)


def test_counts_bytes_and_scalings_have_their_units() -> None:
    """Names are those that the documentation gives, and each ends with its unit."""
    families = read(everything())
    units = {name: family.unit for name, family in families.items()}
    for name, unit in {
        "instructions": "instructions",
        "overhead_instructions": "instructions",
        "allocated_bytes": "bytes",
        "scaling_ratio": "ratio",
        "scaling_low_ratio": "ratio",
        "latency_ratio": "ratio",
        "calls_per_second": "calls_per_second",
    }.items():
        assert units[f"resilience_bench_{name}"] == unit


def test_every_judged_quantity_has_a_name_of_its_own() -> None:
    """Whatever quantity is added to the table gets a name that ends with its unit."""
    names = [openmetrics.make_name(name, find_unit(name)) for name in QUANTITIES]
    assert len(set(names)) == len(names)
    assert all(name.endswith(f"_{unit}") for name, unit in names)
    known = set(openmetrics.UNITS) | {"1/s", "blocks"}
    assert {*UNITS.values(), ""} <= known


def test_the_run_is_described() -> None:
    """One series has Python, CPU, commit and date; another the time, for alerts on old results."""
    families = read(measured_result({make_case(): 1000.0}))
    [described] = families["resilience_bench_run_info"].samples
    assert described.value == 1
    assert described.labels["python"] == "CPython 3.11.9"
    assert described.labels["cpu"] == "AMD EPYC 7B13"
    assert described.labels["commit"].startswith("0123456789abcdef")
    assert described.labels["clean"] == "false"
    assert described.labels["date"] == "2026-01-02T03:04:05+00:00"
    [ended] = families["resilience_bench_run_timestamp_seconds"].samples
    assert ended.value == 1767323100


def test_a_date_that_somebody_edited_is_left_out() -> None:
    """The rest is still exported."""
    families = read(measured_result({make_case(): 1000.0}, ended="yesterday"))
    assert "resilience_bench_run_timestamp_seconds" not in families
    assert "resilience_bench_latency_seconds" in families


def test_an_odd_name_is_one_label_of_one_series() -> None:
    """Quotes, backslashes and line breaks are escaped; both parsers read the same."""
    result = measured_result({Case("a\nb", 'c"d', ODD): 1000.0})
    text = openmetrics.render(result)
    assert text.isprintable() is False  # line breaks
    assert all(line.isprintable() for line in text.split("\n"))
    readings = [
        {family.name: family for family in parse(text)}["resilience_bench_latency_seconds"]
        for parse in (
            openmetrics_format.text_string_to_metric_families,
            text_format.text_string_to_metric_families,
        )
    ]
    for reading in readings:
        [sample] = reading.samples
        assert sample.labels["family"] == "a\nb"
        assert sample.labels["scenario"] == 'c"d'
        assert sample.labels["library"].startswith('a "quoted" \\ back\nslash {x="1"} # ')
        assert sample.labels["library"].endswith(r"\x1b[2J \ud800 é")


def test_the_textfile_collector_reads_the_same() -> None:
    """Prometheus's older text format has the same samples, and none with a timestamp."""
    text = openmetrics.render(everything())
    assert text.endswith("\n# EOF\n")
    old = list(text_format.text_string_to_metric_families(text))
    new = list(openmetrics_format.text_string_to_metric_families(text))
    assert count_samples(old) == count_samples(new) > 100
    assert all(sample.timestamp is None for family in old for sample in family.samples)


@pytest.mark.needs("promtool")
def test_promtool_finds_nothing_to_complain_about() -> None:
    """Prometheus's own checker parses the text and accepts every name."""
    done = subprocess.run(
        [require("promtool"), "check", "metrics"],
        input=openmetrics.render(everything()),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_case_that_comes_twice_is_one_series() -> None:
    """A file that somebody put together makes no text that Prometheus refuses."""
    result = measured_result({make_case(): 1000.0})
    families = read(replace(result, cases=result.cases * 2))
    assert len(families["resilience_bench_latency_seconds"].samples) == 1


@pytest.mark.needs("promtool")
def test_prometheus_stores_every_sample(tmp_path: Path) -> None:
    """Its own parser of OpenMetrics reads the text into a database, with odd names and all.

    Only the import wants a time behind each sample; a scrape has one of its own.
    """
    text = openmetrics.render(everything())
    lines = [line if line.startswith("#") else f"{line} 1767323100" for line in text.splitlines()]
    (tmp_path / "metrics.om").write_text("\n".join(lines) + "\n")
    (tmp_path / "data" / "wal").mkdir(parents=True)
    promtool = [require("promtool"), "tsdb"]
    for command in (["create-blocks-from", "openmetrics", "metrics.om", "data"], ["dump", "data"]):
        done = subprocess.run(
            [*promtool, *command], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr
    stored = [line for line in done.stdout.splitlines() if "resilience_bench_" in line]
    assert len(stored) == sum(not line.startswith("#") for line in lines) > 100


def test_nothing_measured_is_refused() -> None:
    """An empty file would look like a run in which everything vanished."""
    with pytest.raises(UserError, match="nothing was measured"):
        openmetrics.render(make_result())
