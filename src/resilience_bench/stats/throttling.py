"""Which samples met the machine at its best speed.

Imported inside asv's environments as well, so: standard library only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from resilience_bench._model import Samples, WorkerRecord

LOCATION_QUANTILE: Final = 0.10
"""Where among its samples a worker's number is taken: low, because noise only ever adds time."""
SAME_SPEED: Final = 1.15
"""A reference that takes so many times the best pace, or less, met the machine at its best."""
BEST_OF: Final = 3
"""The best pace is the third lowest of the workers', so that one lucky worker does not set it."""
FEWEST_AT_SPEED: Final = 3
"""An operation with fewer samples at the best speed is left out of a worker."""


def drop_throttled(
    workers: Sequence[WorkerRecord], paces_ns: Iterable[float]
) -> list[WorkerRecord]:
    """The workers with those of their samples that met the machine at its best speed.

    A virtual processor runs at two speeds, as its sibling thread is idle or busy, and keeps one for
    milliseconds or for minutes. The ratio takes most of the difference out, but not all: each piece
    of code is slowed down by a factor of its own. So a sample counts if the reference ran at its
    best speed just before it and just after it, give or take `SAME_SPEED`. An operation with too
    few such samples in a worker is left out of that worker.

    Args:
        workers: All workers of a run; samples that do not say what they were taken beside are kept.
        paces_ns: The reference's quantile of `LOCATION_QUANTILE` in each of them, in ns per call;
            NaN where there is none.
    """
    paces = sorted(filter(math.isfinite, paces_ns))
    if not paces:
        return list(workers)
    limit_ns = SAME_SPEED * paces[min(BEST_OF, len(paces)) - 1]
    return [_filter_worker(worker, limit_ns) for worker in workers]


def _filter_worker(worker: WorkerRecord, limit_ns: float) -> WorkerRecord:
    reference = worker.reference
    is_fast = [elapsed <= limit_ns * reference.calls for elapsed in reference.elapsed_ns]
    if all(is_fast):
        return worker
    # A sample lies between two of the reference; after the last one there is no second.
    is_fast.append(True)
    between = [before and after for before, after in itertools.pairwise(is_fast)]
    return replace(
        worker,
        reference=_select_samples(reference, is_fast),
        controls=_filter_operations(worker.controls, between),
        operations=_filter_operations(worker.operations, between),
    )


def _filter_operations(
    samples: Mapping[str, Samples], between: Sequence[bool]
) -> dict[str, Samples]:
    found = {}
    for name, each in samples.items():
        kept = _select_samples(each, map(between.__getitem__, each.beside)) if each.beside else each
        if len(kept.elapsed_ns) >= min(FEWEST_AT_SPEED, len(each.elapsed_ns)):
            found[name] = kept
    return found


def _select_samples(samples: Samples, mask: Iterable[bool]) -> Samples:
    # Made anew, for `replace` takes three times as long, and there are hundreds of thousands.
    elapsed_ns = tuple(itertools.compress(samples.elapsed_ns, mask))
    return (
        samples
        if len(elapsed_ns) == len(samples.elapsed_ns)
        else Samples(samples.calls, elapsed_ns)
    )
