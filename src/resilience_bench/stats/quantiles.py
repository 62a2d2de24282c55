"""The low quantile that is a worker's number, and the samples at the machine's best speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from resilience_bench._model import Samples, WorkerRecord
from resilience_bench.stats import throttling
from resilience_bench.stats.throttling import LOCATION_QUANTILE

CHUNK: Final = 4_000_000
"""Numbers per step, to bound the memory."""


def drop_throttled_samples(workers: Sequence[WorkerRecord]) -> list[WorkerRecord]:
    """Drop samples at less than the machine's best speed; see `throttling.drop_throttled`."""
    paces_ns = estimate_locations_ns([worker.reference for worker in workers])
    return throttling.drop_throttled(workers, paces_ns)


def estimate_locations_ns(samples: Sequence[Samples]) -> list[float]:
    """Return the 10 % quantile of ns per call of each set of samples; NaN for an empty one."""
    found = [math.nan] * len(samples)
    tables = group_by_length([one.elapsed_ns for one in samples])
    tables.pop(0, None)
    for count, indices in tables.items():
        step = max(1, CHUNK // count)
        for start in range(0, len(indices), step):
            chunk = indices[start : start + step]
            elapsed = np.array([samples[index].elapsed_ns for index in chunk], dtype=np.float64)
            low = np.quantile(elapsed, LOCATION_QUANTILE, axis=1)
            for index, value in zip(chunk, low.tolist(), strict=True):
                found[index] = value / samples[index].calls
    return found


def group_by_length(rows: Sequence[Sequence[float]]) -> dict[int, list[int]]:
    """Return the indices of the rows by their length; rows of one length form a table."""
    found: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(len(row), []).append(index)
    return found
