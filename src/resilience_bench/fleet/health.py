"""How a host did while it measured a block: its pace, and its null control."""

from __future__ import annotations

import collections
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from resilience_bench._model import WorkerRecord
from resilience_bench.stats.quantiles import estimate_locations_ns
from resilience_bench.stats.trimmed_t import (
    FEWEST,
    Estimates,
    estimate_differences,
    estimate_trimmed_means,
)

CONFIDENCE: Final = 0.95
LIMIT: Final = 0.2
"""A host is noisy if the bare call could differ from itself by this share."""


def make_answer(
    value: dict[str, Any], workers: Iterable[WorkerRecord], noise: str = ""
) -> dict[str, Any]:
    """Return what a block answers: its value, and how the host did, see `block.Reply`.

    ``noise`` says what other null controls found; empty if nothing.
    """
    records = list(workers)
    return {
        "value": value,
        "reference_ns": compute_pace_ns(records),
        "noise": noise or describe_noise(records),
    }


def compute_pace_ns(workers: Sequence[WorkerRecord]) -> float:
    """Return the median over workers of the reference's ns per call; 0 without workers."""
    paces = estimate_locations_ns([worker.reference for worker in workers])
    return statistics.median(filter(math.isfinite, paces)) if paces else 0.0


def describe_noise(workers: Sequence[WorkerRecord]) -> str:
    """Say how far the bare call may differ from itself, if that is too far; else nothing.

    Every other worker's bare call, in units of its reference, is compared with the others': nothing
    differs between the two but the host. Too few workers say nothing.
    """
    controls = collections.Counter(name for worker in workers for name in worker.controls)
    if not controls:
        return ""
    name = controls.most_common(1)[0][0]
    chosen = [worker for worker in workers if name in worker.controls]
    bare = estimate_locations_ns([worker.controls[name] for worker in chosen])
    reference = estimate_locations_ns([worker.reference for worker in chosen])
    ratios = [math.log(top / low) for top, low in zip(bare, reference, strict=True) if top and low]
    halves = [values for half in (ratios[::2], ratios[1::2]) if (values := _drop_odd(half))]
    if len(halves) < 2 or min(map(len, halves)) < FEWEST:  # noqa: PLR2004 - two halves
        return ""
    first, second = (_estimate(half) for half in halves)
    ends = estimate_differences(first, second).compute_interval(CONFIDENCE)
    low, high = (math.exp(float(end[0])) for end in ends)
    if max(high, 1 / low) <= 1 + LIMIT:
        return ""
    return f"its bare call measured against itself is {low:.2f} to {high:.2f} times as long"


def _drop_odd(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _estimate(values: Sequence[float]) -> Estimates:
    return estimate_trimmed_means(np.array([values]))
