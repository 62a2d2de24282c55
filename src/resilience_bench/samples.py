"""From a worker's samples to one number, and which samples met the machine at its best speed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from resilience_bench._model import Samples, WorkerRecord

LOCATION_QUANTILE: Final = 0.10
"""Where among its samples a worker's number is taken: low, because noise only ever adds time."""
SAME_SPEED: Final = 1.15
"""A reference that takes so many times the best pace, or less, met the machine at its best."""
BEST_OF: Final = 3
"""The best pace is the third lowest of the workers', so that one lucky worker does not set it."""
FEWEST_AT_SPEED: Final = 3
"""An operation with fewer samples at the best speed is left out of a worker."""
CHUNK: Final = 4_000_000
"""How many numbers are worked on at a time, to bound the memory."""


def at_best_speed(workers: Sequence[WorkerRecord]) -> list[WorkerRecord]:
    """The workers with those of their samples that met the machine at its best speed.

    A virtual processor runs at two speeds, as its sibling thread is idle or busy, and keeps one for
    milliseconds or for minutes. The ratio takes most of the difference out, but not all: each piece
    of code is slowed down by a factor of its own. So a sample counts if the reference ran at its
    best speed just before it and just after it, give or take `SAME_SPEED`. An operation with too
    few such samples in a worker is left out of that worker.

    Args:
        workers: All workers of a run; samples that do not say what they were taken beside are kept.
    """
    paces = sorted(filter(math.isfinite, locations_ns([each.reference for each in workers])))
    if not paces:
        return list(workers)
    limit_ns = SAME_SPEED * paces[min(BEST_OF, len(paces)) - 1]
    return [_steady(worker, limit_ns) for worker in workers]


def _steady(worker: WorkerRecord, limit_ns: float) -> WorkerRecord:
    reference = worker.reference
    is_fast = [elapsed <= limit_ns * reference.calls for elapsed in reference.elapsed_ns]
    if all(is_fast):
        return worker
    # A sample lies between two of the reference; after the last one there is no second.
    is_fast.append(True)
    between = [before and after for before, after in itertools.pairwise(is_fast)]
    return replace(
        worker,
        reference=_kept(reference, is_fast),
        controls=_steady_samples(worker.controls, between),
        operations=_steady_samples(worker.operations, between),
    )


def _steady_samples(samples: Mapping[str, Samples], between: Sequence[bool]) -> dict[str, Samples]:
    found = {}
    for name, each in samples.items():
        kept = _kept(each, map(between.__getitem__, each.beside)) if each.beside else each
        if len(kept.elapsed_ns) >= min(FEWEST_AT_SPEED, len(each.elapsed_ns)):
            found[name] = kept
    return found


def _kept(samples: Samples, mask: Iterable[bool]) -> Samples:
    # Made anew, for `replace` takes three times as long, and there are hundreds of thousands.
    elapsed_ns = tuple(itertools.compress(samples.elapsed_ns, mask))
    return (
        samples
        if len(elapsed_ns) == len(samples.elapsed_ns)
        else Samples(samples.calls, elapsed_ns)
    )


def locations_ns(samples: Sequence[Samples]) -> list[float]:
    """The 10 % quantile of ns per call of each of many sets of samples; NaN for an empty one."""
    found = [math.nan] * len(samples)
    tables = by_count([each.elapsed_ns for each in samples])
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


def by_count(rows: Sequence[Sequence[float]]) -> dict[int, list[int]]:
    """The indices of the rows by their number of values, so that equal ones form a table."""
    found: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(len(row), []).append(index)
    return found
