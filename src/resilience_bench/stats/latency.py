"""Estimates of latency: one number a worker, an interval over workers, and warnings."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from resilience_bench import _model
from resilience_bench._model import Case, CaseRecord, Estimate, Measurement, Result
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
"""The quantities of the allocations, and their fields in `Weight`."""
LEAST_BLOCKS_PER_CALL: Final = 0.5
"""Minimum blocks per call: fewer are left by a cache that grew once among the calls."""
FEWEST_SAMPLES: Final = 5
"""Minimum samples a worker for a 10 % quantile without a warning."""
WIDE: Final = 0.05
"""Maximum span of an interval, relative to its value, without a warning."""
FEWEST_TICKS: Final = 1000
"""Minimum clock ticks a sample without a warning."""


@dataclass(frozen=True, slots=True)
class _WorkerLocations:
    """The samples of one worker, with their locations in ns per call."""

    resolution_ns: float
    operations: Mapping[str, _model.Samples]
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
    ``overhead_instructions`` is operation - control; for the others see `Weight`, for loads
    `estimate_loads`.

    The measurements are in the order of ``result.cases``, without broken cases and those without
    numbers. ``quantities`` lacks what cannot be computed (no control, a reference of 0 ns).
    """
    measured = list(_select_measured(result))
    rows = [_compute_worker_values(record, workers) for record, workers in measured]
    estimates = iter(estimate_quantities([row for named in rows for row in named.values()]))
    loaded = estimate_loads(result)
    measurements = []
    for (record, workers), named in zip(measured, rows, strict=True):
        quantities = {key: next(estimates) for key in named} | _estimate_counts(record, result)
        name = record.case.name
        samples = sum(len(worker.operations[name].elapsed_ns) for worker in workers)
        warnings = _find_warnings(name, workers, quantities, samples) if workers else ()
        under_load = loaded.get(name, Measurement(record.case, {}, 0, 0, ()))
        measurements.append(
            replace(
                under_load,
                quantities=quantities | under_load.quantities,
                workers=max(len(workers), under_load.workers),
                samples=samples + under_load.samples,
                warnings=tuple(dict.fromkeys((*warnings, *under_load.warnings))),
            )
        )
    return measurements


def _estimate_counts(record: CaseRecord, result: Result) -> dict[str, Estimate]:
    """Estimate the quantities that come from few processes."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    name = record.case.name
    for counting in result.instructions:
        if counts := counting.operations.get(name):
            found["instructions"].append(counts.per_call)
            if control := counting.controls.get(record.control):
                found["overhead_instructions"].append(counts.per_call - control.per_call)
    for weighing in result.allocations:
        if weight := weighing.operations.get(name):
            for quantity, field in WEIGHTS.items():
                found[quantity].append(getattr(weight, field))
    return {
        quantity: Estimate(statistics.median(values), min(values), max(values))
        for quantity, values in found.items()
    }


def _select_measured(result: Result) -> Iterator[tuple[CaseRecord, list[_WorkerLocations]]]:
    steady = _group_by_case(drop_throttled_samples(result.workers))
    everything = _group_by_case(result.workers)
    under_load = {name for record in result.loads for name in record.operations}
    for record in result.cases:
        workers = everything.get(record.case.name, [])
        kept = steady.get(record.case.name, [])
        found = workers or record.case.name in under_load or _estimate_counts(record, result)
        if found and record.status != "broken":
            yield record, _choose_workers(kept, workers)


def compute_worker_latencies(
    cases: Sequence[CaseRecord],
    variants: Sequence[Sequence[_model.WorkerRecord]],
    *,
    only_at_best_speed: bool = False,
) -> list[dict[str, dict[str, list[float]]]]:
    """Compute the workers' numbers of the latency, before anything is estimated.

    They are by variant, case name and quantity (``latency_ns``, ``overhead_ns``, ``ratio``). The
    machine's best speed is that of all workers of all variants. If too few workers of a case met
    it, all numbers are taken, which compares variants but not hours; if ``only_at_best_speed``, the
    case is left out instead.
    """
    steady = iter(drop_throttled_samples([worker for variant in variants for worker in variant]))
    kept = [_group_by_case([next(steady) for _ in variant]) for variant in variants]
    whole = [_group_by_case(variant) for variant in variants]
    # One variant at its best speed against all of another would compare two speeds: all or none.
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


def _group_by_case(workers: Sequence[_model.WorkerRecord]) -> dict[str, list[_WorkerLocations]]:
    by_case: defaultdict[str, list[_WorkerLocations]] = defaultdict(list)
    for worker in _locate_workers(workers):
        for name, location_ns in worker.operations_ns.items():
            if math.isfinite(location_ns):
                by_case[name].append(worker)
    return by_case


def _locate_workers(workers: Sequence[_model.WorkerRecord]) -> list[_WorkerLocations]:
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
    """Compute the workers' numbers by quantity, without what cannot be computed."""
    found: dict[str, list[float]] = {"latency_ns": [], "overhead_ns": [], "ratio": []}
    for worker in workers:
        latency_ns = worker.operations_ns[record.case.name]
        found["latency_ns"].append(latency_ns)
        found["overhead_ns"].append(latency_ns - worker.controls_ns.get(record.control, math.nan))
        found["ratio"].append(latency_ns / (worker.reference_ns or math.nan))
    finite = {quantity: list(filter(math.isfinite, values)) for quantity, values in found.items()}
    return {quantity: values for quantity, values in finite.items() if values}


def _find_warnings(
    name: str, workers: Sequence[_WorkerLocations], quantities: Mapping[str, Estimate], samples: int
) -> Iterator[str]:
    yield from warn_of_few_workers(len(workers))
    wide = [
        name.removesuffix("_ns")
        for name in ("latency_ns", "ratio")
        if (found := quantities.get(name)) and found.high - found.low > WIDE * found.value
    ]
    if wide:
        yield f"interval of {' and '.join(wide)} spans more than {WIDE:.0%} of the value"
    if "ratio" not in quantities:
        yield "no ratio: the clock is too coarse for the reference"
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
    """Divide each latency by the smallest of its scenario, load and payload, unless that is 0."""
    latencies_ns = {
        measured.case: measured.quantities["latency_ns"].value
        for measured in measurements
        if "latency_ns" in measured.quantities
    }
    fastest_ns: defaultdict[tuple[str, str, str], float] = defaultdict(lambda: math.inf)
    for case, latency_ns in latencies_ns.items():
        key = make_comparison_key(case)
        fastest_ns[key] = min(latency_ns, fastest_ns[key])
    return {
        case: latency_ns / fastest_ns[key]
        for case, latency_ns in latencies_ns.items()
        if fastest_ns[key := make_comparison_key(case)] > 0
    }


def make_comparison_key(case: Case) -> tuple[str, str, str]:
    """Return a key that cases share which may be compared: same scenario, load and payload."""
    return case.group, case.load, case.payload


def is_leaking(measured: Measurement) -> bool:
    """Return whether calls leave blocks behind; bytes alone may be a cache that grew once."""
    kept = (measured.quantities.get(name) for name in ("allocated_blocks", "allocated_bytes"))
    blocks, size = (estimate.value if estimate else 0.0 for estimate in kept)
    return blocks >= LEAST_BLOCKS_PER_CALL and size > 1


def returns_object(measured: Measurement) -> bool:
    """Return whether most calls return an object of their own."""
    blocks = measured.quantities.get("object_blocks")
    return blocks is not None and blocks.value >= LEAST_BLOCKS_PER_CALL
