"""The centre of the workers' numbers, and its 95 % bootstrap interval."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from scipy.special import ndtr, stdtrit

from resilience_bench._model import Estimate
from resilience_bench.stats.quantiles import CHUNK, group_by_length
from resilience_bench.stats.trimmed_t import Values

TRIMMED_SHARE: Final = 1 / 3
"""Share of the workers' numbers that the centre leaves out at either end."""
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2000
SEED: Final = 20150823
"""Fixed, so that the same file always shows the same interval."""
FEWEST_WORKERS: Final = 5
"""Minimum workers for an interval without a warning."""


def estimate_quantities(rows: Sequence[Sequence[float]]) -> list[Estimate]:
    """Estimate each row; rows may have different numbers of workers."""
    table = np.empty((len(rows), 3))
    for indices in group_by_length(rows).values():
        values = np.array([rows[index] for index in indices])
        table[indices] = np.stack([trimmed_mean(values), *estimate_intervals(values)], axis=1)
    return [Estimate(*numbers) for numbers in table.tolist()]


def trimmed_mean(values: Values) -> Values:
    """Return the central estimates over workers, who are along the last axis."""
    return np.asarray(np.sort(values, axis=-1) @ _compute_trimming_weights(values.shape[-1]))


def _compute_trimming_weights(workers: int) -> Values:
    """Return the weights of the sorted numbers in the mean of the middle third.

    It is nearly as steady as the mean when nothing is wrong, and unaffected if a third of the
    workers met a busy neighbour or a bad memory layout. Because it is linear in the sorted numbers,
    so is every bootstrap replicate of it.
    """
    ends = np.arange(workers + 1)
    within = np.clip(ends, TRIMMED_SHARE * workers, (1 - TRIMMED_SHARE) * workers)
    return np.asarray(np.diff(within) / (within[-1] - within[0]))


def estimate_intervals(values: Values) -> tuple[Values, Values]:
    """Return the lower and upper ends of the 95 % bootstrap intervals of the centre.

    The percentile bootstrap, expanded for few workers: instead of the quantiles a/2 and 1 - a/2 of
    the replicates it takes Phi(-sqrt(n / (n - 1)) t) and its complement, where t is the 1 - a/2
    quantile of Student's distribution with n - 1 degrees of freedom. Source: T. Hesterberg, "What
    Teachers Should Know About the Bootstrap", The American Statistician 69 (2015), 371-386,
    https://arxiv.org/abs/1411.5279. With one worker both ends are the centre itself. ``values`` has
    one row a quantity, and workers along the last axis.
    """
    value = trimmed_mean(values)
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
        replicates = ordered @ _compute_replicate_weights(workers)
        # Not np.quantile: the next replicate outwards is as good, and found in half the time.
        replicates.partition((first, RESAMPLES - 1 - first), axis=1)
        ends[start : start + step] = replicates[:, (first, RESAMPLES - 1 - first)]
    # Equal numbers may differ from their own centre in the last bit.
    return np.minimum(ends[:, 0], value), np.maximum(ends[:, 1], value)


@functools.cache
def _compute_replicate_weights(workers: int) -> Values:
    """Return the weight of each sorted number in each replicate: shape (workers, RESAMPLES)."""
    drawn = np.random.default_rng(SEED).integers(workers, size=(RESAMPLES, workers))
    drawn.sort(axis=1)
    weights = np.zeros((workers, RESAMPLES))
    replicate = np.broadcast_to(np.arange(RESAMPLES)[:, np.newaxis], drawn.shape)
    np.add.at(weights, (drawn, replicate), _compute_trimming_weights(workers))
    return weights


def warn_of_few_workers(workers: int) -> Iterator[str]:
    """Yield a warning if there are too few workers."""
    if workers < FEWEST_WORKERS:
        counted = f"{workers} worker{'s' if workers > 1 else ''}"
        yield f"only {counted}; need at least {FEWEST_WORKERS} for a 95 % interval"
