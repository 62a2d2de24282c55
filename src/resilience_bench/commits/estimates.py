"""From the records of workers to the one figure a case that asv tracks.

The same estimates as `statistics` and `load_statistics` make, without their intervals and without
numpy, which asv's environments do not have; a test holds them against each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from resilience_bench._model import InstructionRecord, LoadRecord, Samples, WorkerRecord
from resilience_bench.stats import throttling
from resilience_bench.stats.load_rounds import divide_rates

FEWEST_WORKERS: Final = 4
"""With fewer at the machine's best speed, all of them count."""

CaseEstimates = dict[str, dict[str, float]]
"""Figures by the name of the case, then by quantity."""


def estimate_location_ns(samples: Samples) -> float:
    """The 10 % quantile of ns per call; NaN without samples."""
    ordered = sorted(samples.elapsed_ns)
    if not ordered:
        return math.nan
    place = throttling.LOCATION_QUANTILE * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return (ordered[below] + (place - below) * (ordered[above] - ordered[below])) / samples.calls


def trimmed_mean(values: Sequence[float]) -> float:
    """The mean of the middle third of the values, see `bootstrap.trimmed_mean`."""
    ordered, third = sorted(values), len(values) / 3
    weights = [
        max(min(place + 1, 2 * third) - max(place, third), 0.0) for place in range(len(ordered))
    ]
    total = sum(weight * value for weight, value in zip(weights, ordered, strict=True))
    return total / sum(weights)


def estimate_latency(workers: Sequence[WorkerRecord], controls: Mapping[str, str]) -> CaseEstimates:
    """What one caller waits for: ``overhead_ns`` beyond the bare call, ``ratio`` to the reference.

    Args:
        workers: What was measured.
        controls: The key of the control by the name of the case.
    """
    steady = throttling.drop_throttled(
        workers, [estimate_location_ns(each.reference) for each in workers]
    )
    kept, every = _group_by_case(steady), _group_by_case(workers)
    found: CaseEstimates = {}
    for name, records in every.items():
        enough = len(kept.get(name, [])) >= min(FEWEST_WORKERS, len(records))
        numbers = _collect_values(name, controls.get(name, ""), kept[name] if enough else records)
        told = {key: list(filter(math.isfinite, each)) for key, each in numbers.items()}
        found[name] = {key: trimmed_mean(each) for key, each in told.items() if each}
    return found


def _group_by_case(workers: Iterable[WorkerRecord]) -> dict[str, list[WorkerRecord]]:
    found: dict[str, list[WorkerRecord]] = {}
    for worker in workers:
        for name in worker.operations:
            found.setdefault(name, []).append(worker)
    return found


def _collect_values(
    name: str, control: str, workers: Iterable[WorkerRecord]
) -> dict[str, list[float]]:
    numbers: dict[str, list[float]] = {"overhead_ns": [], "ratio": []}
    for worker in workers:
        latency_ns = estimate_location_ns(worker.operations[name])
        bare = worker.controls.get(control)
        numbers["overhead_ns"].append(
            latency_ns - (estimate_location_ns(bare) if bare else math.nan)
        )
        numbers["ratio"].append(latency_ns / (estimate_location_ns(worker.reference) or math.nan))
    return numbers


def estimate_instructions(records: Iterable[InstructionRecord]) -> CaseEstimates:
    """The ``instructions`` per call: the middle one of several processes'.

    Their memory layouts differ, and a layout alone moves some counts by a per cent.
    """
    told: dict[str, list[float]] = {}
    for record in records:
        for name, counts in record.operations.items():
            told.setdefault(name, []).append(counts.per_call)
    return {name: {"instructions": statistics.median(each)} for name, each in told.items()}


def estimate_scaling(records: Iterable[LoadRecord], controls: Mapping[str, str]) -> CaseEstimates:
    """How many times as many calls the bare call gets done: 1 where nothing is lost.

    It is the inverse of what reports call scaling, because asv takes more for worse.

    Args:
        records: What was measured under load.
        controls: The key of the control by the name of the case.
    """
    numbers: dict[str, list[float]] = {}
    for record in records:
        for name, samples in record.operations.items():
            scaling = list(divide_rates(samples, record.controls.get(controls.get(name, ""))))
            numbers.setdefault(name, []).extend(_yield_median(scaling))
    return {
        name: {"scaling": 1 / middle}
        for name, each in numbers.items()
        if (middle := _trimmed_mean_or_zero(each))
    }


def _yield_median(values: Sequence[float]) -> Iterator[float]:
    if values:
        yield statistics.median(values)


def _trimmed_mean_or_zero(values: Sequence[float]) -> float:
    return trimmed_mean(values) if values else 0.0
