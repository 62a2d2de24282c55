"""From the records of workers to the one figure a case that asv tracks.

The same estimates as in `stats`, without their intervals and without numpy, which asv's
environments do not have; a test compares the two.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from resilience_bench._model import InstructionRecord, LoadRecord, Samples, WorkerRecord
from resilience_bench.stats import throttling
from resilience_bench.stats.load_rounds import divide_rates

FEWEST_WORKERS: Final = 4
"""With fewer at the machine's best speed, all of them count."""

CaseEstimates = dict[str, dict[str, float]]
"""Figures by the name of the case, then by quantity."""


def estimate_location_ns(samples: Samples | None) -> float:
    """Return the 10 % quantile of ns per call; NaN without samples."""
    if samples is None or not samples.elapsed_ns:
        return math.nan
    if len(samples.elapsed_ns) == 1:
        return samples.elapsed_ns[0] / samples.calls
    parts = round(1 / throttling.LOCATION_QUANTILE)
    return statistics.quantiles(samples.elapsed_ns, n=parts, method="inclusive")[0] / samples.calls


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle third of the values, see `bootstrap.trimmed_mean`."""
    third = len(values) / 3
    weights = [
        max(min(place + 1, 2 * third) - max(place, third), 0.0) for place in range(len(values))
    ]
    return statistics.fmean(sorted(values), weights)


def estimate_latency(workers: Sequence[WorkerRecord], controls: Mapping[str, str]) -> CaseEstimates:
    """Estimate ``overhead_ns`` beyond the bare call, and ``ratio`` to the reference.

    ``controls`` are the keys of the controls by the names of the cases.
    """
    paces_ns = [estimate_location_ns(worker.reference) for worker in workers]
    steady = throttling.drop_throttled(workers, paces_ns)
    found: CaseEstimates = {}
    for name in dict.fromkeys(name for worker in workers for name in worker.operations):
        measured = [worker for worker in workers if name in worker.operations]
        kept = [worker for worker in steady if name in worker.operations]
        enough = len(kept) >= min(FEWEST_WORKERS, len(measured))
        found[name] = _estimate_case(name, controls.get(name, ""), kept if enough else measured)
    return found


def _estimate_case(name: str, control: str, workers: Iterable[WorkerRecord]) -> dict[str, float]:
    overheads_ns, ratios = [], []
    for worker in workers:
        latency_ns = estimate_location_ns(worker.operations[name])
        overheads_ns.append(latency_ns - estimate_location_ns(worker.controls.get(control)))
        ratios.append(latency_ns / (estimate_location_ns(worker.reference) or math.nan))
    numbers = {
        "overhead_ns": list(filter(math.isfinite, overheads_ns)),
        "ratio": list(filter(math.isfinite, ratios)),
    }
    return {quantity: trimmed_mean(values) for quantity, values in numbers.items() if values}


def estimate_instructions(records: Iterable[InstructionRecord]) -> CaseEstimates:
    """Estimate ``instructions`` per call: the median of several processes.

    Their memory layouts differ, and a layout alone moves some counts by a per cent.
    """
    counted: dict[str, list[float]] = {}
    for record in records:
        for name, counts in record.operations.items():
            counted.setdefault(name, []).append(counts.per_call)
    return {name: {"instructions": statistics.median(values)} for name, values in counted.items()}


def estimate_scaling(records: Iterable[LoadRecord], controls: Mapping[str, str]) -> CaseEstimates:
    """Estimate how many times as many calls the bare call completes: 1 where nothing is lost.

    It is the inverse of the reports' scaling, because asv takes more for worse. ``controls`` are
    the keys of the controls by the names of the cases.
    """
    medians: dict[str, list[float]] = {}
    for record in records:
        for name, samples in record.operations.items():
            control = record.controls.get(controls.get(name, ""))
            if scalings := list(divide_rates(samples, control)):
                medians.setdefault(name, []).append(statistics.median(scalings))
    means = {name: trimmed_mean(values) for name, values in medians.items()}
    return {name: {"scaling": 1 / mean} for name, mean in means.items() if mean}
