"""The Bencher Metric Format, decoded strictly by what its JSON schema says."""

from __future__ import annotations

import msgspec
import pytest

from resilience_bench._model import Case, Result
from resilience_bench.errors import UserError
from resilience_bench.report import bencher_json
from tests.factories import make_case, make_result, measured_result, with_all_signals
from tests.load_factories import concurrency_result

LONGEST_SLUG = 64


class Metric(msgspec.Struct, forbid_unknown_fields=True):
    """The values of a measure: ``value`` is required, the others may be missing."""

    value: float
    lower_value: float | None = None
    upper_value: float | None = None


def read(result: Result) -> dict[str, dict[str, Metric]]:
    """The metrics by benchmark and measure, or an error if something has another form."""
    text = bencher_json.render(result)
    return msgspec.json.decode(text, type=dict[str, dict[str, Metric]])


def test_the_built_in_measures_are_used() -> None:
    """Nanoseconds are Bencher's latency, calls a second its throughput."""
    case = make_case()
    alone = read(measured_result({case: 1000.0}, spread=0.01))
    latency = alone[case.name]["latency"]
    assert latency.value == pytest.approx(1000.0, rel=0.02)
    assert latency.lower_value is not None
    assert latency.upper_value is not None
    assert latency.lower_value < latency.value < latency.upper_value
    loaded = read(concurrency_result())
    loads = [measures for name, measures in loaded.items() if "threads-8" in name]
    assert loads
    assert all({"throughput", "scaling"} <= measures.keys() for measures in loads)


def test_every_measure_has_a_slug() -> None:
    """Lower case, digits and hyphens, at most 64 characters; intervals hold their values."""
    found = read(with_all_signals(concurrency_result()))
    measures = {measure for metrics in found.values() for measure in metrics}
    assert {"latency", "overhead-ns", "instructions", "allocated-bytes", "scaling"} <= measures
    for measure in measures:
        assert len(measure) <= LONGEST_SLUG
        assert measure.replace("-", "").isalnum()
        assert measure == measure.lower()


def test_an_odd_name_stays_one_benchmark() -> None:
    """JSON escapes what would end a string."""
    odd = 'a"b\\c\nd'
    assert list(read(measured_result({Case("f", odd): 1000.0}))) == [f"f.{odd}"]


def test_nothing_measured_is_refused() -> None:
    """Bencher would take an empty report for a run without benchmarks."""
    with pytest.raises(UserError, match="nothing was measured"):
        bencher_json.render(make_result())
