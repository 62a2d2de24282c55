"""Rates and times of calls under load, round by round, also relative to their control.

Imported inside asv's environments as well, so: standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from resilience_bench._model import LoadSamples


def compute_rates(counts: Sequence[int], samples: LoadSamples) -> list[float]:
    """Return counts per second, round by round."""
    return [
        1e9 * count / elapsed for count, elapsed in zip(counts, samples.elapsed_ns, strict=True)
    ]


def compute_call_times_ns(samples: LoadSamples) -> list[float]:
    """Return the mean time of a caller's call in ns; infinite in rounds without calls."""
    return [
        samples.callers * elapsed / calls if calls else math.inf
        for calls, elapsed in zip(samples.calls, samples.elapsed_ns, strict=True)
    ]


def divide_rates(samples: LoadSamples, control: LoadSamples | None) -> Iterator[float]:
    """Yield the rate of the operation divided by the control's."""
    if control:
        # A worker that was cut short may have begun a round that it did not end.
        pairs = zip(
            compute_rates(samples.calls, samples),
            compute_rates(control.calls, control),
            strict=False,
        )
        yield from (rate / bare for rate, bare in pairs if bare)


def compute_overheads_ns(samples: LoadSamples, control: LoadSamples | None) -> Iterator[float]:
    """Yield the mean time of a caller's call less the control's, in ns."""
    if control:
        pairs = zip(compute_call_times_ns(samples), compute_call_times_ns(control), strict=False)
        yield from (call - bare for call, bare in pairs if math.isfinite(call + bare))


def compute_fairness(samples: LoadSamples) -> Iterator[float]:
    """Yield the calls of the slowest caller divided by those of the fastest."""
    for fewest, most in zip(samples.fewest, samples.most, strict=True):
        if most:
            yield fewest / most
