"""The share: the overhead of a guard, as a share of the bare call.

Real calls vary by tens of per cent between workers and moments. So each window of the operation is
compared with that of the bare call in the same round, on the same connection; what both have in
common cancels out. The order within a round is random, so that no trend prefers one of them.
"""

from __future__ import annotations

import math

import numpy as np

from resilience_bench._model import LoadSamples
from resilience_bench.stats import load_rounds
from resilience_bench.stats.bootstrap import trimmed_mean


def compute_share(samples: LoadSamples, control: LoadSamples | None) -> float | None:
    """Compute the share of one worker; None without rounds in which both made calls.

    It is the centre of the differences / the centre of the bare call's times. The centre is
    `trimmed_mean`: differences of neighbours are symmetric around the overhead, so that trimming
    both ends alike takes away stolen time slices, and moves nothing.
    """
    if control is None:
        return None
    differences_ns = list(load_rounds.compute_overheads_ns(samples, control))
    bare_ns = compute_call_centre_ns(control)
    if not differences_ns or not bare_ns:
        return None
    return float(trimmed_mean(np.array(differences_ns))) / bare_ns


def compute_call_centre_ns(samples: LoadSamples) -> float | None:
    """Compute the centre of the times of a call in one worker; None without rounds with calls."""
    times_ns = list(filter(math.isfinite, load_rounds.compute_call_times_ns(samples)))
    return float(trimmed_mean(np.array(times_ns))) if times_ns else None
