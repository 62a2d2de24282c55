"""What callers of the same thing did under load, as numbers: rates, waits, fairness, marks.

A worker's number is the median over its rounds; operation and control are compared round by round,
because they take turns and a busy machine slows down both.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from resilience_bench._model import (
    BUCKET,
    Case,
    CaseRecord,
    Estimate,
    LoadRecord,
    LoadSamples,
    Measurement,
    Result,
    Tally,
)
from resilience_bench.stats.bootstrap import estimate_quantities, warn_of_few_workers
from resilience_bench.stats.correctness import collect_tallies, find_defects
from resilience_bench.stats.load_rounds import (
    compute_call_times_ns,
    compute_overheads_ns,
    compute_rates,
    divide_rates,
)

PERCENTILES: Final = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99, "p999_ns": 0.999}
LAGS: Final = {"lag_p50_ns": 0.5, "lag_p99_ns": 0.99}
FEWEST_CALLS_BEYOND: Final = 10
"""A percentile is told if at least so many calls are beyond it."""
FEWEST_TICKS_BEYOND: Final = 1
"""The same for lags: there is a tick in a millisecond at best, and none while the loop is held."""
WIDE: Final = 0.10
"""The share of its value that the interval of the scaling may span without a warning."""

ControlledSamples = tuple[LoadSamples, LoadSamples | None]
"""An operation and its control in one worker; the control may be missing."""


def estimate_loads(result: Result) -> dict[str, Measurement]:
    """Estimate the quantities of every case that was measured under a load.

    ``calls_per_s`` is the rate of all callers together, ``control_calls_per_s`` that of the same
    callers with the payload called bare, and ``scaling`` their quotient. ``call_ns`` is what a
    caller waits for one call on average, ``overhead_ns`` the same less the control's; ``fairness``
    is what the slowest caller got done by what the fastest one did, and ``reads_per_s`` the rate of
    the readers. Each is estimated by `bootstrap.estimate_quantities`, from one number a worker.

    ``p50_ns`` to ``p999_ns`` and ``longest_ns`` come from the calls of all workers together that
    were timed one by one, less ``clock_ns``; ``lag_...`` are how late a ticking task was. The ends
    of their intervals are the least and the most of the workers' own.

    Args:
        result: A results file.

    Returns:
        The measurements by the name of the case; a quantity that cannot be told is left out.
    """
    pairs = _pair_with_controls(result.loads, result.cases)
    cases = {record.case.name: record.case for record in result.cases}
    return {
        name: _make_measurement(
            cases[name], pairs[name], numbers, collect_tallies(result.loads, name)
        )
        for name, numbers in _estimate_quantities(pairs).items()
    }


def estimate_controls(result: Result) -> dict[str, Measurement]:
    """Estimate what the payloads called bare did under load.

    Returns:
        By the key of the control (`CaseRecord.control`), a measurement of a case that is named
        after it, with the quantities of `estimate_loads` that need no control.
    """
    pairs: dict[str, list[ControlledSamples]] = {}
    for record in result.loads:
        for key, samples in record.controls.items():
            pairs.setdefault(key, []).append((samples, None))
    return {
        key: _make_measurement(Case("control", key), pairs[key], numbers)
        for key, numbers in _estimate_quantities(pairs).items()
    }


def compute_worker_scalings(
    records: Iterable[LoadRecord], cases: Iterable[CaseRecord]
) -> dict[str, dict[str, list[float]]]:
    """The workers' numbers under load, before anything is estimated.

    Returns:
        By case name, the numbers of ``scaling``, one a worker.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for name, pairs in _pair_with_controls(records, cases).items():
        scaling = [median for each in pairs for median in _compute_median(divide_rates(*each))]
        if scaling:
            found[name] = {"scaling": scaling}
    return found


def _pair_with_controls(
    records: Iterable[LoadRecord], cases: Iterable[CaseRecord]
) -> dict[str, list[ControlledSamples]]:
    controls = {record.case.name: record.control for record in cases}
    found: dict[str, list[ControlledSamples]] = {}
    for record in records:
        for name, samples in record.operations.items():
            if name in controls:
                pair = (samples, record.controls.get(controls[name]))
                found.setdefault(name, []).append(pair)
    return found


def _estimate_quantities(
    pairs: Mapping[str, Sequence[ControlledSamples]],
) -> dict[str, dict[str, Estimate]]:
    """Value and interval of the workers' numbers; all at once, which is far faster."""
    rows = {name: _compute_worker_values(each) for name, each in pairs.items()}
    told = iter(estimate_quantities([row for each in rows.values() for row in each.values()]))
    return {name: {key: next(told) for key in each} for name, each in rows.items()}


def _compute_worker_values(pairs: Sequence[ControlledSamples]) -> dict[str, list[float]]:
    """The workers' numbers by quantity, leaving out what cannot be computed."""
    found: dict[str, list[float]] = {}
    for samples, control in pairs:
        rounds = {
            "scaling": divide_rates(samples, control),
            "calls_per_s": compute_rates(samples.calls, samples),
            "control_calls_per_s": compute_rates(control.calls, control) if control else (),
            "call_ns": filter(math.isfinite, compute_call_times_ns(samples)),
            "overhead_ns": compute_overheads_ns(samples, control),
            "fairness": (
                fewest / most
                for fewest, most in zip(samples.fewest, samples.most, strict=True)
                if most
            ),
            "reads_per_s": compute_rates(samples.reads, samples) if samples.reads else (),
        }
        for key, values in rounds.items():
            for median in _compute_median(values):
                found.setdefault(key, []).append(median)
    return found


def _compute_median(values: Iterable[float]) -> list[float]:
    """The median, or nothing of nothing."""
    told = list(values)
    return [statistics.median(told)] if told else []


def _make_measurement(
    case: Case,
    pairs: Sequence[ControlledSamples],
    numbers: dict[str, Estimate],
    tallies: Sequence[Tally] = (),
) -> Measurement:
    samples = [each for each, _control in pairs]
    warnings = list(warn_of_few_workers(len(samples)))
    if (each := numbers.get("scaling")) and each.high - each.low > WIDE * each.value:
        warnings.append(f"interval of scaling spans more than {WIDE:.0%} of the value")
    return Measurement(
        case,
        numbers | _estimate_percentiles(samples) | _estimate_lags(samples),
        workers=len(samples),
        samples=sum(len(each.elapsed_ns) for each in samples),
        warnings=tuple(warnings),
        defects=tuple(find_defects(tallies)),
        timed_calls=sum(sum(each.latencies.values()) for each in samples),
    )


def _estimate_percentiles(samples: Sequence[LoadSamples]) -> dict[str, Estimate]:
    """Percentiles of the calls that were timed one by one, in ns."""
    told = [each for each in samples if any(each.latencies.values())]
    if not told:
        return {}
    clock_ns = _compute_spread([each.clock_ns for each in told])
    longest_ns = [float(each.longest_ns) for each in told]
    longest = Estimate(max(longest_ns), min(longest_ns), max(longest_ns))

    def middle_ns(bucket: float) -> float:
        # The middle of its bucket may lie beyond the longest call.
        middle = math.pow(BUCKET, bucket + 0.5)
        return max(min(middle, longest.value) - clock_ns.value, 0.0)

    found = _estimate_quantiles([each.latencies for each in told], PERCENTILES, FEWEST_CALLS_BEYOND)
    in_ns = {
        name: Estimate(*map(middle_ns, (each.value, each.low, each.high)))
        for name, each in found.items()
    }
    return {**in_ns, "longest_ns": longest, "clock_ns": clock_ns}


def _estimate_lags(samples: Sequence[LoadSamples]) -> dict[str, Estimate]:
    """How late a task was that wanted to run again and again."""
    told = [each.lags_ns for each in samples if each.lags_ns]
    if not told:
        return {}
    longest = [float(max(each)) for each in told]
    return {
        **_estimate_quantiles([Counter(each) for each in told], LAGS, FEWEST_TICKS_BEYOND),
        "lag_longest_ns": Estimate(max(longest), min(longest), max(longest)),
    }


def _compute_spread(values: Collection[float]) -> Estimate:
    return Estimate(statistics.median(values), min(values), max(values))


def _estimate_quantiles(
    counts: Sequence[Mapping[int, int]], quantiles: Mapping[str, float], beyond: int
) -> dict[str, Estimate]:
    """Quantiles of all workers together, from the least to the most of the workers' own.

    Args:
        counts: How often each value came, one mapping a worker, none empty.
        quantiles: Names, and the shares of values that lie below.
        beyond: How many values have to lie beyond a quantile for it to be told.
    """
    together: Counter[int] = Counter()
    for each in counts:
        together.update(each)
    enough = {
        name: share
        for name, share in quantiles.items()
        if together.total() >= round(beyond / (1 - share))
    }
    tables = [sorted(each.items()) for each in (together, *counts)]
    found = {}
    for name, share in enough.items():
        value, *own = (_find_quantile(table, share) for table in tables)
        found[name] = Estimate(value, min(own), max(own))
    return found


def _find_quantile(table: Sequence[tuple[int, int]], share: float) -> int:
    """The smallest value that this share of all values does not exceed."""
    # Rounded, because 0.999 times 1,000 is a little more than 999.
    rank = math.ceil(round(share * sum(count for _value, count in table), 6))
    reached = 0
    for value, count in table:
        reached += count
        if reached >= rank:
            return value
    return table[-1][0]
