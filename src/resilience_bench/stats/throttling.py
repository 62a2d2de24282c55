"""Selection of the samples that were taken at the machine's best speed.

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
"""The quantile of its samples that is a worker's number: low, because noise only adds time."""
SAME_SPEED: Final = 1.15
"""Maximum reference slowdown, relative to the best pace, for a sample to count."""
BEST_OF: Final = 3
"""The rank of the worker that sets the best pace, so that a single lucky one does not."""
FEWEST_AT_SPEED: Final = 3
"""Minimum samples at the best speed for an operation to stay in a worker."""


def drop_throttled(
    workers: Sequence[WorkerRecord], paces_ns: Iterable[float]
) -> list[WorkerRecord]:
    """Return the workers with the samples that were taken at the machine's best speed.

    A virtual processor is slower while its sibling thread is busy, for milliseconds or minutes. The
    ratio does not remove the difference completely, because each piece of code is slowed down by
    its own factor. So a sample counts if the reference was fast (see `SAME_SPEED`) just before and
    just after it. An operation with too few such samples is left out of the worker; samples without
    ``beside`` are kept. ``paces_ns`` is the reference's `LOCATION_QUANTILE` in each worker of a
    run, in ns per call, or NaN.
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
    kept = {
        name: _select_samples(one, map(between.__getitem__, one.beside)) if one.beside else one
        for name, one in samples.items()
    }
    return {
        name: one
        for name, one in kept.items()
        if len(one.elapsed_ns) >= min(FEWEST_AT_SPEED, len(samples[name].elapsed_ns))
    }


def _select_samples(samples: Samples, mask: Iterable[bool]) -> Samples:
    elapsed_ns = tuple(itertools.compress(samples.elapsed_ns, mask))
    if len(elapsed_ns) == len(samples.elapsed_ns):
        return samples
    # Not `replace`: it takes three times as long, and there are hundreds of thousands.
    return Samples(samples.calls, elapsed_ns)
