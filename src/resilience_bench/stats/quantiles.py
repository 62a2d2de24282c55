"""From a worker's samples to one number, and which samples met the machine at its best speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from resilience_bench._model import Samples, WorkerRecord
from resilience_bench.stats import throttling
from resilience_bench.stats.throttling import LOCATION_QUANTILE

CHUNK: Final = 4_000_000
"""How many numbers are worked on at a time, to bound the memory."""


def drop_throttled_samples(workers: Sequence[WorkerRecord]) -> list[WorkerRecord]:
    """The workers with those of their samples that met the machine at its best speed.

    Args:
        workers: All workers of a run; see `throttling.drop_throttled`.
    """
    return throttling.drop_throttled(
        workers, estimate_locations_ns([each.reference for each in workers])
    )


def estimate_locations_ns(samples: Sequence[Samples]) -> list[float]:
    """The 10 % quantile of ns per call of each of many sets of samples; NaN for an empty one."""
    found = [math.nan] * len(samples)
    tables = group_by_length([each.elapsed_ns for each in samples])
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
    """The indices of the rows by their number of values, so that equal ones form a table."""
    found: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(len(row), []).append(index)
    return found
