"""Estimates under load: rates, times of calls, fairness, defects.

A worker's number is the median over its rounds; operation and control are compared round by round,
because they take turns, so a busy machine slows down both.
"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from resilience_bench import _model
from resilience_bench._model import Case, CaseRecord, Estimate, LoadRecord, LoadSamples, Measurement
from resilience_bench.quantities import JUDGED
from resilience_bench.stats import load_rounds
from resilience_bench.stats.bootstrap import estimate_quantities, warn_of_few_workers
from resilience_bench.stats.correctness import collect_tallies, find_defects
from resilience_bench.stats.share import compute_share

PERCENTILES: Final = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99, "p999_ns": 0.999}
LAGS: Final = {"lag_p50_ns": 0.5, "lag_p99_ns": 0.99}
FEWEST_CALLS_BEYOND: Final = 10
"""Minimum calls above a percentile for it to be reported."""
FEWEST_TICKS_BEYOND: Final = 1
"""The same for lags: at most one tick a millisecond, and none while the loop is blocked."""
WIDE: Final = 0.10
"""Maximum span of the scaling's interval, relative to its value, without a warning."""

WIDE_SHARE: Final = 0.02
"""The same for a share's interval, as a share of the bare call: a small share needs no less."""

ControlledSamples = tuple[LoadSamples, LoadSamples | None]
"""An operation in one worker, and its control, if there is one."""


def estimate_loads(result: _model.Result) -> dict[str, Measurement]:
    """Estimate the quantities of every case that was measured under a load.

    ``calls_per_s`` is the rate of all callers together, ``control_calls_per_s`` that of the same
    callers with the payload called bare, and ``scaling`` their quotient. ``call_ns`` is the mean
    time of a call, ``overhead_ns`` the same less the control's; ``fairness`` is the calls of the
    slowest caller / those of the fastest, and ``reads_per_s`` the rate of the readers. ``share`` is
    the overhead / the control's time, see `compute_share`. Each is estimated by
    `bootstrap.estimate_quantities`, from one number a worker.

    ``p50_ns`` to ``p999_ns`` and ``longest_ns`` come from the single calls that were timed in all
    workers, less ``clock_ns``; ``lag_...`` are how late a ticking task was. Their intervals go from
    the smallest to the largest value of a worker. Unknown quantities are left out.
    """
    pairs = _pair_with_controls(result.loads, result.cases)
    cases = {record.case.name: record.case for record in result.cases}
    return _measure(pairs, cases, _find_real(result.cases), result.loads)


def estimate_controls(result: _model.Result) -> dict[str, Measurement]:
    """Estimate the controls under load, as `estimate_loads` does, by `CaseRecord.control`."""
    pairs: defaultdict[str, list[ControlledSamples]] = defaultdict(list)
    for record in result.loads:
        for key, samples in record.controls.items():
            pairs[key].append((samples, None))
    real = {record.control for record in result.cases if record.case.is_real}
    return _measure(pairs, {key: Case("control", key) for key in pairs}, real)


def compute_worker_loads(
    records: Iterable[LoadRecord], cases: Iterable[CaseRecord]
) -> dict[str, dict[str, list[float]]]:
    """Compute the workers' numbers that gates judge, by case name, before anything is estimated.

    They are the shares of real calls, and the scalings of all others.
    """
    cases = list(cases)
    real = _find_real(cases)
    found = {}
    for name, pairs in _pair_with_controls(records, cases).items():
        values = _compute_worker_values(pairs, is_real=name in real)
        if judged := {key: values[key] for key in JUDGED & values.keys()}:
            found[name] = judged
    return found


def _find_real(cases: Iterable[CaseRecord]) -> set[str]:
    return {record.case.name for record in cases if record.case.is_real}


def _pair_with_controls(
    records: Iterable[LoadRecord], cases: Iterable[CaseRecord]
) -> dict[str, list[ControlledSamples]]:
    controls = {record.case.name: record.control for record in cases}
    pairs: defaultdict[str, list[ControlledSamples]] = defaultdict(list)
    for record in records:
        for name, samples in record.operations.items():
            if name in controls:
                pairs[name].append((samples, record.controls.get(controls[name])))
    return pairs


def _measure(
    pairs: Mapping[str, Sequence[ControlledSamples]],
    cases: Mapping[str, Case],
    real: Collection[str],
    records: Sequence[LoadRecord] = (),
) -> dict[str, Measurement]:
    rows = {
        name: _compute_worker_values(some, is_real=name in real) for name, some in pairs.items()
    }
    # All at once, which is far faster.
    flat = [row for named in rows.values() for row in named.values()]
    estimates = iter(estimate_quantities(flat))
    return {
        name: _make_measurement(
            cases[name],
            pairs[name],
            {key: next(estimates) for key in named},
            collect_tallies(records, name),
        )
        for name, named in rows.items()
    }


def _compute_worker_values(
    pairs: Sequence[ControlledSamples], *, is_real: bool
) -> dict[str, list[float]]:
    """Compute the workers' numbers by quantity, without what cannot be computed.

    A real call has a share, and no scaling. All its callers make equally many calls, so fairness
    says nothing.
    """
    found: defaultdict[str, list[float]] = defaultdict(list)
    for samples, control in pairs:
        rounds = {
            "scaling": () if is_real else load_rounds.divide_rates(samples, control),
            "calls_per_s": load_rounds.compute_rates(samples.calls, samples),
            "control_calls_per_s": (
                load_rounds.compute_rates(control.calls, control) if control else ()
            ),
            "call_ns": filter(math.isfinite, load_rounds.compute_call_times_ns(samples)),
            "overhead_ns": load_rounds.compute_overheads_ns(samples, control),
            "fairness": () if is_real else load_rounds.compute_fairness(samples),
            "reads_per_s": load_rounds.compute_rates(samples.reads, samples)
            if samples.reads
            else (),
        }
        for key, values in rounds.items():
            for median in _compute_median(values):
                found[key].append(median)
        if is_real and (share := compute_share(samples, control)) is not None:
            found["share"].append(share)
    return found


def _compute_median(values: Iterable[float]) -> list[float]:
    """Return the median, or nothing of no values."""
    found = list(values)
    return [statistics.median(found)] if found else []


def _make_measurement(
    case: Case,
    pairs: Sequence[ControlledSamples],
    numbers: dict[str, Estimate],
    tallies: Sequence[_model.Tally],
) -> Measurement:
    samples = [operation for operation, _control in pairs]
    warnings = list(warn_of_few_workers(len(samples)))
    warnings += _warn_of_wide_interval(case, numbers)
    return Measurement(
        case,
        numbers | _estimate_percentiles(samples) | _estimate_lags(samples),
        workers=len(samples),
        samples=sum(len(worker.elapsed_ns) for worker in samples),
        warnings=tuple(warnings),
        defects=tuple(find_defects(tallies)),
        timed_calls=sum(sum(worker.latencies.values()) for worker in samples),
    )


def _warn_of_wide_interval(case: Case, numbers: Mapping[str, Estimate]) -> Iterator[str]:
    if case.is_real:
        share = numbers.get("share")
        if share and share.high - share.low > max(WIDE_SHARE, WIDE * share.value):
            points = f"{100 * WIDE_SHARE:g} percentage points"
            yield f"interval of share spans more than {points}, or {WIDE:.0%} of the value"
        return
    scaling = numbers.get("scaling")
    if scaling and scaling.high - scaling.low > WIDE * scaling.value:
        yield f"interval of scaling spans more than {WIDE:.0%} of the value"


def _estimate_percentiles(samples: Sequence[LoadSamples]) -> dict[str, Estimate]:
    """Estimate percentiles of the single calls, in ns."""
    timed = [worker for worker in samples if any(worker.latencies.values())]
    if not timed:
        return {}
    clocks_ns = [worker.clock_ns for worker in timed]
    clock_ns = Estimate(statistics.median(clocks_ns), min(clocks_ns), max(clocks_ns))
    longest = _estimate_longest([worker.longest_ns for worker in timed])

    def middle_ns(bucket: float) -> float:
        # The middle of its bucket may lie beyond the longest call.
        middle = math.pow(_model.BUCKET, bucket + 0.5)
        return max(min(middle, longest.value) - clock_ns.value, 0.0)

    latencies = [worker.latencies for worker in timed]
    buckets = _estimate_quantiles(latencies, PERCENTILES, FEWEST_CALLS_BEYOND)
    in_ns = {
        name: Estimate(*map(middle_ns, (bucket.value, bucket.low, bucket.high)))
        for name, bucket in buckets.items()
    }
    return {**in_ns, "longest_ns": longest, "clock_ns": clock_ns}


def _estimate_lags(samples: Sequence[LoadSamples]) -> dict[str, Estimate]:
    lags_ns = [worker.lags_ns for worker in samples if worker.lags_ns]
    if not lags_ns:
        return {}
    return {
        **_estimate_quantiles(list(map(Counter, lags_ns)), LAGS, FEWEST_TICKS_BEYOND),
        "lag_longest_ns": _estimate_longest(map(max, lags_ns)),
    }


def _estimate_longest(longest_ns: Iterable[int]) -> Estimate:
    ordered = sorted(map(float, longest_ns))
    return Estimate(ordered[-1], ordered[0], ordered[-1])


def _estimate_quantiles(
    counts: Sequence[Mapping[int, int]], quantiles: Mapping[str, float], beyond: int
) -> dict[str, Estimate]:
    """Estimate quantiles over all workers, if ``beyond`` values lie beyond, from end to end."""
    together = sum(map(Counter, counts), Counter[int]())
    tables = [sorted(table.items()) for table in (together, *counts)]
    found = {}
    for name, share in quantiles.items():
        if together.total() >= round(beyond / (1 - share)):
            value, *own = (_find_quantile(table, share) for table in tables)
            found[name] = Estimate(value, min(own), max(own))
    return found


def _find_quantile(table: Sequence[tuple[int, int]], share: float) -> int:
    """Return the smallest value that this share of all values does not exceed."""
    # Rounded, because 0.999 times 1,000 is a little more than 999.
    reached = list(itertools.accumulate(count for _value, count in table))
    rank = math.ceil(round(share * reached[-1], 6))
    return table[bisect.bisect_left(reached, rank)][0]
