"""Numbers, intervals and warnings, from values that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from resilience_bench._model import (
    AllocationRecord,
    Counts,
    Estimate,
    InstructionRecord,
    Samples,
    Weight,
    WorkerRecord,
)
from resilience_bench.stats.latency import compute_worker_latencies, divide_by_fastest, estimate
from resilience_bench.stats.trimmed_t import FEWEST
from tests.factories import (
    CONTROL,
    CONTROL_NS,
    REFERENCE_NS,
    make_case,
    make_record,
    make_result,
    make_samples,
    make_worker,
    measured_result,
)

CASE = make_case()


def test_quantities_are_taken_within_each_worker() -> None:
    """Latency, latency less control, and latency by reference, as exact numbers."""
    [measured] = estimate(measured_result({CASE: 1000.0}))
    values = {name: quantity.value for name, quantity in measured.quantities.items()}
    expected = {
        "latency_ns": 1000.0,
        "overhead_ns": 1000.0 - CONTROL_NS,
        "ratio": 1000.0 / REFERENCE_NS,
    }
    assert values == pytest.approx(expected)
    assert measured.workers == 8
    assert measured.warnings == ()


def test_a_slow_machine_changes_the_nanoseconds_and_not_the_ratio() -> None:
    """In a worker in which everything takes twice as long, the ratio is what it was."""
    slow = make_worker(
        8, {CASE.name: 2000.0}, reference=make_samples(2 * REFERENCE_NS), controls={}
    )
    result = measured_result({CASE: 1000.0}, workers=1)
    result = replace(result, workers=(*result.workers, slow))
    [measured] = estimate(result)
    assert measured.quantities["ratio"].value == pytest.approx(2.0)
    assert measured.quantities["ratio"].high == pytest.approx(2.0)
    assert measured.quantities["latency_ns"].high > 1000.0


def changing(index: int, slow: Sequence[int]) -> WorkerRecord:
    """A worker whose reference takes twice as long in some samples, and the operation thrice."""
    reference = [100 * (2 if i in slow else 1) for i in range(12)]
    elapsed = [1000 * (3 if {i, i + 1} & set(slow) else 1) for i in range(11)]
    return make_worker(
        index,
        {},
        reference=Samples(1, tuple(reference)),
        controls={CONTROL: Samples(1, (50,) * 11, tuple(range(11)))},
        operations={CASE.name: Samples(1, tuple(elapsed), tuple(range(11)))},
    )


@pytest.mark.parametrize(
    ("slow", "workers"),
    [([()] * 8, 8), ([(), (), (), (), range(12), range(12)], 4), ([range(1, 9)] * 6, 6)],
    ids=["never", "in two workers", "most of the time"],
)
def test_samples_at_another_speed_are_set_aside(slow: list[Sequence[int]], workers: int) -> None:
    """Where the machine changes its speed, the samples at its best speed count, and no others."""
    made = [changing(index, each) for index, each in enumerate(slow)]
    [measured] = estimate(make_result([make_record(CASE)], made))
    values = [measured.quantities[name] for name in ("latency_ns", "overhead_ns", "ratio")]
    assert [value.value for value in values] == pytest.approx([1000.0, 950.0, 10.0])
    assert [each.high for each in values] == pytest.approx([1000.0, 950.0, 10.0])
    assert measured.workers == workers


def test_a_machine_that_never_keeps_its_speed_is_measured_all_the_same() -> None:
    """With too few samples at the best speed, all samples of all workers are used."""
    made = [changing(index, range(0, 12, 2)) for index in range(6)]
    [measured] = estimate(make_result([make_record(CASE)], made))
    assert measured.workers == 6
    assert measured.quantities["latency_ns"].value == pytest.approx(3000.0)


def test_measurements_come_in_the_order_of_the_file_without_what_has_no_samples() -> None:
    """Cases that were not measured have no measurement; broken ones have none either."""
    cases = [make_case(name) for name in ("c", "a", "b")]
    result = measured_result(dict.fromkeys(cases, 1000.0))
    records = [make_record(make_case("missing"), "not installed"), *result.cases]
    records[1] = make_record(cases[0], "broken")
    assert [each.case for each in estimate(replace(result, cases=tuple(records)))] == cases[1:]


def test_the_same_file_gives_the_same_interval() -> None:
    """Resampling is random, but always in the same way."""
    result = measured_result({CASE: 1000.0}, spread=0.05)
    assert estimate(result) == estimate(result)


def test_few_workers_wide_intervals_and_coarse_clocks_are_warned_of() -> None:
    """Each doubt is a sentence in the measurement."""
    [one] = estimate(measured_result({CASE: 1000.0}, workers=1))
    assert one.quantities["ratio"].low == one.quantities["ratio"].value
    [few] = estimate(measured_result({CASE: 1000.0}, workers=3))
    [wide] = estimate(measured_result({CASE: 1000.0}, workers=8, spread=0.3))
    coarse = make_result(
        [make_record(CASE)],
        [make_worker(i, {CASE.name: 1000.0}, clock_resolution_ns=1e3) for i in range(8)],
    )
    [ticks] = estimate(coarse)
    [sparse] = estimate(
        make_result(
            [make_record(CASE)],
            [
                make_worker(i, {}, operations={CASE.name: make_samples(1e6, count=2)})
                for i in range(8)
            ],
        )
    )
    for measured, part in (
        (one, "only 1 worker"),
        (few, "only 3 workers; need at least 5"),
        (wide, "more than 5%"),
        (ticks, "clock too coarse"),
        (sparse, "only 2 samples a worker"),
    ):
        assert any(part in warning for warning in measured.warnings), part


WHEN = ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00")


def counting(index: int, per_call: int, control: int = 100) -> InstructionRecord:
    """A process that counted so many instructions a call of the operation and of the control."""
    operations, controls = (
        Counts((10, 40), (5_000, 5_000 + 30 * value)) for value in (per_call, control)
    )
    return InstructionRecord(index, index, *WHEN, {CONTROL: controls}, {CASE.name: operations})


def weighing(index: int, *numbers: float) -> AllocationRecord:
    """A worker that weighed these numbers, in the order of the fields of `Weight`."""
    return AllocationRecord(index, index, *WHEN, {CASE.name: Weight(64, *numbers)})


def test_instructions_are_the_median_over_processes_from_smallest_to_largest() -> None:
    """Per call, and less the control of the same process, without any latency."""
    processes = (counting(0, 1000), counting(1, 1300, 200), counting(2, 1010))
    [measured] = estimate(make_result([make_record(CASE)], instructions=processes))
    assert measured.quantities == {
        "instructions": Estimate(1010, 1000, 1300),
        "overhead_instructions": Estimate(910, 900, 1100),
    }
    assert (measured.workers, measured.samples, measured.warnings) == (0, 0, ())


def test_allocations_are_the_median_over_workers_from_smallest_to_largest() -> None:
    """Each field of a weight has a quantity of its own."""
    workers = (weighing(0, 0, 0, 2, 100, 500), weighing(1, 1, 50, 2, 104, 900))
    [measured] = estimate(make_result([make_record(CASE)], allocations=workers))
    assert measured.quantities == {
        "allocated_blocks": Estimate(0.5, 0, 1),
        "allocated_bytes": Estimate(25, 0, 50),
        "object_blocks": Estimate(2, 2, 2),
        "object_bytes": Estimate(102, 100, 104),
        "peak_bytes": Estimate(700, 500, 900),
    }


def test_without_its_control_a_count_has_no_overhead() -> None:
    """What cannot be computed is missing."""
    alone = replace(counting(0, 1000), controls={})
    [measured] = estimate(make_result([make_record(CASE)], instructions=(alone,)))
    assert set(measured.quantities) == {"instructions"}


def test_all_signals_of_a_case_are_in_one_measurement() -> None:
    """The latency is what it was without the others; a broken case has no numbers at all."""
    result = measured_result({CASE: 1000.0})
    more = replace(
        result, instructions=(counting(0, 1000),), allocations=(weighing(0, 0, 0, 0, 0, 0),)
    )
    [latency], [everything] = estimate(result), estimate(more)
    assert len(everything.quantities) == 3 + 2 + 5
    assert everything.quantities.items() >= latency.quantities.items()
    assert everything.warnings == latency.warnings
    assert estimate(replace(more, cases=(make_record(CASE, "broken"),))) == []


def test_times_fastest_compares_within_scenario_load_and_payload() -> None:
    """A case is compared with its own kind only."""
    latency_ns = {
        make_case("a"): 100.0,
        make_case("b"): 250.0,
        make_case("a", load="threads-8"): 5000.0,
        make_case("a", "retry.first_try"): 10.0,
    }
    times = divide_by_fastest(estimate(measured_result(latency_ns)))
    assert [times[case] for case in latency_ns] == pytest.approx([1.0, 2.5, 1.0, 1.0])


def test_two_arms_are_never_compared_at_two_speeds() -> None:
    """Where one arm was too rarely at the best speed, all workers of either count, or false alarm.

    The slow machine takes 1.6 times as long for the reference, and 1.76 times for the operation.
    """
    case = make_case()

    def worker(index: int, *, fast: bool) -> WorkerRecord:
        made = make_worker(index, {case.name: 1000.0 if fast else 1760.0})
        operations = {
            name: replace(each, beside=tuple(range(12))) for name, each in made.operations.items()
        }
        reference = make_samples(500.0 if fast else 800.0, 200)
        return replace(made, reference=reference, operations=operations)

    arms = [[worker(index, fast=index < fast) for index in range(12)] for fast in (8, 2)]
    base, head = compute_worker_latencies([make_record(case)], arms)
    assert [len(value[case.name]["ratio"]) for value in (base, head)] == [12, 12]
    assert compute_worker_latencies([make_record(case)], arms, only_at_best_speed=True) == [{}, {}]


@pytest.mark.parametrize("calm", [FEWEST - 1, FEWEST, 12])
def test_too_few_numbers_at_the_best_speed_may_be_left_out(calm: int) -> None:
    """A case that met it too rarely has no numbers then, and another one keeps its own."""
    other = make_case("other")

    def worker(index: int) -> WorkerRecord:
        made = changing(index, () if index < calm else range(12))
        unreported = Samples(1, (1000,) * 11)
        return replace(made, operations={**made.operations, other.name: unreported})

    workers = [worker(index) for index in range(12)]
    records = [make_record(CASE), make_record(other)]
    [everything] = compute_worker_latencies(records, [workers])
    [strict] = compute_worker_latencies(records, [workers], only_at_best_speed=True)
    assert len(everything[CASE.name]["ratio"]) == (calm if calm >= FEWEST else 12)
    assert set(strict) == ({CASE.name, other.name} if calm >= FEWEST else {other.name})
    assert {name: everything[name] for name in strict} == strict
