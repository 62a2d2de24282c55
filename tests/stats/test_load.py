"""Rates, waits, percentiles and marks of cases under load, from values that are known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench._model import BUCKET, Estimate, LoadRecord, Measurement, Tally
from resilience_bench.report import data
from resilience_bench.stats.correctness import describe_defect, find_defects, sum_tallies
from resilience_bench.stats.latency import divide_by_fastest, estimate
from resilience_bench.stats.load import compute_worker_loads, estimate_controls
from tests.factories import make_case, make_record, measured_result
from tests.load_factories import (
    concurrency_result,
    control_of,
    histogram,
    loaded_result,
    make_load_record,
    make_load_samples,
    make_loads,
    make_tally,
)

CASE = make_case(load="threads-16", payload="io")
RATES = (800.0, 900.0, 1000.0, 850.0)
BARE = (10_000.0, 9_000.0, 12_500.0, 10_000.0)


def measured(*records: LoadRecord) -> Measurement:
    """The one measurement of these workers."""
    [found] = estimate(loaded_result(records, [CASE]))
    return found


def with_samples(index: int = 0, **more: object) -> LoadRecord:
    """A worker whose samples have these fields."""
    samples = make_load_samples(RATES, 16, **more)
    return make_loads(CASE, RATES, BARE, index=index, operations={CASE.name: samples})


def test_quantities_of_a_worker_are_medians_over_its_rounds() -> None:
    """Rates, their quotient round by round, what a caller waits, and how fair it was."""
    found = measured(make_loads(CASE, RATES, BARE))
    values = {name: each.value for name, each in found.quantities.items()}
    assert values == pytest.approx(
        {
            "scaling": (0.08 + 0.085) / 2,
            "calls_per_s": 875.0,
            "control_calls_per_s": 10_000.0,
            "call_ns": (16e9 / 850 + 16e9 / 900) / 2,
            "overhead_ns": (16e9 / 850 - 16e9 / 1e4 + 16e9 / 900 - 16e9 / 9e3) / 2,
            "fairness": 0.9,
        },
        rel=0.02,
    )
    assert (found.workers, found.samples, found.timed_calls) == (1, 4, 0)


def test_scaling_is_free_of_what_slows_both_down() -> None:
    """In a round in which the machine is half as fast, control and operation are, and it stays."""
    found = measured(make_loads(CASE, (800.0, 400.0, 200.0), (10_000.0, 5_000.0, 2_500.0)))
    scaling = found.quantities["scaling"]
    assert (scaling.low, scaling.value, scaling.high) == pytest.approx((0.08, 0.08, 0.08))


def test_the_interval_is_over_workers() -> None:
    """Each worker counts once; three are too few, and so far apart that it is said."""
    records = [make_loads(CASE, (rate,), (1e4,), index=index) for index, rate in enumerate(RATES)]
    found = measured(*records)
    scaling = found.quantities["scaling"]
    assert scaling.low < scaling.value < scaling.high
    assert found.warnings == (
        "only 4 workers; need at least 5 for a 95 % interval",
        "interval of scaling spans more than 10% of the value",
    )
    assert measured(*(make_loads(CASE, RATES, index=each) for each in range(5))).warnings == ()


def test_what_cannot_be_computed_is_left_out() -> None:
    """No control, no calls, nothing timed: the other quantities are reported, none is made up."""
    alone = measured(make_loads(CASE, RATES, controls={}))
    assert set(alone.quantities) == {"calls_per_s", "call_ns", "fairness"}
    stuck = measured(make_loads(CASE, (0.0, 0.0), (0.0, 0.0)))
    assert set(stuck.quantities) == {"calls_per_s", "control_calls_per_s"}
    assert estimate(loaded_result([], [CASE])) == []


def test_a_worker_that_was_cut_short_counts_with_the_rounds_it_has() -> None:
    """A control with one sample more than the operation is compared with those in common."""
    found = measured(make_loads(CASE, RATES[:3], BARE))
    assert found.quantities["scaling"].value == pytest.approx(0.08)


def test_reads_are_reported_where_there_are_readers() -> None:
    """Readers beside writers have a rate of their own."""
    found = measured(with_samples(elapsed_ns=10_000_000, reads=(10, 20, 30, 40)))
    assert found.quantities["reads_per_s"].value == pytest.approx(2500.0)


def test_percentiles_are_those_of_all_workers_together() -> None:
    """Within 1 %, less what the clock takes, from the least to the most of the workers' own."""
    workers = [
        with_samples(
            index,
            latencies=histogram([base * 1000.0] * 9_000 + [base * 9000.0] * 1_000),
            longest_ns=base * 10_000,
            clock_ns=clock_ns,
        )
        for index, (base, clock_ns) in enumerate([(10, 50.0), (20, 50.0), (40, 90.0)])
    ]
    found = measured(*workers)
    assert found.timed_calls == 30_000
    expected = {"p50_ns": (20, 10, 40), "p90_ns": (40, 10, 40), "p99_ns": (360, 90, 360)}
    for name, (value, low, high) in expected.items():
        seen = found.quantities[name]
        assert (seen.value, seen.low, seen.high) == pytest.approx(
            (value * 1000, low * 1000, high * 1000), rel=0.011
        )
    assert found.quantities["longest_ns"] == Estimate(400_000, 100_000, 400_000)
    assert found.quantities["clock_ns"] == Estimate(50.0, 50.0, 90.0)


@pytest.mark.parametrize(
    ("calls", "reported"),
    [
        (19, set()),
        (20, {"p50_ns"}),
        (100, {"p50_ns", "p90_ns"}),
        (999, {"p50_ns", "p90_ns"}),
        (1000, {"p50_ns", "p90_ns", "p99_ns"}),
        (9_999, {"p50_ns", "p90_ns", "p99_ns"}),
        (10_000, {"p50_ns", "p90_ns", "p99_ns", "p999_ns"}),
    ],
)
def test_a_percentile_needs_ten_calls_beyond_it(calls: int, reported: set[str]) -> None:
    """With fewer it would be chance, so it is not reported; the longest call always is."""
    found = measured(with_samples(latencies={300: calls}, longest_ns=400))
    assert set(found.quantities) & {"p50_ns", "p90_ns", "p99_ns", "p999_ns"} == reported
    assert found.quantities["longest_ns"].value == 400


@given(st.lists(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), min_size=1, max_size=5))
def test_percentiles_are_in_order_and_within_the_workers_own(taken: list[list[int]]) -> None:
    """Whatever was timed: low <= value <= high, p50 <= p90 <= p99 <= the longest, never below 0."""
    workers = [
        with_samples(
            latencies=histogram(each * 100), longest_ns=max(each), clock_ns=float(len(each))
        )
        for each in taken
    ]
    quantities = measured(*workers).quantities
    names = [value for value in ("p50_ns", "p90_ns", "p99_ns", "longest_ns") if value in quantities]
    values = [quantities[name].value for name in names]
    assert values == sorted(values)
    assert values[0] >= 0
    for name in names:
        each = quantities[name]
        assert each.low <= each.value <= each.high


def test_a_percentile_below_the_clock_is_zero() -> None:
    """Reading the clock may take longer than the call; a call takes no negative time."""
    found = measured(with_samples(latencies={3: 100}, longest_ns=3, clock_ns=50.0))
    assert found.quantities["p50_ns"].value == 0
    assert BUCKET**3 < 50


def test_the_lag_of_a_loop_is_computed_from_its_ticks() -> None:
    """Percentiles of all ticks, and the latest of them; a hundred ticks are enough for 99 %."""
    found = measured(with_samples(lags_ns=tuple(range(100))))
    lags = {name: each for name, each in found.quantities.items() if name.startswith("lag")}
    assert lags == {
        "lag_p50_ns": Estimate(49, 49, 49),
        "lag_p99_ns": Estimate(98, 98, 98),
        "lag_longest_ns": Estimate(99, 99, 99),
    }
    few = measured(with_samples(lags_ns=(5,) * 50), make_loads(CASE, RATES))
    assert "lag_p99_ns" not in few.quantities
    assert few.quantities["lag_longest_ns"].value == 5


@pytest.mark.parametrize(
    ("tallies", "expected"),
    [
        ([make_tally()], []),
        ([make_tally(counted=None, promised_count=None)], []),
        ([make_tally(12), make_tally(), make_tally(5)], ["loses counts: 17 of 3,000"]),
        ([make_tally(-3)], ["counts too much: 3 more than 1,000"]),
        ([make_tally(counted=1000.0000000001)], []),
        ([make_tally(0.5)], ["loses counts: 0.500 of 1,000"]),
        (
            [make_tally(12), make_tally(-12)],
            ["loses counts: 12 of 2,000", "counts too much: 12 more than 2,000"],
        ),
        (
            [make_tally(payload_runs=3, promised_runs=0)],
            ["the payload ran 3 times where none was promised"],
        ),
        (
            [make_tally(payload_runs=990)],
            ["the payload ran 990 times where 1,000 were promised"],
        ),
        (
            [make_tally(payload_runs=234, promised_runs=71)],
            ["the payload ran 234 times where 71 were promised"],
        ),
        ([make_tally(probes=1), make_tally(probes=16)], ["16 probes at once"]),
        ([make_tally(probes=1)], []),
        ([], []),
    ],
)
def test_defects_say_what_was_done_wrong(tallies: list[Tally], expected: list[str]) -> None:
    """A fast wrong answer is named; what one worker lost does not make up for another's surplus."""
    assert list(map(describe_defect, find_defects(tallies))) == expected


def test_tallies_of_workers_are_added() -> None:
    """Sums, the most probes, and nothing where nothing was counted."""
    assert sum_tallies([make_tally(12), make_tally(probes=3)]) == Tally(
        2000, 2000, 2000, 1988, 2000, 3
    )
    uncounted = make_tally(counted=None, promised_count=None)
    assert sum_tallies([uncounted, uncounted]) == Tally(2000, 2000, 2000)
    assert sum_tallies([]) is None


def test_marks_and_tallies_are_in_the_json() -> None:
    """Programs see what was counted, and what was wrong with it."""
    tallies = {CASE.name: make_tally(12)}
    result = loaded_result([make_loads(CASE, RATES, tallies=tallies)] * 2, [CASE])
    document = json.loads(data.render(result, estimate(result), "latency"))
    [entry] = document["cases"]
    assert entry["marks"] == ["loses counts: 24 of 2,000"]
    assert entry["tally"]["counted"] == 1976
    assert entry["control"] == control_of(CASE)
    assert document["controls"][control_of(CASE)]["calls_per_s"]["value"] == pytest.approx(10_000.0)


def test_controls_are_measured_over_all_blocks() -> None:
    """What one control did beside different cases is one measurement, without a scaling."""
    other = make_case("other", load="threads-16", payload="io")
    records = [make_loads(CASE, RATES), make_loads(other, RATES, block=1)]
    found = estimate_controls(loaded_result(records, [CASE, other]))
    [(key, bare)] = found.items()
    assert key == control_of(CASE)
    assert bare.workers == 2
    assert set(bare.quantities) == {"calls_per_s", "call_ns", "fairness"}


def test_numbers_for_the_gate_are_one_a_worker() -> None:
    """Without an estimate; cases that nobody asked for, or without a number, are left out."""
    other = make_case("other", load="threads-16", payload="io")
    records = [make_loads(CASE, (rate,), (1e4,)) for rate in RATES]
    records += [make_loads(other, RATES)]
    found = compute_worker_loads(records, [make_load_record(CASE)])
    assert set(found) == {CASE.name}
    assert found[CASE.name]["scaling"] == pytest.approx([0.08, 0.09, 0.1, 0.085], rel=0.02)
    assert compute_worker_loads([replace(records[0], controls={})], [make_load_record(CASE)]) == {}


def test_measurements_under_load_stand_among_the_others() -> None:
    """In the order of the file; single cases are as they were, and broken ones have no numbers."""
    single = make_case()
    result = measured_result({single: 1000.0})
    loaded = loaded_result([make_loads(CASE, RATES)] * 6, [CASE])
    both = replace(result, cases=(*loaded.cases, *result.cases), loads=loaded.loads)
    under_load, alone = estimate(both)
    assert (under_load.case, alone.case) == (CASE, single)
    assert [alone] == estimate(result)
    assert list(divide_by_fastest([under_load, alone])) == [single]
    broken = replace(both, cases=(replace(loaded.cases[0], status="broken"), *result.cases))
    assert estimate(broken) == [alone]


def test_a_case_may_have_a_latency_and_a_rate() -> None:
    """What both passes said is in one measurement, a warning of both once."""
    result = measured_result({CASE: 1000.0}, workers=2)
    record = replace(make_record(CASE), control=control_of(CASE))
    controls = {control_of(CASE): result.workers[0].controls["1xreturns"]}
    workers = tuple(replace(worker, controls=controls) for worker in result.workers)
    loads = (make_loads(CASE, RATES),) * 2
    [both] = estimate(replace(result, cases=(record,), workers=workers, loads=loads))
    assert {"ratio", "latency_ns", "scaling", "calls_per_s"} <= set(both.quantities)
    assert (both.workers, both.samples) == (2, 2 * 12 + 2 * 4)
    assert both.warnings.count("only 2 workers; need at least 5 for a 95 % interval") == 1


def test_the_same_file_gives_the_same_numbers() -> None:
    """Nothing about it is random."""
    result = concurrency_result(workers=3)
    assert estimate(result) == estimate(result)
