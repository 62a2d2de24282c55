"""Samples in, numbers and warnings out: one number a worker, an interval over workers."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtr, stdtrit

from resilience_bench._model import (
    Case,
    CaseRecord,
    Measurement,
    Quantity,
    Result,
    Samples,
    WorkerRecord,
)
from resilience_bench.inference import FEWEST
from resilience_bench.samples import CHUNK, at_best_speed, locations_ns

Values = np.ndarray[Any, np.dtype[np.float64]]

TRIMMED: Final = 1 / 3
"""The part of the workers' numbers that the centre leaves out at either end."""
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2000
SEED: Final = 20150823
"""Fixed, so that the same file always shows the same interval."""
WEIGHTS: Final = {
    "allocated_blocks": "kept_blocks",
    "allocated_bytes": "kept_bytes",
    "object_blocks": "result_blocks",
    "object_bytes": "result_bytes",
    "peak_bytes": "peak_bytes",
}
"""The quantities of the allocations, and the fields of `Weight` that they come from."""
FEWEST_WORKERS: Final = 5
FEWEST_SAMPLES: Final = 5
"""With fewer in each worker, the 10 % quantile is all but the lowest."""
WIDE: Final = 0.05
"""The share of its value that an interval may span without a warning."""
FEWEST_TICKS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Located:
    """One worker: its samples of the operations, and the locations in ns per call."""

    resolution_ns: float
    operations: Mapping[str, Samples]
    reference_ns: float
    controls_ns: Mapping[str, float]
    operations_ns: Mapping[str, float]


def measure(result: Result) -> list[Measurement]:
    """Estimate the quantities of every case that was measured.

    Latency: a worker's number is the 10 % quantile of ns per call over its samples. ``latency_ns``
    is that of the operation, ``overhead_ns`` is operation - control and ``ratio`` is operation /
    reference, each within one worker. The value is the `centre` of the workers' numbers, with
    `intervals`.

    Instructions and allocations come from few processes, and hardly vary: the value is the median
    over them, from the smallest to the largest. ``instructions`` is per call, and
    ``overhead_instructions`` is operation - control; for the others see `Weight`.

    Args:
        result: A results file.

    Returns:
        One measurement a case, in the order of ``result.cases``. Cases without numbers are left
        out, and so are broken ones: what they did is not what their name says. A quantity that
        cannot be computed (no control, a reference of 0 ns) is missing in ``quantities``.
    """
    measured = list(_measured(result))
    numbers = [_numbers(record, workers) for record, workers in measured]
    quantities = iter(_quantities([row for each in numbers for row in each.values()]))
    return [
        _measurement(
            record.case,
            workers,
            {name: next(quantities) for name in named} | _few(record, result),
        )
        for (record, workers), named in zip(measured, numbers, strict=True)
    ]


def _few(record: CaseRecord, result: Result) -> dict[str, Quantity]:
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
        quantity: Quantity(statistics.median(each), min(each), max(each))
        for quantity, each in values.items()
    }


def _measured(result: Result) -> Iterator[tuple[CaseRecord, list[_Located]]]:
    steady = _by_case(at_best_speed(result.workers))
    everything = _by_case(result.workers)
    for record in result.cases:
        workers = everything.get(record.case.name, [])
        kept = steady.get(record.case.name, [])
        told = workers or _few(record, result)
        if told and record.status != "broken":
            yield record, _enough(kept, workers)


def numbers(
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
    steady = iter(at_best_speed(everything))
    kept = [_by_case([next(steady) for _ in arm]) for arm in arms]
    whole = [_by_case(arm) for arm in arms]
    # One arm at its best speed against all of another would compare two speeds: all or none.
    mixed = {
        name
        for some, every in zip(kept, whole, strict=True)
        for name, workers in every.items()
        if _enough(some.get(name, []), workers) is workers
    }
    return [
        {
            name: _numbers(record, every[name] if name in mixed else some[name])
            for record in cases
            if (name := record.case.name) in every and not (only_at_best_speed and name in mixed)
        }
        for some, every in zip(kept, whole, strict=True)
    ]


def _enough(kept: list[_Located], workers: list[_Located]) -> list[_Located]:
    # A machine that never kept its best speed for long leaves us with what there is.
    return kept if len(kept) >= min(FEWEST, len(workers)) else workers


def _by_case(workers: Sequence[WorkerRecord]) -> dict[str, list[_Located]]:
    by_case: dict[str, list[_Located]] = {}
    for worker in _located(workers):
        for name, location_ns in worker.operations_ns.items():
            if math.isfinite(location_ns):
                by_case.setdefault(name, []).append(worker)
    return by_case


def _located(workers: Sequence[WorkerRecord]) -> list[_Located]:
    # All at once, because a call of numpy costs more than one quantile.
    flat = [
        samples
        for worker in workers
        for samples in (worker.reference, *worker.controls.values(), *worker.operations.values())
    ]
    locations = iter(locations_ns(flat))
    return [
        _Located(
            worker.clock_resolution_ns,
            worker.operations,
            next(locations),
            {key: next(locations) for key in worker.controls},
            {name: next(locations) for name in worker.operations},
        )
        for worker in workers
    ]


def _numbers(record: CaseRecord, workers: Sequence[_Located]) -> dict[str, list[float]]:
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


def _quantities(rows: Sequence[Sequence[float]]) -> list[Quantity]:
    """Value and interval of each row; rows may have different numbers of workers."""
    found: dict[int, Quantity] = {}
    by_count: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        by_count.setdefault(len(row), []).append(index)
    for indices in by_count.values():
        values = np.array([rows[index] for index in indices])
        numbers = np.stack([centre(values), *intervals(values)], axis=1).tolist()
        found.update(zip(indices, (Quantity(*each) for each in numbers), strict=True))
    return [found[index] for index in range(len(rows))]


def centre(values: Values) -> Values:
    """The central estimate over workers.

    Args:
        values: The workers' numbers, workers along the last axis.

    Returns:
        The same without the last axis.
    """
    return np.asarray(np.sort(values, axis=-1) @ _centre_weights(values.shape[-1]))


def _centre_weights(workers: int) -> Values:
    """The one place that says what the centre is: the weights of the sorted numbers.

    It is a trimmed mean, the mean of the middle third: nearly as steady as the mean when nothing is
    wrong, and untouched by a third of the workers having met a neighbour or a bad memory layout.
    Each number takes up a length of one on a line; what lies in the middle third counts. Because
    such an estimate is linear in the sorted numbers, so is every bootstrap replicate of it.
    """
    ends = np.arange(workers + 1)
    within = np.clip(ends, TRIMMED * workers, (1 - TRIMMED) * workers)
    return np.asarray(np.diff(within) / (within[-1] - within[0]))


def intervals(values: Values) -> tuple[Values, Values]:
    """95 % bootstrap intervals of the centre, over workers.

    The percentile bootstrap, expanded for few workers: instead of the quantiles a/2 and 1 - a/2 of
    the replicates it takes Phi(-sqrt(n / (n - 1)) t) and its complement, where t is the 1 - a/2
    quantile of Student's distribution with n - 1 degrees of freedom. Source: T. Hesterberg, "What
    Teachers Should Know About the Bootstrap", The American Statistician 69 (2015), 371-386,
    https://arxiv.org/abs/1411.5279.

    Args:
        values: The workers' numbers, one row a quantity, workers along the last axis.

    Returns:
        Lower and upper ends, one a row; both the centre itself when there is one worker.
    """
    value = centre(values)
    workers = values.shape[1]
    if workers == 1:
        return value, value
    t = stdtrit(workers - 1, (1 + CONFIDENCE) / 2)
    tail = ndtr(-math.sqrt(workers / (workers - 1)) * t)
    first = int(tail * (RESAMPLES - 1))
    ends = np.empty((len(values), 2))
    step = max(1, CHUNK // RESAMPLES)
    for start in range(0, len(values), step):
        ordered = np.sort(values[start : start + step], axis=1)
        replicates = ordered @ _replicate_weights(workers)
        # Not np.quantile: the next replicate outwards is as good, and found in half the time.
        replicates.partition((first, RESAMPLES - 1 - first), axis=1)
        ends[start : start + step] = replicates[:, (first, RESAMPLES - 1 - first)]
    # Equal numbers may differ from their own centre in the last bit.
    return np.minimum(ends[:, 0], value), np.maximum(ends[:, 1], value)


@functools.cache
def _replicate_weights(workers: int) -> Values:
    """Shape (workers, RESAMPLES): what each sorted number weighs in each bootstrap replicate."""
    drawn = np.random.default_rng(SEED).integers(workers, size=(RESAMPLES, workers))
    drawn.sort(axis=1)
    weights = np.zeros((workers, RESAMPLES))
    replicate = np.broadcast_to(np.arange(RESAMPLES)[:, np.newaxis], drawn.shape)
    np.add.at(weights, (drawn, replicate), _centre_weights(workers))
    return weights


def _measurement(
    case: Case, workers: Sequence[_Located], quantities: dict[str, Quantity]
) -> Measurement:
    name = case.name
    if not workers:
        return Measurement(case, quantities, 0, 0)
    counts = [len(worker.operations[name].elapsed_ns) for worker in workers]
    warnings = (
        *_warnings_of_workers(len(workers), quantities),
        *_warnings_of_samples(name, workers, sum(counts)),
    )
    return Measurement(case, quantities, len(workers), sum(counts), warnings)


def _warnings_of_workers(workers: int, quantities: Mapping[str, Quantity]) -> Iterator[str]:
    if workers < FEWEST_WORKERS:
        counted = f"{workers} worker{'s' if workers > 1 else ''}"
        yield f"only {counted}; need at least {FEWEST_WORKERS} for a 95 % interval"
    wide = [
        name.removesuffix("_ns")
        for name in ("latency_ns", "ratio")
        if (each := quantities.get(name)) and each.high - each.low > WIDE * each.value
    ]
    if wide:
        yield f"interval of {' and '.join(wide)} spans more than {WIDE:.0%} of the value"
    if "ratio" not in quantities:
        yield "no ratio: the clock is too coarse for the reference"


def _warnings_of_samples(name: str, workers: Sequence[_Located], samples: int) -> Iterator[str]:
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


def times_fastest(measurements: Sequence[Measurement]) -> dict[Case, float]:
    """How many times as long as the fastest a case takes.

    Args:
        measurements: What `measure` returned.

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
        key = compared_with(case)
        fastest[key] = min(value, fastest.get(key, math.inf))
    return {
        case: value / fastest[compared_with(case)]
        for case, value in latency_ns.items()
        if fastest[compared_with(case)] > 0
    }


def compared_with(case: Case) -> tuple[str, str, str]:
    """The same for cases that may be compared: same scenario, same load, same payload."""
    return case.group, case.load, case.payload
