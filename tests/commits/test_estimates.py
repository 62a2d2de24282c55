"""The estimates without numpy say the same as those with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resilience_bench._model import (
    Case,
    CaseRecord,
    Counts,
    InstructionRecord,
    LoadRecord,
    LoadSamples,
    Samples,
    WorkerRecord,
)
from resilience_bench.commits import estimates
from resilience_bench.stats.bootstrap import trimmed_mean
from resilience_bench.stats.latency import compute_worker_latencies
from resilience_bench.stats.load import compute_worker_loads
from resilience_bench.stats.quantiles import estimate_locations_ns
from tests.factories import CONTROL, make_case, make_record

GENERATOR = np.random.default_rng(20150823)


def noisy(call_ns: float, count: int = 16) -> tuple[int, ...]:
    """Samples of ten calls with noise that only adds."""
    return tuple(int(each) for each in 10 * call_ns * (1 + GENERATOR.exponential(0.05, count)))


def worker(index: int, speed: float = 1.0) -> WorkerRecord:
    """A worker that met the machine at some speed."""
    beside = tuple(range(16))
    return WorkerRecord(
        index,
        0,
        index,
        "",
        "",
        1.0,
        Samples(10, noisy(500 * speed)),
        {CONTROL: Samples(10, noisy(50 * speed), beside)},
        {make_case().name: Samples(10, noisy(1000 * speed), beside)},
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5, 14])
def test_location_and_centre_are_those_of_the_reports(count: int) -> None:
    """Quantile and trimmed mean agree with numpy's to the last digits, for any number of values."""
    values = GENERATOR.integers(1000, 2000, count).tolist()
    samples = Samples(3, tuple(values))
    assert estimates.estimate_location_ns(samples) == pytest.approx(
        estimate_locations_ns([samples])[0], rel=1e-12
    )
    assert estimates.trimmed_mean(values) == pytest.approx(
        float(trimmed_mean(np.array(values))), rel=1e-12
    )


@pytest.mark.parametrize("slow", [0, 3, 12])
def test_latency_figures_are_those_of_the_reports(slow: int) -> None:
    """Whether none, some or most of the workers met a slower machine."""
    workers = [worker(index, 1.4 if index < slow else 1.0) for index in range(14)]
    case = make_case()
    [expected] = compute_worker_latencies([make_record(case)], [workers])
    found = estimates.estimate_latency(workers, {case.name: CONTROL})
    assert set(found) == {case.name}
    for quantity, value in found[case.name].items():
        rows = np.array(expected[case.name][quantity])
        assert value == pytest.approx(float(trimmed_mean(rows)), rel=1e-12)
    assert set(found[case.name]) == {"overhead_ns", "ratio"}


def test_a_case_without_a_control_has_no_overhead() -> None:
    """What cannot be computed is left out."""
    found = estimates.estimate_latency([worker(index) for index in range(5)], {})
    assert set(found[make_case().name]) == {"ratio"}


def test_no_samples_have_no_location() -> None:
    """Nothing is made up where nothing was measured."""
    assert math.isnan(estimates.estimate_location_ns(Samples(1, ())))


def test_instructions_are_the_slope() -> None:
    """What surrounds the calls falls out."""
    record = InstructionRecord(0, 0, "", "", operations={"case": Counts((8, 32), (9000, 33_000))})
    assert estimates.estimate_instructions([record]) == {"case": {"instructions": 1000.0}}


def test_of_several_processes_the_middle_one_counts() -> None:
    """One memory layout that costs three per cent more moves nothing."""
    counted = (Counts((0, 10), (0, value)) for value in (10_000, 10_300, 9_990))
    records = [
        InstructionRecord(index, index, "", "", operations={"case": each})
        for index, each in enumerate(counted)
    ]
    assert estimates.estimate_instructions(records) == {"case": {"instructions": 1000.0}}


def test_scaling_is_more_where_more_is_lost() -> None:
    """It is the inverse of the reports' scaling, because asv takes more for worse."""
    case = Case("breaker", "closed", "pybreaker", load="threads-16", payload="io")
    records = [
        LoadRecord(
            index,
            0,
            index,
            "",
            "",
            {"control": LoadSamples(16, (1600, 1600), (10**7, 10**7), (100, 100), (100, 100))},
            {case.name: LoadSamples(16, (200, 100 + index), (10**7, 10**7), (1, 1), (9, 9))},
        )
        for index in range(5)
    ]
    cases = [CaseRecord(case, "measured", control="control")]
    reported = compute_worker_loads(records, cases)[case.name]["scaling"]
    found = estimates.estimate_scaling(records, {case.name: "control"})[case.name]["scaling"]
    assert found == pytest.approx(1 / float(trimmed_mean(np.array(reported))), rel=1e-12)
    assert found > 10


def test_an_operation_that_never_ended_has_no_scaling() -> None:
    """There is no such number as one divided by nothing."""
    stuck = LoadSamples(2, (0,), (10**7,), (0,), (0,))
    control = LoadSamples(2, (10,), (10**7,), (5,), (5,))
    record = LoadRecord(0, 0, 0, "", "", {"control": control}, {"case": stuck})
    assert estimates.estimate_scaling([record], {"case": "control"}) == {}
