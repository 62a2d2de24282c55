"""Samples in, numbers and warnings out: one number a worker, an interval over workers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from resilience_bench._model import (
    Case,
    CaseRecord,
    Estimate,
    Measurement,
    Result,
    Samples,
    WorkerRecord,
)
from resilience_bench.stats.bootstrap import estimate_quantities, warn_of_few_workers
from resilience_bench.stats.load import estimate_loads
from resilience_bench.stats.quantiles import drop_throttled_samples, estimate_locations_ns
from resilience_bench.stats.trimmed_t import FEWEST

WEIGHTS: Final = {
    "allocated_blocks": "kept_blocks",
    "allocated_bytes": "kept_bytes",
    "object_blocks": "result_blocks",
    "object_bytes": "result_bytes",
    "peak_bytes": "peak_bytes",
}
"""The quantities of the allocations, and the fields of `Weight` that they come from."""
FEWEST_SAMPLES: Final = 5
"""With fewer in each worker, the 10 % quantile is all but the lowest."""
WIDE: Final = 0.05
"""The share of its value that an interval may span without a warning."""
FEWEST_TICKS: Final = 1000


@dataclass(frozen=True, slots=True)
class _WorkerLocations:
    """One worker: its samples of the operations, and the locations in ns per call."""

    resolution_ns: float
    operations: Mapping[str, Samples]
    reference_ns: float
    controls_ns: Mapping[str, float]
    operations_ns: Mapping[str, float]


def estimate(result: Result) -> list[Measurement]:
    """Estimate the quantities of every case that was measured.

    Latency: a worker's number is the 10 % quantile of ns per call over its samples. ``latency_ns``
    is that of the operation, ``overhead_ns`` is operation - control and ``ratio`` is operation /
    reference, each within one worker. The value is the `trimmed_mean` of the workers' numbers, with
    `estimate_intervals`.

    Instructions and allocations come from few processes, and hardly vary: the value is the median
    over them, from the smallest to the largest. ``instructions`` is per call, and
    ``overhead_instructions`` is operation - control; for the others see `Weight`.

    For what was measured under load see `estimate_loads`.

    Args:
        result: A results file.

    Returns:
        One measurement a case, in the order of ``result.cases``. Cases without numbers are left
        out, and so are broken ones: what they did is not what their name says. A quantity that
        cannot be computed (no control, a reference of 0 ns) is missing in ``quantities``.
    """
    measured = list(_select_measured(result))
    numbers = [_compute_worker_values(record, workers) for record, workers in measured]
    quantities = iter(estimate_quantities([row for each in numbers for row in each.values()]))
    loaded = estimate_loads(result)
    return [
        _merge_load(
            _make_measurement(
                record.case,
                workers,
                {name: next(quantities) for name in named} | _estimate_counts(record, result),
            ),
            loaded.get(record.case.name),
        )
        for (record, workers), named in zip(measured, numbers, strict=True)
    ]


def _merge_load(alone: Measurement, loaded: Measurement | None) -> Measurement:
    """What was measured of a case without a load, and under its load."""
    if loaded is None:
        return alone
    return replace(
        loaded,
        quantities=alone.quantities | loaded.quantities,
        workers=max(alone.workers, loaded.workers),
        samples=alone.samples + loaded.samples,
        warnings=tuple(dict.fromkeys((*alone.warnings, *loaded.warnings))),
    )


def _estimate_counts(record: CaseRecord, result: Result) -> dict[str, Estimate]:
    """The quantities that a few processes have told."""
    values: dict[str, list[float]] = {}
    name = record.case.name
    for counting in result.instructions:
        if counts := counting.operations.get(name):
            values.setdefault("instructions", []).append(counts.per_call)
            if control := counting.controls.get(record.control):
                overhead = counts.per_call - control.per_call
                values.setdefault("overhead_instructions", []).append(overhead)
    for weighing in result.allocations:
        if weight := weighing.operations.get(name):
            for quantity, field in WEIGHTS.items():
                values.setdefault(quantity, []).append(getattr(weight, field))
    return {
        quantity: Estimate(statistics.median(each), min(each), max(each))
        for quantity, each in values.items()
    }


def _select_measured(result: Result) -> Iterator[tuple[CaseRecord, list[_WorkerLocations]]]:
    steady = _group_by_case(drop_throttled_samples(result.workers))
    everything = _group_by_case(result.workers)
    under_load = {name for each in result.loads for name in each.operations}
    for record in result.cases:
        workers = everything.get(record.case.name, [])
        kept = steady.get(record.case.name, [])
        told = workers or record.case.name in under_load or _estimate_counts(record, result)
        if told and record.status != "broken":
            yield record, _choose_workers(kept, workers)


def compute_worker_latencies(
    cases: Sequence[CaseRecord],
    arms: Sequence[Sequence[WorkerRecord]],
    *,
    only_at_best_speed: bool = False,
) -> list[dict[str, dict[str, list[float]]]]:
    """The workers' numbers of the latency, before anything is estimated.

    Args:
        cases: The cases that are wanted.
        arms: The workers of each variant that was measured; the machine's best speed is that of
            all of them together.
        only_at_best_speed: Whether a case is left out if too few workers met that speed; otherwise
            all numbers of all arms are taken then, which compares arms but not hours.

    Returns:
        For each arm, by case name, the numbers of ``latency_ns``, ``overhead_ns`` and ``ratio``.
    """
    everything = [worker for arm in arms for worker in arm]
    steady = iter(drop_throttled_samples(everything))
    kept = [_group_by_case([next(steady) for _ in arm]) for arm in arms]
    whole = [_group_by_case(arm) for arm in arms]
    # One arm at its best speed against all of another would compare two speeds: all or none.
    mixed = {
        name
        for some, every in zip(kept, whole, strict=True)
        for name, workers in every.items()
        if _choose_workers(some.get(name, []), workers) is workers
    }
    return [
        {
            name: _compute_worker_values(record, every[name] if name in mixed else some[name])
            for record in cases
            if (name := record.case.name) in every and not (only_at_best_speed and name in mixed)
        }
        for some, every in zip(kept, whole, strict=True)
    ]


def _choose_workers(
    kept: list[_WorkerLocations], workers: list[_WorkerLocations]
) -> list[_WorkerLocations]:
    # A machine that never kept its best speed for long leaves us with what there is.
    return kept if len(kept) >= min(FEWEST, len(workers)) else workers


def _group_by_case(workers: Sequence[WorkerRecord]) -> dict[str, list[_WorkerLocations]]:
    by_case: dict[str, list[_WorkerLocations]] = {}
    for worker in _locate_workers(workers):
        for name, location_ns in worker.operations_ns.items():
            if math.isfinite(location_ns):
                by_case.setdefault(name, []).append(worker)
    return by_case


def _locate_workers(workers: Sequence[WorkerRecord]) -> list[_WorkerLocations]:
    # All at once, because a call of numpy costs more than one quantile.
    flat = [
        samples
        for worker in workers
        for samples in (worker.reference, *worker.controls.values(), *worker.operations.values())
    ]
    locations = iter(estimate_locations_ns(flat))
    return [
        _WorkerLocations(
            worker.clock_resolution_ns,
            worker.operations,
            next(locations),
            {key: next(locations) for key in worker.controls},
            {name: next(locations) for name in worker.operations},
        )
        for worker in workers
    ]


def _compute_worker_values(
    record: CaseRecord, workers: Sequence[_WorkerLocations]
) -> dict[str, list[float]]:
    """The workers' numbers by quantity, leaving out what cannot be computed."""
    name = record.case.name
    numbers: dict[str, list[float]] = {"latency_ns": [], "overhead_ns": [], "ratio": []}
    for worker in workers:
        latency_ns = worker.operations_ns[name]
        numbers["latency_ns"].append(latency_ns)
        numbers["overhead_ns"].append(latency_ns - worker.controls_ns.get(record.control, math.nan))
        numbers["ratio"].append(latency_ns / (worker.reference_ns or math.nan))
    finite = {key: list(filter(math.isfinite, each)) for key, each in numbers.items()}
    return {key: each for key, each in finite.items() if each}


def _make_measurement(
    case: Case, workers: Sequence[_WorkerLocations], quantities: dict[str, Estimate]
) -> Measurement:
    name = case.name
    if not workers:
        return Measurement(case, quantities, 0, 0)
    counts = [len(worker.operations[name].elapsed_ns) for worker in workers]
    warnings = (
        *_check_workers(len(workers), quantities),
        *_check_samples(name, workers, sum(counts)),
    )
    return Measurement(case, quantities, len(workers), sum(counts), warnings)


def _check_workers(workers: int, quantities: Mapping[str, Estimate]) -> Iterator[str]:
    yield from warn_of_few_workers(workers)
    wide = [
        name.removesuffix("_ns")
        for name in ("latency_ns", "ratio")
        if (each := quantities.get(name)) and each.high - each.low > WIDE * each.value
    ]
    if wide:
        yield f"interval of {' and '.join(wide)} spans more than {WIDE:.0%} of the value"
    if "ratio" not in quantities:
        yield "no ratio: the clock is too coarse for the reference"


def _check_samples(name: str, workers: Sequence[_WorkerLocations], samples: int) -> Iterator[str]:
    if samples < FEWEST_SAMPLES * len(workers):
        mean = samples / len(workers)
        yield f"only {mean:.0f} samples a worker; the 10 % quantile wants {FEWEST_SAMPLES}"
    ticks = min(
        worker.operations_ns[name] * worker.operations[name].calls / worker.resolution_ns
        if worker.resolution_ns > 0
        else math.inf
        for worker in workers
    )
    if ticks < FEWEST_TICKS:
        yield f"clock too coarse: a sample lasts only {ticks:.0f} clock ticks"


def divide_by_fastest(measurements: Sequence[Measurement]) -> dict[Case, float]:
    """How many times as long as the fastest a case takes.

    Args:
        measurements: What `estimate` returned.

    Returns:
        Latency / smallest latency among the cases of the same scenario, load and payload; without
        those whose fastest takes 0 ns.
    """
    fastest: dict[tuple[str, str, str], float] = {}
    latency_ns = {
        each.case: each.quantities["latency_ns"].value
        for each in measurements
        if "latency_ns" in each.quantities
    }
    for case, value in latency_ns.items():
        key = make_comparison_key(case)
        fastest[key] = min(value, fastest.get(key, math.inf))
    return {
        case: value / fastest[make_comparison_key(case)]
        for case, value in latency_ns.items()
        if fastest[make_comparison_key(case)] > 0
    }


def make_comparison_key(case: Case) -> tuple[str, str, str]:
    """The same for cases that may be compared: same scenario, same load, same payload."""
    return case.group, case.load, case.payload
